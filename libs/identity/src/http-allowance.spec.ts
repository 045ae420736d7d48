import { afterEach, describe, expect, it } from '@jest/globals';
import { createServer, type RequestListener, type Server } from 'node:http';
import { encodeLeaseAnswer, HttpAllowance, leaseRequestSchema } from './http-allowance.js';

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

describe('HttpAllowance', () => {
  it('asks with exact amounts and the token, and reads a grant', async () => {
    const asked: unknown[] = [];
    const allowance = await ledger((request, response) => {
      void (async () => {
        let body = '';
        for await (const chunk of request) body += String(chunk);
        const parsed = leaseRequestSchema.parse(JSON.parse(body));
        asked.push([request.url, request.headers.authorization, parsed]);
        const lease = { leaseId: 'l-1', scope: parsed.scope, grantedPicoUsd: parsed.wantedPicoUsd };
        response.end(JSON.stringify(encodeLeaseAnswer({ granted: true, lease })));
      })();
    });
    const wanted = 2n ** 80n;
    expect(await allowance.lease('w-1', scope, 5n, wanted)).toEqual({
      granted: true,
      lease: { leaseId: 'l-1', scope, grantedPicoUsd: wanted },
    });
    expect(asked).toEqual([
      [
        '/internal/v1/leases',
        'Bearer internal-token-of-16',
        { writer: 'w-1', scope, neededPicoUsd: 5n, wantedPicoUsd: wanted },
      ],
    ]);
  });

  it('reads a refusal', async () => {
    const refusal = {
      granted: false,
      remainingPicoUsd: 1n,
      limitPicoUsd: 10n,
      heldPicoUsd: 9n,
    } as const;
    const allowance = await ledger((_request, response) =>
      response.end(JSON.stringify(encodeLeaseAnswer(refusal))),
    );
    expect(await allowance.lease('w', scope, 5n, 5n)).toEqual(refusal);
  });

  it.each<[string, RequestListener]>([
    ['an error status', (_q, r) => r.writeHead(500).end('{}')],
    ['no JSON', (_q, r) => r.end('<html>')],
    ['an amount as number', (_q, r) => r.end('{"granted":true,"lease":{"grantedPicoUsd":5}}')],
    ['silence', () => undefined],
    ['a reset', (q) => q.socket.destroy()],
  ])('says allowance_unavailable at %s', async (_what, listener) => {
    const allowance = await ledger(listener);
    await expect(allowance.lease('w', scope, 1n, 1n)).rejects.toMatchObject({
      code: 'allowance_unavailable',
    });
  });
});
