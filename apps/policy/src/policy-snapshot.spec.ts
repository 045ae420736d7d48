// What the data plane believes of what it polls: nothing that is not signed, of its version, and whole.
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { exportJWK, generateKeyPair } from 'jose';
import { HttpSnapshotSource, type SnapshotFault } from '#libs/platform';
import {
  PolicyReader,
  signBundle,
  signException,
  versionInForce,
  type PolicyInForce,
  type PolicyPublicKey,
  type PolicySigningKey,
} from '#libs/policy';
import { PolicyStage, TOKEN } from './policy-stage.spec-support.js';

interface Published {
  version: string;
  policies: Record<string, string>;
  schema: string;
  signature: string;
  exceptions: string[];
  exceptionsEpoch: string;
  keys: PolicyPublicKey[];
}

/** Stands between the policy engine and its reader, and says what it was told to. */
class Liar {
  readonly #server: Server;
  says: (published: Published) => Published | Promise<Published> = (published) => published;
  #etag = 0;

  constructor(private readonly published: Published) {
    this.#server = createServer((_req, res) => {
      void this.#answer(res);
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(res: ServerResponse): Promise<void> {
    const body = await this.says(this.published);
    this.#etag += 1;
    res.setHeader('etag', `"lie-${this.#etag}"`);
    res.end(JSON.stringify(body));
  }
}

describe('a reader of the policy snapshot', () => {
  let stage: PolicyStage;
  let liar: Liar;
  let source: HttpSnapshotSource<PolicyInForce>;
  let pinned: HttpSnapshotSource<PolicyInForce>;
  let stranger: PolicySigningKey;
  const faults: SnapshotFault[] = [];

  beforeAll(async () => {
    stage = await PolicyStage.open();
    // Asked once: a poll under way when the stage closes must not fail these specs.
    const answer = await fetch(`${stage.http.url}/internal/v1/snapshots/policy`, {
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    liar = new Liar((await answer.json()) as Published);
    const url = await liar.listen();
    const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
    stranger = (await exportJWK(privateKey)) as PolicySigningKey;
    const read = (reader: PolicyReader) =>
      new HttpSnapshotSource({
        url,
        token: TOKEN,
        pollMs: 5,
        timeoutMs: 5_000,
        decode: (json) => reader.decode(json),
        onFault: (fault) => faults.push(fault),
      });
    source = read(new PolicyReader()).start();
    await source.ready(AbortSignal.timeout(50_000));
    pinned = read(new PolicyReader([stranger]));
  });
  afterAll(async () => {
    await source?.close();
    await pinned?.close();
    liar?.close();
    await stage?.close();
  });
  beforeEach(() => {
    liar.says = (published) => published;
  });

  /** What the reader says of the lie; the good snapshot must stay. */
  async function refusalOf(says: Liar['says']): Promise<string> {
    const before = source.current()!;
    faults.length = 0;
    liar.says = says;
    while (!faults.some((f) => f.kind === 'invalid'))
      await new Promise((resolve) => setTimeout(resolve, 5));
    expect(source.current()!.value).toBe(before.value);
    const fault = faults.find((f) => f.kind === 'invalid');
    return fault?.kind === 'invalid' ? fault.reason : '';
  }

  it('takes what the engine has signed', () => {
    expect(versionInForce(source.current()!.value)).toBe(stage.service.bundle.version);
  });

  it('keeps the good one where a rule was taken out', async () => {
    const without = (p: Published): Published => {
      const { 'base.no-training': _, ...policies } = p.policies;
      return { ...p, policies };
    };
    expect(await refusalOf(without)).toMatch(/contents have version/);
  });

  it('keeps it where the version was made to fit, for the signature does not', async () => {
    const { buildBundle } = await import('#libs/policy');
    const refitted = async (p: Published, key?: PolicySigningKey): Promise<Published> => {
      const { 'base.no-training': _, ...policies } = p.policies;
      const built = buildBundle({ policies, schema: p.schema });
      if (!built.ok) throw new Error('the lie is no bundle');
      const { version } = built.bundle;
      const statement = { version, approvedBy: 'key:k', approvedAt: '2026-11-21T10:00:00.000Z' };
      const signature = key === undefined ? p.signature : await signBundle(statement, key);
      const { kty, crv, x } = stranger;
      return { ...p, policies, version, signature, keys: [{ kty, crv, x }] };
    };
    expect(await refusalOf((p) => refitted(p))).toMatch(/another version/);
    // A stranger's signature does not help, not even with the stranger's key beside it.
    expect(await refusalOf((p) => refitted(p, stranger))).toMatch(/no known key/);
  });

  it('keeps it where the signature is spoilt, missing, or one of another kind', async () => {
    expect(
      await refusalOf((p) => ({ ...p, signature: `${p.signature.slice(0, -4)}AAAA` })),
    ).toMatch(/no known key/);
    expect(await refusalOf((p) => ({ ...p, signature: '' }))).toMatch(/no known key/);
  });

  it('believes no exception that a stranger has signed, and none that is left out of the epoch', async () => {
    const forged = await signException(
      {
        id: 'exc-1',
        policies: ['base.no-training'],
        scope: { kind: 'key', id: 'k-user' },
        requestedBy: 'key:a',
        approvedBy: 'key:b',
        ticket: 'T-1',
        expiresAt: '2030-01-01T00:00:00.000Z',
      },
      stranger,
    );
    expect(await refusalOf((p) => ({ ...p, exceptions: [forged] }))).toMatch(/no known key/);
    expect(await refusalOf((p) => ({ ...p, exceptionsEpoch: 'sha256:1' }))).toMatch(
      /exceptionsEpoch/,
    );
  });

  it('with a key pinned reads nothing that another key has signed', async () => {
    faults.length = 0;
    pinned.start();
    while (!faults.some((f) => f.kind === 'invalid'))
      await new Promise((resolve) => setTimeout(resolve, 5));
    expect(pinned.current()).toBeUndefined();
  });
});
