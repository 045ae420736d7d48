import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PolicyStage, secrets, TOKEN } from './policy-stage.spec-support.js';

interface Snapshot {
  readonly compiledDistrusted?: true;
}
interface Evaluator {
  readonly evaluator: string;
  readonly findings: readonly { readonly trusted: boolean; readonly actor: string }[];
}
const MISMATCHES = '/internal/v1/evaluator/mismatches';
const TRUST = '/policy/v1/evaluator/trust';

describe('a finding against the compiled evaluator', () => {
  let stage: PolicyStage;
  let version: string;

  beforeAll(async () => {
    stage = await PolicyStage.open();
    version = stage.service.bundle.version;
  }, 120_000);
  afterAll(() => stage?.close());

  const now = async (): Promise<Evaluator> =>
    (await stage.get<Evaluator>('/policy/v1/evaluator')).body;
  const snapshot = async () => {
    const answered = await stage.ask('/internal/v1/snapshots/policy', TOKEN);
    const body = (await answered.json()) as Snapshot;
    return { etag: answered.headers.get('etag') ?? '', distrusted: body.compiledDistrusted };
  };
  const found = (over: object = {}, bearer = TOKEN) =>
    stage.post(
      MISMATCHES,
      {
        policyVersion: version,
        catalogVersion: 'sha256:catalog',
        endpointId: 'openai:gpt-4o-mini:global:default',
        foundBy: 'ingress',
        ...over,
      },
      bearer,
    );
  const records = () =>
    stage.log.said.filter((s) => JSON.stringify(s.data).includes('"evaluator.'));

  it('is taken from our own processes only, on a bundle that there is', async () => {
    expect((await found({}, secrets.admin)).status).toBe(401);
    expect((await found({ policyVersion: `sha256:${'0'.repeat(64)}` })).status).toBe(404);
    expect((await found({ question: 'what was asked' })).status).toBe(400);
    expect(await now()).toMatchObject({ evaluator: 'compiled', findings: [] });
    expect((await snapshot()).distrusted).toBeUndefined();
  });

  it('is recorded once, and every process is told by the snapshot', async () => {
    const before = await snapshot();
    expect((await found()).status).toBe(200);
    expect((await found()).status).toBe(200);
    expect(await now()).toMatchObject({
      evaluator: 'cedar-wasm',
      findings: [{ trusted: false, actor: 'system:ingress' }],
    });
    const after = await snapshot();
    expect([after.distrusted, after.etag === before.etag]).toEqual([true, false]);
    expect(records().map((r) => r.data)).toMatchObject([
      { change: 'evaluator.distrusted', subject: version, actor: 'system:ingress' },
    ]);
  });

  it('outlives the process, but not the version of the software', async () => {
    await stage.stop();
    await stage.start(undefined, { software: 'another' });
    expect((await snapshot()).distrusted).toBeUndefined();
    await stage.stop();
    await stage.start();
    expect((await snapshot()).distrusted).toBe(true);
    expect((await now()).evaluator).toBe('cedar-wasm');
  }, 60_000);

  it('is cleared by an operator who says why, on record', async () => {
    const body = { version, reason: 'mended in the catalog' };
    expect((await stage.post(TRUST, body, secrets.inference)).status).toBe(403);
    expect((await stage.post(TRUST, { version }, secrets.admin)).status).toBe(400);
    expect((await stage.post(TRUST, body, secrets.admin)).status).toBe(200);
    expect((await snapshot()).distrusted).toBeUndefined();
    expect(await now()).toMatchObject({ evaluator: 'compiled', findings: [{ trusted: true }, {}] });
    expect(records().at(-1)?.data).toMatchObject({
      change: 'evaluator.trusted',
      actor: 'key:k-admin',
      values: { reason: 'mended in the catalog' },
    });
  });

  it('of this process’s own deciders is recorded as well', async () => {
    stage.service.foundMismatch({
      policyVersion: version,
      catalogVersion: 'sha256:catalog',
      endpointId: 'x',
    });
    const until = Date.now() + 30_000;
    while ((await snapshot()).distrusted !== true && Date.now() < until)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await now()).toMatchObject({
      findings: [{ trusted: false, actor: 'system:policy' }, {}, {}],
    });
  }, 60_000);
});
