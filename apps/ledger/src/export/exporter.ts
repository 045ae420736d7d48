import { Readable } from 'node:stream';
import { DomainError, type Clock } from '#libs/kernel';
import { ExportSnapshot } from '#libs/ledger-store';
import type { TransparencyLog } from '../checkpoint/transparency-log.js';
import type { LedgerAppErrorCode } from '../ledger.errors.js';
import { exportFiles, type ExportQuestion } from './export-files.js';
import { tar } from './tar.js';

/** Each holds a connection and a snapshot for as long as its reader takes. */
const EXPORTS_MAX = 2;
/** The database ends a snapshot that is idle for so long; a place must not be held for a reader who has gone to sleep. */
const STALL_MS = 5 * 60_000;
/** Small pieces are gathered: an archive of millions of lines must not be millions of writes. */
const CHUNK_BYTES = 64 * 1024;

/** Makes exports of the log and the books as tar streams. */
export class Exporter {
  #running = 0;

  constructor(
    private readonly databaseUrl: string,
    private readonly tree: TransparencyLog,
    private readonly clock: Clock,
    private readonly stallMs = STALL_MS,
  ) {}

  /**
   * The archive as a stream; however it ends, the snapshot ends with it. Throws `export_busy` at once where there is no
   * room, or nothing to export yet.
   */
  async export(question: ExportQuestion): Promise<Readable> {
    if (this.#running >= EXPORTS_MAX)
      throw busy('Other exports are under way: this process serves two at once.');
    this.#running++;
    try {
      const checkpoint = await this.tree.believed();
      if (checkpoint === undefined) throw busy('There is no checkpoint yet that can be believed.');
      // After the checkpoint: the snapshot then holds every leaf that it covers.
      const snapshot = await ExportSnapshot.open(this.databaseUrl);
      const files = exportFiles(snapshot, this.tree, checkpoint, question);
      const chunks = gathered(tar(files, this.clock.nowMs()));
      const taken = whileTaken(chunks, this.stallMs, () => stream.destroy());
      const stream: Readable = Readable.from(taken, { objectMode: false });
      return stream.once('close', () => {
        this.#running--;
        void snapshot.close();
      });
    } catch (error) {
      this.#running--;
      throw error;
    }
  }
}

/** Calls `stop` where nobody takes the next chunk for so long, the first one included. */
function whileTaken(
  chunks: AsyncIterable<Uint8Array>,
  stallMs: number,
  stop: () => void,
): AsyncGenerator<Uint8Array> {
  const waiting = (): NodeJS.Timeout => setTimeout(stop, stallMs).unref();
  let timer = waiting();
  return (async function* () {
    clearTimeout(timer);
    try {
      for await (const chunk of chunks) {
        timer = waiting();
        yield chunk;
        clearTimeout(timer);
      }
    } finally {
      clearTimeout(timer);
    }
  })();
}

async function* gathered(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    held.push(chunk);
    bytes += chunk.length;
    if (bytes < CHUNK_BYTES) continue;
    yield Buffer.concat(held);
    held = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(held);
}

const busy = (message: string): DomainError =>
  new DomainError<LedgerAppErrorCode>('export_busy', message);
