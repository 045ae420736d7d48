// A ledger with months behind it: writers whose clocks say what a spec wants, months that close when it says so.
import pg from 'pg';
import {
  decodeEvent,
  TOPICS,
  type AttemptOutcome,
  type EventData,
  type EventType,
  type GenerationOpened,
  type UsageData,
} from '#libs/audit-events';
import { AuditWriter } from '#libs/audit-log';
import { mintGenerationId, SystemClock } from '#libs/kernel';
import { BooksInMemory } from '#libs/ledger';
import { Logger } from '#libs/platform';
import {
  attemptRef,
  closedData,
  completed,
  openedData,
} from '../../../../test/support/ledger-events.js';
import { LedgerStage } from '../ledger-stage.spec-support.js';
import type { InvoiceDocument } from './invoice-document.js';
import { InvoiceIssuer } from './invoice-issuer.js';

const APPEND = 500;

class SetClock extends SystemClock {
  at = '';
  override nowMs(): number {
    return Date.parse(this.at);
  }
}

/** What a generation of a spec is, beyond the defaults. */
export interface Used {
  /** When it ended. */
  readonly at: string;
  /** When the records were written; default: when it ended. */
  readonly saidAt?: string;
  readonly usage?: UsageData;
  readonly opened?: Partial<GenerationOpened>;
}

export const tokens = (inputTokens: number, outputTokens = 0): UsageData => ({
  inputTokens,
  outputTokens,
  basis: 'reported',
});

export class StatementsStage {
  readonly #clock = new SetClock();
  readonly #voices: AuditWriter[] = [];

  private constructor(
    readonly ledger: LedgerStage,
    readonly pool: pg.Pool,
    private readonly ingress: AuditWriter,
    private readonly control: AuditWriter,
    private readonly voice: AuditWriter,
    clock: SetClock,
  ) {
    this.#clock = clock;
  }

  static async open(): Promise<StatementsStage> {
    const ledger = await LedgerStage.open();
    await ledger.startLedger();
    const pool = new pg.Pool({ connectionString: ledger.database.appUrl, max: 4 });
    pool.on('error', () => undefined);
    const clock = new SetClock();
    clock.at = '2025-10-01T00:00:00.000Z';
    const writers: AuditWriter[] = [];
    for (const [topic, app] of [
      [TOPICS.audit, 'ingress'],
      [TOPICS.control, 'control'],
      [TOPICS.ledger, 'ledger'],
    ] as const) {
      const writer = new AuditWriter({ log: ledger.log, topic, app, clock });
      await writer.start();
      writers.push(writer);
    }
    const [ingress, control, voice] = writers as [AuditWriter, AuditWriter, AuditWriter];
    return new StatementsStage(ledger, pool, ingress, control, voice, clock);
  }

