// What every process needs and no domain knows: config, logging, telemetry, health, snapshots, shutdown,
// migrations, the embedded PostgreSQL.
export { SnapshotSource } from './snapshot-source.js';
export type { Snapshot } from './snapshot-source.js';
