import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { AppendReceipt, EventAppender } from '#libs/audit-log';
import {
  Allowance,
  LeaseBook,
  type LeaseAnswer,
  type LeaseQuestion,
  type Principal,
} from '#libs/identity';
import { DomainError, SystemClock } from '#libs/kernel';
import { packageRoot } from '#libs/platform';
import type { Verdict } from '../decide/verdict.js';
import { readBuiltInCatalog } from '../snapshots/read-catalog.js';
import { KeyedDigest } from './keyed-digest.js';
import { Lanes } from './lanes.js';
import { Completions, type CompleteDeps } from './complete.js';
import { OncePerWriter } from './once-per-writer.js';
import { RunRegistry } from './run-registry.js';

const GRANTED = 10n ** 15n;
const catalog = readBuiltInCatalog(
  join(packageRoot(import.meta.dirname), 'libs', 'catalog', 'data'),
);
const endpoints = catalog.endpoints.filter((e) => e.price !== undefined);
const model = catalog.models.get(endpoints[0]!.modelId)!;
const permitted = catalog.endpointsOf(model.id);
const verdict = {
  decision: { policyVersion: 'p', catalogVersion: catalog.version, permitted, excluded: [] },
  digest: 'sha256:v',
  record: {},
  reasons: [],
  excludedCount: 0,
} as unknown as Verdict;
const principal = {
  organisation: { id: 'org' },
  workspace: { id: 'ws', strategy: 'balanced' },
  key: {
    id: 'key',
    limitPicoUsd: GRANTED,
    defaults: { dataClass: 'internal', dataTags: [], subjectRegions: [], purpose: 'test' },
  },
  budgeted: true,
} as unknown as Principal;

class OneLease extends Allowance {
  override async lease({ leaseId, scope }: LeaseQuestion): Promise<LeaseAnswer> {
    return {
      granted: true,
      lease: { leaseId, scope, grantedPicoUsd: GRANTED, period: 'lifetime', usableForMs: null },
    };
  }
}

describe('Completions, between the hold and the acknowledgement', () => {
  const clock = new SystemClock();
  let leases: LeaseBook;
  let runs: RunRegistry;
  let said: string[];
  let faults: string[];
  let appendAll: () => Promise<AppendReceipt>;
  let slice: () => unknown;
  let who: Principal;

  beforeEach(() => {
    leases = new LeaseBook('writer', new OneLease());
    runs = new RunRegistry(clock, { keepAliveMs: 1e6, progressMs: 1e6, readerIdleMs: 1e6 });
    who = principal;
    said = [];
    faults = [];
    slice = () => ({ digest: 'sha256:h', record: () => ({}) });
  });

  const complete = async (): Promise<number> => {
    const audit = {
      accepting: true,
      append: async (type: string) => void said.push(type),
      appendAll: () => appendAll(),
    };
    const lane = {
      ledgerId: 'main',
      audit: audit as unknown as EventAppender,
      said: new OncePerWriter(),
      leases,
    };
    const deps = {
      clock,
      catalog,
      authenticator: { authenticate: () => ({ ok: true, principal: who }), version: 'k' },
      decisions: { decide: () => verdict },
      available: {
        of: () => permitted,
        target: () => ({ simulated: true }),
        providersOf: () => undefined,
      },
      health: {
        snapshot: () => ({ version: 'h', takenAtMs: 0, endpoints: new Map() }),
        disabled: () => new Set(),
        slice: () => slice(),
      },
      lanes: new Lanes([lane]),
      runs,
      digest: new KeyedDigest(Buffer.alloc(32)),
      limits: { jsonDepthMax: 64, holdOutputTokensMax: 100, retryAfterSeconds: 2 },
      count: () => undefined,
      onInternalFault: (error: Error) => void faults.push(error.message),
      run: { clock, onClosed: (run: never) => runs.remove(run) },
    } as unknown as CompleteDeps;
    const req = new IncomingMessage(new Socket());
    const res = new ServerResponse(req);
    const body = { model: model.id, messages: [{ role: 'user', content: 'hi' }] };
    await new Completions(deps).complete(req, res, Buffer.from(JSON.stringify(body)));
    return res.statusCode;
  };

  it('a fault of ours kept the lease and the run for ever', async () => {
    slice = () => {
      throw new Error('planted');
    };
    expect(await complete()).toBe(500);
    expect(faults).toEqual(['planted']);
    expect(runs.size).toBe(0);
    expect(leases.totals().roomPicoUsd).toBe(GRANTED);
    expect(leases.giveBackAll()).toEqual([expect.stringMatching(/^lease-/)]);
  });

  it('preferences too long to be recorded were told as an internal fault', async () => {
    appendAll = () => Promise.reject(new DomainError('event_too_large', 'over the ceiling'));
    expect(await complete()).toBe(400);
    expect(leases.totals().roomPicoUsd).toBe(GRANTED);
    expect(said).toEqual([]);
  });

  it('keeps the hold and closes the generation where the record may still land', async () => {
    appendAll = () => Promise.reject(new DomainError('log_unavailable', 'late'));
    expect(await complete()).toBe(503);
    expect(runs.size).toBe(0);
    expect(leases.totals().roomPicoUsd).toBeLessThan(GRANTED);
    expect(said).toEqual(['custos.generation.closed.v1']);
  });

  it('turns away whose ledger another gateway serves, and records nothing', async () => {
    const elsewhere = { ...principal, organisation: { id: 'org', ledgerId: 'bank' } };
    who = elsewhere as unknown as Principal;
    expect(await complete()).toBe(421);
    expect(said).toEqual([]);
    expect(runs.size).toBe(0);
  });
});
