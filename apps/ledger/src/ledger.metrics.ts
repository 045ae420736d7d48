import type { Applied } from '#libs/ledger-store';
import type { HotMetrics } from '#libs/platform';

const LAG_SECONDS = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300];
const BATCH_SECONDS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];
const BATCH_RECORDS = [1, 5, 10, 50, 100, 250, 500, 1_000];

/** What the ledger tells operators in numbers. */
export class LedgerMetrics {
  readonly #billingLag;
  readonly #batchSeconds;
  readonly #batchRecords;
  readonly #records;
  readonly #journals;

  constructor(private readonly hot: HotMetrics) {
    this.#billingLag = hot
      .histogram('custos.ledger.billing_lag', {
        description: 'From the last byte to the client to the committed posting.',
        unit: 's',
        boundaries: LAG_SECONDS,
      })
      .with();
    this.#batchSeconds = hot
      .histogram('custos.ledger.batch.duration', {
        description: 'Time of one posting transaction.',
        unit: 's',
        boundaries: BATCH_SECONDS,
      })
      .with();
    this.#batchRecords = hot
      .histogram('custos.ledger.batch.records', {
        description: 'Records of one posting transaction.',
        unit: '{record}',
        boundaries: BATCH_RECORDS,
      })
      .with();
    this.#records = hot
      .counter('custos.ledger.records', { description: 'Records sealed.', unit: '{record}' })
      .with();
    this.#journals = hot
      .counter('custos.ledger.journals', { description: 'Journals posted.', unit: '{journal}' })
      .with();
  }

  applied(applied: Applied, durationMs: number, nowMs: number): void {
    this.#batchSeconds.record(durationMs / 1_000);
    this.#batchRecords.record(applied.records);
    this.#records.add(applied.records);
    this.#journals.add(applied.journals);
    for (const at of applied.lastByteAtMs) this.#billingLag.record(Math.max(0, nowMs - at) / 1_000);
    for (const { code } of applied.quarantined)
      this.hot
        .counter('custos.ledger.quarantined', {
          description: 'Leaves set aside, by reason.',
          unit: '{record}',
        })
        .with({ code })
        .add(1);
  }
}
