import { parentPort, workerData } from 'node:worker_threads';
import { readBuiltInCatalog } from '../snapshots/read-catalog.js';
import { DecisionDesk } from './decision-desk.js';

const port = parentPort;
if (!port) throw new Error('decision-worker runs as a worker thread');
const { catalogDir, catalogVersion } = workerData as { catalogDir: string; catalogVersion: string };
const catalog = readBuiltInCatalog(catalogDir);
// Endpoints are exchanged by ordinal: files that were swapped in between would make them mean something else.
if (catalog.version !== catalogVersion) throw new Error('the catalog changed while starting');
const desk = new DecisionDesk(catalog, (m) => port.postMessage(m));
port.on('message', desk.hear);
