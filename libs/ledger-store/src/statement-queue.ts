import type { ClientBase, QueryConfig, QueryResult, QueryResultRow } from 'pg';
import { copyIn, type CopyQueue } from './copy-in.js';

/** What takes a statement: a client, a pool, a queue of statements. */
export interface Statements {
  query<R extends QueryResultRow>(
    said: string | QueryConfig,
    values?: unknown[],
  ): Promise<QueryResult<R>>;
}

/**
 * The statements of one transaction, sent in the order in which they were said, each when the one before it has been answered: what
 * they carry is made while the database works on those ahead. (The driver's own queue is to go with its version 9.) The first that fails
 * is the last that is sent: those behind it fail with its error.
 */
export class StatementQueue implements Statements, CopyQueue {
  #last: Promise<unknown> = Promise.resolve();
  #closed: { readonly reason: unknown } | undefined;

  constructor(private readonly client: ClientBase) {}

  query<R extends QueryResultRow>(
    said: string | QueryConfig,
    values?: unknown[],
  ): Promise<QueryResult<R>> {
    return this.#behind(() => this.client.query<R>(said, values));
  }

  /** `data` as `COPY … FROM STDIN` reads them. */
  copy(statement: string, data: Buffer): Promise<void> {
    return this.#behind(() => copyIn(this.client, statement, data));
  }

  /** What was not sent yet never will be, and fails with `reason`. Resolves once nothing is under way any more. */
  async close(reason: unknown): Promise<void> {
    this.#closed ??= { reason };
    await this.#last.catch(() => undefined);
  }

  #behind<T>(send: () => Promise<T>): Promise<T> {
    const answer = this.#last.then(() => {
      if (this.#closed !== undefined) throw this.#closed.reason;
      return send();
    });
    // Nobody need listen to each: what fails stops those behind it, and the commit is always one of them.
    answer.catch(() => undefined);
    this.#last = answer;
    return answer;
  }
}
