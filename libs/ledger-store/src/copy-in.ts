import type { ClientBase, Connection, Submittable } from 'pg';
import { copyData, type Column } from './binary-columns.js';

/** One message of the protocol carries so much: the server takes each into memory whole. */
const MESSAGE_BYTES = 256 * 1_024;
const COPY_DATA = 0x64;
const COPY_DONE = Buffer.from([0x63, 0, 0, 0, 4]);

/** What takes a COPY and its data. */
export interface CopyQueue {
  copy(statement: string, data: Buffer): Promise<void>;
}

/**
 * Adds rows by COPY, in binary: the cheapest way in on both sides. Constraints, triggers and foreign keys hold as for INSERT;
 * there is no `on conflict`. `table` and the columns' names are ours, never of a record.
 */
export async function copyRows<R>(
  queue: CopyQueue,
  table: string,
  columns: readonly Column<R>[],
  rows: readonly R[],
): Promise<void> {
  if (rows.length === 0) return;
  const names = columns.map((c) => c.name).join(', ');
  await queue.copy(`copy ${table} (${names}) from stdin (format binary)`, copyData(columns, rows));
}

/** Sends a COPY and its data. The client must be idle. */
export const copyIn = (client: ClientBase, statement: string, data: Buffer): Promise<void> =>
  new Promise((resolve, reject) => {
    client.query(
      new CopyIn(statement, data, (error) => (error === undefined ? resolve() : reject(error))),
    );
  });

/**
 * What the driver asks of a query that is not one of its own. The data follow the statement at once: where it is refused, the
 * server passes over them.
 */
class CopyIn implements Submittable {
  readonly submit: (connection: Connection) => void;
  /**
   * By this name the driver knows it: under a `query_timeout` it puts one of its own before it, which ends the timer. One that is
   * not called leaves a timer, and with it all the rows, in memory until the time is over.
   */
  callback: (error?: Error) => void;
  #failure: Error | undefined;

  constructor(text: string, data: Buffer, done: (error?: Error) => void) {
    this.callback = done;
    this.submit = (connection) => {
      const { stream } = connection;
      stream.cork();
      connection.query(text);
      for (let at = 0; at < data.length; at += MESSAGE_BYTES) {
        const piece = data.subarray(at, at + MESSAGE_BYTES);
        const head = Buffer.allocUnsafe(5);
        head[0] = COPY_DATA;
        head.writeInt32BE(piece.length + 4, 1);
        stream.write(head);
        stream.write(piece);
      }
      stream.write(COPY_DONE);
      stream.uncork();
    };
  }

  handleCopyInResponse(): void {
    // The data are on their way.
  }

  handleCommandComplete(): void {
    // Ready for the next query is what counts.
  }

  handleError(error: Error): void {
    this.#failure ??= error;
    this.callback(this.#failure);
  }

  handleReadyForQuery(): void {
    this.callback(this.#failure);
  }
}
