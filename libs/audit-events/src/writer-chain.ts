import { hash } from 'node:crypto';
import { DomainError, type WriterId } from '#libs/kernel';
import { EVENT_BYTES_MAX, type EventData, type EventType } from './types.js';

/** `wprev` of a chain's first event. */
export const CHAIN_START_HASH = '0'.repeat(64);

export interface ChainedEvent {
  readonly bytes: Buffer;
  readonly wseq: number;
}

/** A place in a chain: the sequence number to be given next and the hash it will name. */
export interface ChainMark {
  readonly wseq: number;
  readonly previous: string;
}

/**
 * One writer's chain: every event carries a dense sequence and the hash of the event before it, so that a
 * record lost or reordered between the writer and the log shows. Not re-entrant by design: JavaScript's
 * single thread is the lock.
 */
export class WriterChain {
  #wseq = 0;
  #previous = CHAIN_START_HASH;
  #timeMs = Number.NaN;
  #time = '';
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
    if (timeMs !== this.#timeMs) {
      this.#timeMs = timeMs;
      this.#time = new Date(timeMs).toISOString();
    }
    const text =
      `{"specversion":"1.0","id":"${this.writer}.${wseq}","source":"${this.#source}","type":"${type}",` +
      `"subject":${JSON.stringify(subject)},"time":"${this.#time}",` +
      `"datacontenttype":"application/json","writer":"${this.writer}","wseq":${wseq},` +
      `"wprev":"${this.#previous}","data":${JSON.stringify(data)}}`;
    const bytes = Buffer.from(text, 'utf8');
    if (bytes.length > EVENT_BYTES_MAX)
      throw new DomainError(
        'event_too_large',
        `event of ${bytes.length} bytes is over the ceiling`,
        { type },
      );
    this.#previous = hash('sha256', bytes, 'hex');
    this.#wseq = wseq + 1;
    return { bytes, wseq };
  }

  mark(): ChainMark {
    return { wseq: this.#wseq, previous: this.#previous };
  }

  /** Takes back events made since the mark; only right while none of their bytes has left this process. */
  rewind(mark: ChainMark): void {
    this.#wseq = mark.wseq;
    this.#previous = mark.previous;
  }
}
