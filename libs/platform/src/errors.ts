import { DomainError } from '#libs/kernel';

/** Closed set of this lib's error codes. */
export type PlatformErrorCode =
  | 'config_invalid'
  | 'migration_failed'
  | 'snapshot_unavailable'
  | 'snapshot_stale'
  | 'unauthenticated'
  | 'invalid_request'
  | 'not_implemented';

export interface ConfigFault {
  readonly variable: string;
  readonly problem: string;
}

/** All faults of a configuration at once. Names variables and what was expected, never a value: it may be a secret. */
export class ConfigError extends DomainError<'config_invalid'> {
  constructor(readonly faults: readonly ConfigFault[]) {
    super('config_invalid', faults.map((f) => `${f.variable}: ${f.problem}`).join('\n'));
    this.name = 'ConfigError';
  }
}
