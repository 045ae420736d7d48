/** Closed set of codes with which the embedded PostgreSQL refuses to start. */
export type EmbeddedPostgresErrorCode =
  | 'data_directory_in_use'
  | 'data_directory_unreachable'
  | 'postgres_not_installed'
  | 'postgres_no_user'
  | 'postgres_failed';
