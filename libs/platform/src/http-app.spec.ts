import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Body, Controller, Get, Module, Param, Post } from '@nestjs/common';
import { z } from 'zod';
import { DomainError } from '#libs/kernel';
import { HealthModule } from './health.module.js';
import { HealthRegistry } from './health.js';
import { createHttpApp, type HttpApp } from './http-app.js';
import { Logger } from './logger.js';
import { parseRequest } from './parse-request.js';

@Controller('t')
class ThingsController {
  @Get('spent')
  spent(): never {
    throw new DomainError('budget_spent', 'Nothing left.', { limit: 5 });
  }

  @Get('canary')
  canary(): never {
    throw new Error('canary in the message');
  }

  @Get('by/:id')
  by(@Param('id') id: string): { id: string } {
    return { id };
  }

  @Post()
  create(@Body() body: unknown): object {
    return parseRequest(z.strictObject({ a: z.number(), b: z.string() }), body);
  }
}

const health = new HealthRegistry();

@Module({ imports: [HealthModule.register(health)], controllers: [ThingsController] })
class ThingsModule {}

describe('createHttpApp', () => {
  let http: HttpApp;
  const logged: string[] = [];

  beforeAll(async () => {
    http = await createHttpApp(ThingsModule, {
      host: '127.0.0.1',
      port: 0,
      logger: new Logger({ app: 'test', level: 'debug', write: (line) => logged.push(line) }),
      errors: { budget_spent: { status: 402, retryAfterSeconds: 9, meaning: 'Spent.' } },
    });
  });
  afterAll(() => http.close());

  const typeOf = async (response: Response): Promise<[number, unknown]> => {
    const { error } = (await response.json()) as {
      error: { code: number; metadata: { custos_code: string } };
    };
    expect(error.code).toBe(response.status);
    return [response.status, error.metadata.custos_code];
  };
  const post = (body: string, type = 'application/json'): Promise<Response> =>
    fetch(`${http.url}/t`, { method: 'POST', body, headers: { 'content-type': type } });

  it('answers a code of the table with its status, message and details', async () => {
    const response = await fetch(`${http.url}/t/spent`);
    expect(response.headers.get('retry-after')).toBe('9');
    expect(await response.json()).toEqual({
      error: {
        code: 402,
        message: 'Nothing left.',
        metadata: { error_type: 'invalid_request', custos_code: 'budget_spent', limit: 5 },
      },
    });
  });

  it('tells a client nothing of an error it does not know', async () => {
    const response = await fetch(`${http.url}/t/canary`);
    const text = await response.text();
    expect([response.status, text.includes('canary')]).toEqual([500, false]);
    expect(text).toContain('internal_error');
  });

  it('has stable codes for what Fastify refuses', async () => {
    expect(await typeOf(await fetch(`${http.url}/nothing`))).toEqual([404, 'route_not_found']);
    expect(await typeOf(await post('{"a":'))).toEqual([400, 'invalid_request']);
    expect(await typeOf(await post('{"__proto__":{"a":1}}'))).toEqual([400, 'invalid_request']);
    expect(await typeOf(await post('x', 'text/weird'))).toEqual([415, 'unsupported_media_type']);
    expect(await typeOf(await post(`"${'x'.repeat(1024 * 1024)}"`))).toEqual([
      413,
      'request_too_large',
    ]);
    expect((await fetch(`${http.url}/t/by/${'x'.repeat(700)}`)).status).toBeGreaterThanOrEqual(400);
    expect((await fetch(`${http.url}/t/by/${'x'.repeat(200)}`)).status).toBe(200);
  });

  it('names all faults of a body', async () => {
    const response = await post('{"a":"x","c":1}');
    const text = await response.text();
    for (const word of ['a:', 'b:', 'c']) expect(text).toContain(word);
  });

  it('drops a head that is too large', async () => {
    const { port } = new URL(http.url);
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), '127.0.0.1', () =>
        socket.write(`GET /t/spent HTTP/1.1\r\nhost: x\r\nx-big: ${'y'.repeat(20_000)}\r\n\r\n`),
      );
      let text = '';
      socket.on('data', (chunk) => (text += String(chunk)));
      socket.on('close', () => resolve(text));
      socket.on('error', reject);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
  });

  it('is live always and ready when every check says so', async () => {
    expect((await fetch(`${http.url}/health/live`)).status).toBe(200);
    expect((await fetch(`${http.url}/health/ready`)).status).toBe(200);
    const off = health.register('log', () => 'does not acknowledge');
    const offOther = health.register('throws', () => Promise.reject(new Error('canary')));
    const response = await fetch(`${http.url}/health/ready`);
    expect([response.status, await response.json()]).toEqual([
      503,
      {
        status: 'not ready',
        reasons: { log: 'does not acknowledge', throws: 'check failed' },
      },
    ]);
    off();
    offOther();
    expect((await fetch(`${http.url}/health/ready`)).status).toBe(200);
  });

  it('is not held up at its end by a connection on which nothing was ever asked', async () => {
    const other = await createHttpApp(ThingsModule, {
      host: '127.0.0.1',
      port: 0,
      logger: new Logger({ app: 'test', level: 'error', write: () => undefined }),
      errors: {},
    });
    const socket = connect(Number(new URL(other.url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    await new Promise<void>((connected) => socket.once('connect', connected));
    expect((await fetch(`${other.url}/health/live`)).status).toBe(200);
    // The socket stays open on our side: were it waited for, this did not end.
    await other.close();
    socket.destroy();
  });

  it('answers by its route, never in Fastify’s words, who comes over an open connection while it ends', async () => {
    const other = await createHttpApp(ThingsModule, {
      host: '127.0.0.1',
      port: 0,
      logger: new Logger({ app: 'test', level: 'error', write: () => undefined }),
      errors: { budget_spent: { status: 402, retryAfterSeconds: 9, meaning: 'Spent.' } },
    });
    const socket = connect(Number(new URL(other.url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    let text = '';
    socket.on('data', (chunk) => (text += String(chunk)));
    const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    const half = 'GET /t/spent HTTP/1.1\r\nhost: x\r\n';
    await new Promise<void>((written) => socket.write(half, () => written()));
    // A request behind it on another connection: by its answer the first half has been read.
    expect((await fetch(`${other.url}/health/live`)).status).toBe(200);
    const closed = other.close();
    socket.write('\r\n');
    await Promise.all([closed, ended]);
    expect(text).toMatch(/^HTTP\/1\.1 402 /);
    expect(text).toContain('budget_spent');
  });
});
