// The decision worker with a compiled evaluator that lacks a rule: started by its spec as a worker thread of its own.
import { parentPort, workerData } from 'node:worker_threads';
import { buildBundle, compiledFormOf, createDecider } from '#libs/policy';
import { readBuiltInCatalog } from '../snapshots/read-catalog.js';
import { DecisionDesk } from './decision-desk.js';

const MISSING = 'base.no-training';

const catalog = readBuiltInCatalog((workerData as { catalogDir: string }).catalogDir);
const desk = new DecisionDesk(
  catalog,
  (m) => parentPort!.postMessage(m),
  (bundle, of, options) => {
    const { [MISSING]: _, ...policies } = bundle.policies;
    const built = buildBundle({ policies, schema: bundle.schema });
    const compiled = built.ok ? compiledFormOf(built.bundle) : undefined;
    if (compiled === undefined) throw new Error('the planted evaluator cannot be made');
    return createDecider(bundle, of, { ...options, compiled });
  },
);
parentPort!.on('message', desk.hear);
