import { afterEach, describe, expect, it } from '@jest/globals';
import { createServer, type RequestListener, type Server } from 'node:http';
import { encodeLeaseAnswer, HttpAllowance, leaseRequestSchema } from './http-allowance.js';
import type { LeaseAnswer } from './types.js';

let server: Server | undefined;

async function ledger(listener: RequestListener): Promise<HttpAllowance> {
  server = createServer(listener);
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return new HttpAllowance({
    ledgerUrl: `http://127.0.0.1:${port}/`,
    token: 'internal-token-of-16',
    deadlineMs: 200,
  });
}

afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
  server = undefined;
});

const scope = { scope: 'key', id: 'k-1' } as const;
const ask = (neededPicoUsd: bigint, wantedPicoUsd: bigint) => ({
  leaseId: 'l-1',
  writer: 'w-1',
  scope,
  neededPicoUsd,
  wantedPicoUsd,
});
const granted = (leaseId: string, grantedPicoUsd: bigint): LeaseAnswer => ({
  granted: true,
  lease: { leaseId, scope, grantedPicoUsd, period: '2026-11-21', usableForMs: 1_500 },
});

describe('HttpAllowance', () => {
  it('asks with exact amounts and the token, and reads a grant', async () => {
    const asked: unknown[] = [];
    const allowance = await ledger((request, response) => {
      void (async () => {
        let body = '';
        for await (const chunk of request) body += String(chunk);
        const parsed = leaseRequestSchema.parse(JSON.parse(body));
        asked.push([request.url, request.headers.authorization, parsed]);
        response.end(
          JSON.stringify(encodeLeaseAnswer(granted(parsed.leaseId, parsed.wantedPicoUsd))),
        );
      })();
    });
    const wanted = 2n ** 80n;
    expect(await allowance.lease(ask(5n, wanted))).toEqual(granted('l-1', wanted));
    expect(asked).toEqual([
      ['/internal/v1/leases', 'Bearer internal-token-of-16', ask(5n, wanted)],
    ]);
  });

  it('reads a refusal', async () => {
    const refusal = {
      granted: false,
      remainingPicoUsd: 1n,
      limitPicoUsd: 10n,
      heldPicoUsd: 9n,
      boundBy: 'credit',
    } as const;
    const allowance = await ledger((_request, response) =>
      response.end(JSON.stringify(encodeLeaseAnswer(refusal))),
    );
    expect(await allowance.lease(ask(5n, 5n))).toEqual(refusal);
  });

  it.each<[string, RequestListener]>([
    ['an error status', (_q, r) => r.writeHead(500).end('{}')],
    ['no JSON', (_q, r) => r.end('<html>')],
    ['an amount as number', (_q, r) => r.end('{"granted":true,"lease":{"grantedPicoUsd":5}}')],
    ['another lease', (_q, r) => r.end(JSON.stringify(encodeLeaseAnswer(granted('l-2', 1n))))],
    ['silence', () => undefined],
    ['a reset', (q) => q.socket.destroy()],
  ])('says allowance_unavailable at %s', async (_what, listener) => {
    const allowance = await ledger(listener);
    await expect(allowance.lease(ask(1n, 1n))).rejects.toMatchObject({
      code: 'allowance_unavailable',
    });
  });
});
