import { Controller, Get, Inject, Module, Res, type DynamicModule } from '@nestjs/common';
import { HealthRegistry } from './health.js';

/** The one method of a Fastify reply that this controller needs. */
interface StatusReply {
  status(code: number): unknown;
}

@Controller('health')
export class HealthController {
  constructor(@Inject(HealthRegistry) private readonly health: HealthRegistry) {}

  @Get('live')
  live(): { status: 'live' } {
    return { status: 'live' };
  }

  @Get('ready')
  async ready(@Res({ passthrough: true }) reply: StatusReply): Promise<object> {
    const { ready, reasons, notes } = await this.health.readiness();
    if (!ready) reply.status(503);
    const noted = Object.keys(notes).length > 0 && { notes };
    return { status: ready ? 'ready' : 'not ready', reasons, ...noted };
  }
}

/** `GET /health/live` and `GET /health/ready`: 200, or 503 with the reasons. */
@Module({})
export class HealthModule {
  static register(registry: HealthRegistry): DynamicModule {
    return {
      module: HealthModule,
      controllers: [HealthController],
      providers: [{ provide: HealthRegistry, useValue: registry }],
      exports: [HealthRegistry],
    };
  }
}
