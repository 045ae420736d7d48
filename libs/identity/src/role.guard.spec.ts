import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, Inject, Module, UseGuards } from '@nestjs/common';
import { keyId, organisationId, workspaceId } from '#libs/kernel';
import { createHttpApp, InProcessSnapshotSource, Logger, type HttpApp } from '#libs/platform';
import { PrincipalDirectory } from './principal-directory.js';
import { principalsSnapshot } from './principals-codec.js';
import { Admitted, RoleGuard } from './role.guard.js';
import { hashSecret, mintSecret } from './secret.js';
import type { Principal, Role } from './types.js';

const auditor = mintSecret();
const inference = mintSecret();
const keyOf = (id: string, secret: string, role: Role) => ({
  id: keyId(id),
  workspaceId: workspaceId('ws'),
  label: id,
  secretSha256: hashSecret(secret),
  roles: [role],
  defaults: {
    dataClass: 'internal' as const,
    dataTags: [],
    subjectRegions: [],
    purpose: 'test',
  },
  disabled: false,
  createdAt: '2026-11-21T10:00:00.000Z',
});
const directory = new PrincipalDirectory(
  principalsSnapshot({
    organisations: [{ id: organisationId('org'), name: 'o', sector: 's', jurisdiction: 'DE' }],
    workspaces: [
      {
        id: workspaceId('ws'),
        organisationId: organisationId('org'),
        name: 'w',
        environment: 'test',
        strategy: 'balanced',
      },
    ],
    keys: [keyOf('k-auditor', auditor, 'auditor'), keyOf('k-inference', inference, 'inference')],
  }),
);

let clockMs = Date.now();
const source = new InProcessSnapshotSource<PrincipalDirectory>();

class AuditorGuard extends RoleGuard {
  constructor() {
    super(source, ['auditor'], { maxAgeMs: 1_000, nowMs: () => clockMs });
  }
}

@Controller('who')
@UseGuards(AuditorGuard)
class WhoController {
  constructor(@Inject('PREFIX') private readonly prefix: string) {}

  @Get()
  who(@Admitted() principal: Principal): { who: string } {
    return { who: `${this.prefix}${principal.key.id}` };
  }
}

@Module({ controllers: [WhoController], providers: [{ provide: 'PREFIX', useValue: '>' }] })
class WhoModule {}

describe('RoleGuard on a real application', () => {
  let http: HttpApp;
  const ask = (authorization?: string): Promise<Response> =>
    fetch(`${http.url}/who`, { headers: authorization === undefined ? {} : { authorization } });

  beforeAll(async () => {
    const logger = new Logger({ app: 'test', level: 'error', write: () => undefined });
    http = await createHttpApp(WhoModule, { host: '127.0.0.1', port: 0, logger, errors: {} });
  });
  afterAll(() => http.close());

  it('answers 503 before there are principals', async () => {
    const response = await ask(`Bearer ${auditor}`);
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    source.publish(directory.version, directory);
  });

  it.each([undefined, 'Bearer', 'Basic abc', `Bearer ${auditor}x`])(
    'answers 401 and asks for a bearer to %s',
    async (authorization) => {
      const response = await ask(authorization);
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toMatch(/^Bearer/);
      expect(await response.json()).toMatchObject({
        error: { code: 401, metadata: { custos_code: 'unauthenticated' } },
      });
    },
  );

  it('answers 403 to a key without the role', async () => {
    const response = await ask(`Bearer ${inference}`);
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({
      error: { metadata: { custos_code: 'forbidden' } },
    });
  });

  it('lets the role in and names the principal', async () => {
    const response = await ask(`bearer ${auditor}`);
    expect([response.status, await response.json()]).toEqual([200, { who: '>k-auditor' }]);
  });

  it('answers 503 when the principals are older than the maximum age', async () => {
    clockMs += 60_000;
    expect((await ask(`Bearer ${auditor}`)).status).toBe(503);
    clockMs = Date.now();
  });
});
