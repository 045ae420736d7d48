import { TOPICS, type CustosEvent, type EventType, type Topic } from './types.js';

/** Where a type of record belongs, and which apps say it there. */
interface Place {
  readonly topic: Topic;
  /** Absent: whoever may write to the topic. */
  readonly app?: string;
}

const traffic: Place = { topic: TOPICS.audit };
/** The sweeper's: who is retired leases nothing any more, and gives back what it had. */
const swept: Place = { topic: TOPICS.audit, app: 'ledger' };
const decided: Place = { topic: TOPICS.control, app: 'control' };
const ledgers: Place = { topic: TOPICS.ledger, app: 'ledger' };

/**
 * What moves money, keeps records or lets them go, by who may say it. A broker's or a database's rights end at a topic: a
 * process of the data plane must not be able to make credit by writing such a record where it may write.
 */
const PLACES: Partial<Readonly<Record<EventType, Place>>> = {
  'custos.generation.opened.v1': traffic,
  'custos.generation.refused.v1': traffic,
  'custos.attempt.dispatched.v1': traffic,
  'custos.generation.progress.v1': traffic,
  'custos.generation.closed.v1': traffic,
  'custos.writer.retired.v1': swept,
  'custos.ledger.correction.v1': decided,
  'custos.ledger.credit.v1': decided,
  'custos.ledger.refund.v1': decided,
  'custos.legal_hold.set.v1': decided,
  'custos.legal_hold.lifted.v1': decided,
  'custos.erasure.executed.v1': decided,
  'custos.vault.rotation.v1': decided,
  'custos.ledger.refund_granted.v1': ledgers,
  'custos.ledger.refund_declined.v1': ledgers,
  'custos.ledger.cost_differed.v1': ledgers,
  'custos.ledger.period_closed.v1': ledgers,
  'custos.ledger.invoice_issued.v1': ledgers,
  'custos.ledger.reconciled.v1': ledgers,
  'custos.retention.applied.v1': ledgers,
  'custos.log.head_given_up.v1': ledgers,
};

/** Where the processes of each app write. */
const TOPICS_OF_APP: ReadonlyMap<string, readonly Topic[]> = new Map([
  ['ingress', [TOPICS.audit]],
  ['control', [TOPICS.control]],
  ['policy', [TOPICS.control]],
  ['routing', [TOPICS.control]],
  ['ledger', [TOPICS.audit, TOPICS.ledger]],
]);

/** The app that a writer says it is: writers are named `<app>-<uuid>`. */
export const appOf = (writer: string): string => writer.split('-', 1)[0] ?? '';

/**
 * True where a record under this name is not its bearer's, whatever it says: his app does not write to that topic. Else whoever
 * may write to one topic could say for a writer of another what comes next, and that one would not be heard any more.
 */
export const isAbroad = (writer: string, topic: string): boolean =>
  TOPICS_OF_APP.get(appOf(writer))?.some((own) => own === topic) === false;

/** Where a type belongs; undefined where nothing follows from it that anybody could want to forge. */
export const topicOf = (type: EventType): Topic | undefined => PLACES[type]?.topic;

/**
 * True for a record that is not its writer's to say, or stands where such records are not said: evidence, and without effect.
 * A function of the record and its topic alone, so that every order of reading agrees. Who has only the bytes leaves the
 * topic out.
 */
export function isStranger(
  { type, writer }: Pick<CustosEvent, 'type' | 'writer'>,
  topic?: string,
): boolean {
  if (topic !== undefined && isAbroad(writer, topic)) return true;
  const place = PLACES[type];
  if (place === undefined) return false;
  if (place.app !== undefined && place.app !== appOf(writer)) return true;
  return topic !== undefined && topic !== place.topic;
}
