// Hand-made audit events for the ledger's specs: real chains and real bytes, in a log that is an array.
import {
  isAbroad,
  TOPICS,
  topicOf,
  WriterChain,
  type AttemptOutcome,
  type EventData,
  type EventType,
  type GenerationClosed,
  type GenerationOpened,
  type GenerationRefused,
  type HoldData,
  type Topic,
  type UsageData,
} from '#libs/audit-events';
import type { LogRecord } from '#libs/audit-events';
import type { Price } from '#libs/catalog';
import { mintGenerationId, SystemClock, writerId } from '#libs/kernel';

const START_MS = Date.parse('2026-11-21T10:00:00.000Z');

/** Runs, and began a minute after these events did: their day is its day on whichever day a spec runs. */
export class EventsClock extends SystemClock {
  readonly #behindMs = super.nowMs() - START_MS - 60_000;

  override nowMs(): number {
    return super.nowMs() - this.#behindMs;
  }
}

export const PRICE_BOOK = `sha256:${'b'.repeat(64)}`;
export const PRICE: Price = { inputPicoUsdPerToken: 1_000_000n, outputPicoUsdPerToken: 4_000_000n };
export const USAGE: UsageData = { inputTokens: 100, outputTokens: 50, basis: 'reported' };
/** 100 × 1,000,000 + 50 × 4,000,000 */
export const COST = 300_000_000n;

/** One partition of each topic, and its writers; a record stands in the topic where it belongs. Offsets are dense; each record is a millisecond later than the one before. */
export class Tape {
  readonly records: LogRecord[] = [];
  readonly #chains = new Map<string, WriterChain>();

  constructor(readonly partition = 0) {}

  say<T extends EventType>(
    writer: string,
    type: T,
    subject: string,
    data: EventData[T],
    saidAtMs = START_MS,
  ): LogRecord {
    let chain = this.#chains.get(writer);
    if (chain === undefined) {
      chain = new WriterChain(writerId(writer));
      this.#chains.set(writer, chain);
    }
    const home = isAbroad(writer, TOPICS.audit) ? TOPICS.control : TOPICS.audit;
    return this.put(chain.next(type, subject, saidAtMs, data).bytes, topicOf(type) ?? home);
  }

  put(value: Buffer, topic: Topic = TOPICS.audit): LogRecord {
    const last = this.records.findLast((r) => r.topic === topic);
    const record: LogRecord = {
      topic,
      partition: this.partition,
      offset: last === undefined ? 0n : last.offset + 1n,
      recordedAtMs: START_MS + this.records.length,
      value,
    };
    this.records.push(record);
    return record;
  }

  open(writer: string, id: string, changes: Partial<GenerationOpened> = {}): LogRecord {
    return this.say(writer, 'custos.generation.opened.v1', id, openedData(id, changes));
  }

  close(writer: string, id: string, changes: Partial<GenerationClosed> = {}): LogRecord {
    return this.say(writer, 'custos.generation.closed.v1', id, closedData(id, changes));
  }
}

export const newGenerationId = (): string => mintGenerationId(START_MS);

export const at = (ms: number): string => new Date(START_MS + ms).toISOString();

export const holdOf = (amount: bigint, ...leaseIds: readonly string[]): HoldData => ({
  at: at(3),
  amountPicoUsd: amount.toString(),
  leases: leaseIds.map((leaseId) => ({ leaseId, scope: 'key', id: 'key-1' })),
});

export function openedData(id: string, changes: Partial<GenerationOpened> = {}): GenerationOpened {
  return {
    generationId: id,
    organisationId: 'org-1',
    workspaceId: 'ws-1',
    keyId: 'key-1',
    receivedAt: at(0),
    wire: 'openai-chat',
    requestedModel: 'acme/one',
    model: 'acme/one',
    stream: true,
    requestBytes: 512,
    requestDigest: `hmac-sha256:${'d'.repeat(64)}`,
    facts: {
      dataClass: 'internal',
      dataTags: [],
      subjectRegions: [],
      purpose: 'development',
      want: {},
    },
    versions: {
      policy: `sha256:${'1'.repeat(64)}`,
      catalog: `sha256:${'2'.repeat(64)}`,
      priceBook: PRICE_BOOK,
      principals: `sha256:${'3'.repeat(64)}`,
      health: `sha256:${'4'.repeat(64)}`,
    },
    decision: {
      at: at(1),
      digest: `sha256:${'5'.repeat(64)}`,
      decision: 'permit',
      reasons: [{ id: 'base.permit', reason: 'allowed', law: 'none', layer: 'platform' }],
      permitted: 2,
      excluded: 0,
    },
    plan: {
      at: at(2),
      strategy: 'balanced',
      seed: '0123456789abcdef',
      acrossModels: false,
      requirements: { inputTokensEstimate: 100, tools: false },
      preferences: {},
      candidates: [{ endpoint: 'acme.one.eu.default', score: 1 }],
      excluded: [],
      cut: 0,
      excludedCut: 0,
    },
    hold: holdOf(0n),
    attempt: attemptRef(id, 1),
    ...changes,
  };
}

export const attemptRef = (id: string, number: number, provider = 'acme') => ({
  number,
  requestId: `${id}.${number}`,
  endpoint: `${provider}.one.eu.default`,
  provider,
  region: 'eu',
  simulated: true,
});

export const completed = (id: string, usage: UsageData = USAGE, number = 1): AttemptOutcome => ({
  ...attemptRef(id, number),
  outcome: 'completed',
  dispatchedAt: at(10),
  firstTokenAt: at(20),
  usageAt: at(30),
  endedAt: at(30),
  upstreamStatus: 200,
  usage,
});

export const closedData = (
  id: string,
  changes: Partial<GenerationClosed> = {},
): GenerationClosed => ({
  generationId: id,
  at: at(40),
  status: 'completed',
  finishReason: 'stop',
  attempts: [completed(id)],
  lastByteAt: at(39),
  ...changes,
});

export const refusedData = (
  id: string,
  changes: Partial<GenerationRefused> = {},
): GenerationRefused => ({
  generationId: id,
  organisationId: 'org-1',
  workspaceId: 'ws-1',
  keyId: 'key-1',
  receivedAt: at(0),
  requestedModel: 'acme/one',
  model: 'acme/one',
  at: at(2),
  httpStatus: 403,
  code: 'region_restricted',
  facts: { dataClass: 'secret', dataTags: [], subjectRegions: [], purpose: 'x', want: {} },
  versions: {
    policy: `sha256:${'1'.repeat(64)}`,
    catalog: `sha256:${'2'.repeat(64)}`,
    principals: `sha256:${'3'.repeat(64)}`,
  },
  decision: {
    at: at(1),
    digest: `sha256:${'5'.repeat(64)}`,
    decision: 'forbid',
    reasons: [{ id: 'p.one', reason: 'no', law: 'GDPR Art. 44', layer: 'jurisdiction' }],
    permitted: 0,
    excluded: 3,
  },
  ...changes,
});
