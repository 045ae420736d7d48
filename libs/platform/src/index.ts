// What every process needs and no domain knows: config, logging, telemetry, health, snapshots, shutdown,
// migrations, the embedded PostgreSQL.
export { SnapshotSource } from './snapshot-source.js';
export type { Snapshot } from './snapshot-source.js';
export { isStale } from './snapshot-listeners.js';
export { InProcessSnapshotSource } from './in-process-snapshot-source.js';
export { HttpSnapshotSource } from './http-snapshot-source.js';
export type { HttpSnapshotOptions, SnapshotFault } from './http-snapshot-source.js';
export { serveSnapshot } from './serve-snapshot.js';
export { parseConfig, variable } from './config.js';
export type { Environment } from './config.js';
export { ConfigError } from './errors.js';
export type { PlatformErrorCode } from './errors.js';
export { describeError, LOG_LEVELS, Logger } from './logger.js';
export type { LogFields, LogLevel } from './logger.js';
export { Lifecycle, runMain } from './lifecycle.js';
export { HealthRegistry } from './health.js';
export { HealthModule } from './health.module.js';
export { createHttpApp } from './http-app.js';
export type { HttpApp, HttpAppOptions } from './http-app.js';
export { errorResponse, PLATFORM_ERRORS } from './error-response.js';
export type { ErrorResponse, ErrorTable } from './error-response.js';
export { bearerToken, InternalTokenGuard } from './internal-token.guard.js';
export { CONNECT_TIMEOUT_MS, openPool, runMigrations } from './postgres.js';
export { HotCounter, HotHistogram, HotMetrics } from './hot-metrics.js';
export type { HotInstrument } from './hot-metrics.js';
export { startTelemetry } from './telemetry.js';
export type { Telemetry, TelemetryOptions } from './telemetry.js';
export { portsToKeep } from './kept-ports.js';
export { knownAppUrl } from './embedded-postgres/access.js';
export { lockDirectory } from './embedded-postgres/directory-lock.js';
export type { DirectoryLock } from './embedded-postgres/directory-lock.js';
export { startEmbeddedPostgres } from './embedded-postgres/embedded-postgres.js';
export type {
  EmbeddedPostgres,
  EmbeddedPostgresOptions,
} from './embedded-postgres/embedded-postgres.js';
export { MappedSnapshotSource } from './mapped-snapshot-source.js';
export { parseRequest } from './parse-request.js';
export { packageRoot } from './package-root.js';
