import { parentPort, workerData } from 'node:worker_threads';
import type { Endpoint } from '#libs/catalog';
import {
  counterOffer,
  createDecider,
  type CounterOffer,
  type Decider,
  type Mismatch,
} from '#libs/policy';
import { readBuiltInCatalog } from '../snapshots/read-catalog.js';
import type {
  ColdAnswer,
  ColdQuestion,
  ExplainQuestion,
  FromWorker,
  ToWorker,
} from './cold-decider.js';

// Two bundles at a time: requests that began under the old one finish under it.
const DECIDERS_MAX = 2;

const port = parentPort;
if (!port) throw new Error('decision-worker runs as a worker thread');
const { catalogDir, catalogVersion } = workerData as { catalogDir: string; catalogVersion: string };
const catalog = readBuiltInCatalog(catalogDir);
// Endpoints are exchanged by ordinal: files that were swapped in between would make them mean something else.
if (catalog.version !== catalogVersion) throw new Error('the catalog changed while starting');
const deciders = new Map<string, Decider>();
const say = (m: FromWorker): void => port.postMessage(m);
/** Said before the answer of the decision that found it. */
const onMismatch = (mismatch: Mismatch): void => say({ kind: 'mismatch', mismatch });
const ordinalsOf = (endpoints: readonly Endpoint[]): Int32Array =>
  Int32Array.from(endpoints, (e) => e.ordinal);

function answer(decider: Decider, q: ColdQuestion): ColdAnswer {
  const endpoints =
    q.ordinals === 'all' ? catalog.endpoints : Array.from(q.ordinals, (o) => catalog.endpoints[o]!);
  const { ordinals: _, ...asked } = q;
  const d = decider.decide({ ...asked, endpoints });
  return {
    permitted: ordinalsOf(d.permitted),
    permittedBy: d.permittedBy,
    excluded: d.excluded.map((g) => ({
      code: g.code,
      policyIds: g.policyIds,
      ordinals: ordinalsOf(g.endpoints),
    })),
    ...(d.validUntilMs === undefined ? {} : { validUntilMs: d.validUntilMs }),
  };
}

function explain(decider: Decider, q: ExplainQuestion): CounterOffer {
  const { modelId, refused, budgetMs, ...asked } = q;
  // Undefined for `*`: any model would have done.
  const wanted = catalog.models.get(modelId);
  const startedAt = performance.now();
  return counterOffer({
    ...asked,
    decider,
    wanted,
    refused: Array.from(refused, (o) => catalog.endpoints[o]!),
    left: () => 1 - (performance.now() - startedAt) / budgetMs,
  });
}

port.on('message', (m: ToWorker) => {
  if (m.kind === 'bundle') {
    try {
      if (!deciders.has(m.bundle.version))
        deciders.set(m.bundle.version, createDecider(m.bundle, catalog, { onMismatch }));
    } catch {
      // Questions under it are answered with a fault (503): streams under way must not end for a bad bundle.
      return;
    }
    for (const version of deciders.keys()) {
      if (deciders.size <= DECIDERS_MAX) break;
      if (version !== m.bundle.version) deciders.delete(version);
    }
    say({ kind: 'ready', bundleVersion: m.bundle.version });
    return;
  }
  const decider = deciders.get(m.bundleVersion);
  if (!decider) {
    say({ kind: 'fault', id: m.id, fault: 'unknown bundle version' });
    return;
  }
  try {
    const said = m.kind === 'decide' ? answer(decider, m.question) : explain(decider, m.question);
    say({ kind: 'answer', id: m.id, answer: said });
  } catch (error) {
    say({ kind: 'fault', id: m.id, fault: error instanceof Error ? error.name : 'unknown' });
  }
});
