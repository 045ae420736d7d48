import { createHash } from 'node:crypto';
import { DomainError, type WriterId } from '#libs/kernel';
import { EVENT_BYTES_MAX, type EventData, type EventType } from './types.js';

const ZERO_HASH = '0'.repeat(64);

export interface ChainedEvent {
  readonly bytes: Buffer;
  readonly wseq: number;
}

/**
 * One writer's chain: every event carries a dense sequence and the hash of the event before it, so that a
 * record lost or reordered between the writer and the log shows. Not re-entrant by design: JavaScript's
 * single thread is the lock.
 */
export class WriterChain {
  #wseq = 0;
  #previous = ZERO_HASH;
  readonly #source: string;

  constructor(readonly writer: WriterId) {
    this.#source = `//custos/${writer}`;
  }

  /** Throws `event_too_large` before the chain moves: a refused event leaves no hole. */
  next<T extends EventType>(
    type: T,
    subject: string,
    timeMs: number,
    data: EventData[T],
  ): ChainedEvent {
    const wseq = this.#wseq;
    const head =
      `{"specversion":"1.0","id":"${this.writer}.${wseq}","source":"${this.#source}","type":"${type}",` +
      `"subject":${JSON.stringify(subject)},"time":"${new Date(timeMs).toISOString()}",` +
      `"datacontenttype":"application/json","writer":"${this.writer}","wseq":${wseq},` +
      `"wprev":"${this.#previous}","data":`;
    const bytes = Buffer.from(`${head}${JSON.stringify(data)}}`, 'utf8');
    if (bytes.length > EVENT_BYTES_MAX)
      throw new DomainError(
        'event_too_large',
        `event of ${bytes.length} bytes is over the ceiling`,
        { type },
      );
    this.#previous = createHash('sha256').update(bytes).digest('hex');
    this.#wseq = wseq + 1;
    return { bytes, wseq };
  }
}