  async close(): Promise<void> {
    for (const writer of [this.ingress, this.control, this.voice, ...this.#voices])
      await writer.stop();
    await this.pool.end();
    await this.ledger.close();
  }

  /** Generations, a few hundred records per append. Returns their ids. */
  async used(...all: readonly Used[]): Promise<readonly string[]> {
    const ids: string[] = [];
    for (let i = 0; i < all.length; i += APPEND) {
      const events = all.slice(i, i + APPEND).flatMap((one) => {
        const { at, usage = tokens(100, 50), opened = {} } = one;
        const id = mintGenerationId(Date.parse(at));
        ids.push(id);
        const versions = { ...openedData(id).versions, priceBook: this.ledger.book.version };
        this.#clock.at = one.saidAt ?? at;
        return [
          {
            type: 'custos.generation.opened.v1' as const,
            subject: id,
            data: openedData(id, { versions, receivedAt: at, ...opened }),
          },
          {
            type: 'custos.generation.closed.v1' as const,
            subject: id,
            data: closedData(id, { at, attempts: [completed(id, usage)] }),
          },
        ];
      });
      await this.ingress.appendAll(events, { admission: false });
    }
    return ids;
  }

  /** One that the client cut short, one that was never heard of again, one that is open still. */
  async cut(atMs: readonly number[]): Promise<readonly string[]> {
    const ids = atMs.map((at) => mintGenerationId(at));
    const [cut, lost] = [ids[0]!, ids[1]!];
    const outcome = {
      cancelled: {
        ...completed(cut, { ...tokens(100, 10), basis: 'counted' }),
        outcome: 'cancelled',
      },
      unknown: { ...attemptRef(lost, 1), outcome: 'unknown' },
    };
    for (const [i, id] of ids.entries()) {
      const at = new Date(atMs[i]!).toISOString();
      const versions = { ...openedData(id).versions, priceBook: this.ledger.book.version };
      const opened = openedData(id, { versions, receivedAt: at });
      await this.say('ingress', at, 'custos.generation.opened.v1', opened);
    }
    const close = (id: string, status: 'cancelled' | 'failed', attempt: AttemptOutcome) => {
      const at = new Date(atMs[0]!).toISOString();
      const closed = closedData(id, { at, status, attempts: [attempt] });
      return this.say('ingress', at, 'custos.generation.closed.v1', closed);
    };
    await close(cut, 'cancelled', outcome.cancelled);
    await close(lost, 'failed', outcome.unknown);
    await this.settled();
    return ids;
  }

  /** A writer on the ledger's topic whose clock is right. */
  async voiceOfItsOwn(): Promise<AuditWriter> {
    const { log, clock } = this.ledger;
    const voice = new AuditWriter({ log, topic: TOPICS.ledger, app: 'ledger', clock });
    await voice.start();
    this.#voices.push(voice);
    return voice;
  }

  async say<T extends EventType>(
    by: 'control' | 'voice' | 'ingress',
    saidAt: string,
    type: T,
    data: EventData[T],
  ): Promise<void> {
    this.#clock.at = saidAt;
    await this[by].append(type, 'spec', data, { admission: false });
  }

  /** What was read so far was in time; the rest is late. */
  async closeMonth(period: string, saidAt: string): Promise<void> {
    await this.settled();
    const { log } = this.ledger;
    const through = (await log.endOffsets()).map(({ next, ...place }) => ({
      ...place,
      next: next.toString(),
    }));
    const data = { period, at: saidAt, logId: log.id, through };
    await this.say('voice', saidAt, 'custos.ledger.period_closed.v1', data);
    await this.settled();
  }

  /** In the books and under a checkpoint. */
  settled(): Promise<void> {
    return this.ledger.settled();
  }

  issuer(voice: Pick<AuditWriter, 'append'> = this.voice): InvoiceIssuer {
    const { ledger, log, clock } = this.ledger;
    return new InvoiceIssuer({
      consumer: ledger.consumer,
      statements: ledger.statements,
      log,
      voice: voice as AuditWriter,
      clock,
      logger: new Logger({ app: 'spec', level: 'error', write: () => undefined }),
    });
  }

  async invoice(organisation: string, month: string): Promise<InvoiceDocument> {
    const answer = await this.ledger.get(`/audit/v1/invoices/${organisation}/${month}`);
    if (answer.status !== 200) throw new Error(answer.text());
    return answer.json<InvoiceDocument>();
  }

  async sql<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return (await this.pool.query<Row>(text, [...values])).rows;
  }

  /** Postings of a month by account, straight from the tables. */
  async postings(month: string): Promise<Readonly<Record<string, bigint>>> {
    const rows = await this.sql<{ name: string; sum: string }>(
      `select a.name, sum(p.amount)::text as sum from ledger.posting p
       join ledger.journal j on j.id = p.journal_id join ledger.account a on a.id = p.account_id
       where j.period = $1 group by a.name`,
      [month],
    );
    return Object.fromEntries(rows.map((r) => [r.name, BigInt(r.sum)]));
  }

  /** The journals that the leaves give, without a database: as whoever verifies makes them. */
  async journalsFromLeaves(): Promise<readonly string[]> {
    const rows = await this.sql<{ leaf_index: string; bytes: Buffer }>(
      'select leaf_index, bytes from ledger.entry order by leaf_index',
    );
    const { book } = this.ledger;
    const books = new BooksInMemory({ pricesOf: (v) => (v === book.version ? book : undefined) });
    return rows.flatMap(({ leaf_index, bytes }) => {
      const read = decodeEvent(bytes);
      if (!read.ok) throw new Error(read.fault);
      return books
        .take({ index: BigInt(leaf_index), event: read.event })
        .map((j) => `${j.id} ${j.kind} ${j.period} ${JSON.stringify(j.postings)}`);
    });
  }

  async journalsInTheBooks(): Promise<readonly string[]> {
    const rows = await this.sql<{ id: string; kind: string; period: string; postings: object }>(
      `select j.id, j.kind, j.period, json_agg(json_build_object('account', a.name,
         'amountPicoUsd', p.amount::text) order by p.seq) as postings
       from ledger.journal j join ledger.posting p on p.journal_id = j.id
       join ledger.account a on a.id = p.account_id group by j.id order by j.leaf_index, j.kind = 'reversal' desc`,
    );
    return rows.map((r) => `${r.id} ${r.kind} ${r.period} ${JSON.stringify(r.postings)}`);
  }
}
