import { TOPICS, type Topic } from '#libs/audit-events';

/** The ledger whose topics have the plain names of the contract. */
export const MAIN_LEDGER = 'main';

/** Part of topic names, database names and origins: short, and the same in all of them. */
export const LEDGER_ID = /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/;

/**
 * The names that the topics of one ledger have on the brokers: `custos.audit.v1` for the main one,
 * `custos.audit.v1.<ledger id>` for others. Inside the product a topic keeps its plain name.
 */
export class TopicNames {
  readonly all: readonly string[];
  readonly #onBrokers = new Map<Topic, string>();
  readonly #plain = new Map<string, Topic>();

  constructor(readonly ledgerId: string = MAIN_LEDGER) {
    if (!LEDGER_ID.test(ledgerId)) throw new TypeError('not the id of a ledger');
    for (const topic of Object.values(TOPICS)) {
      const name = ledgerId === MAIN_LEDGER ? topic : `${topic}.${ledgerId}`;
      this.#onBrokers.set(topic, name);
      this.#plain.set(name, topic);
    }
    this.all = [...this.#plain.keys()];
  }

  onBrokers(topic: Topic): string {
    return this.#onBrokers.get(topic)!;
  }

  /** Undefined for a topic of somebody else. */
  plain(name: string): Topic | undefined {
    return this.#plain.get(name);
  }
}
