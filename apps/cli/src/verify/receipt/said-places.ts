import { TOPICS, type Topic } from '#libs/audit-events';
import type { GenerationEvent } from '#libs/ledger';
import type { Findings, Place } from '../report.js';
import type { ReceiptEvent } from './receipt.js';

/** A record that was proved, in the order of leaves. */
export interface PlacedEvent extends ReceiptEvent {
  readonly event: GenerationEvent;
}

/**
 * Topic, partition and offset stand in no record, and no proof covers them. What the bytes tell of them is held against
 * them: who says this type of record where, that a writer stays on one partition (ADR 0002), that a partition is read in
 * its order, and that no place and no leaf is there twice.
 */
export function checkPlaces(
  events: readonly PlacedEvent[],
  placeOf: (leafIndex: number) => Place,
  findings: Findings,
): void {
  const leaves = new Set<number>();
  const partitions = new Map<string, string>();
  const last = new Map<string, number>();
  for (const { leafIndex, topic, partition, offset, event } of events) {
    const fault = (what: string, reason: 'altered' | 'reordered' = 'altered'): void =>
      findings.fault(reason, placeOf(leafIndex), what);
    if (leaves.has(leafIndex)) fault('its leaf is there twice');
    leaves.add(leafIndex);
    const own = topicOf(event);
    if (own !== undefined && topic !== own)
      fault(`such a record is said in ${own}, not in ${topic}`);
    const source = `${topic} ${partition}`;
    if ((partitions.get(event.writer) ?? source) !== source)
      fault('its writer said another record of these elsewhere');
    partitions.set(event.writer, source);
    const before = last.get(source);
    if (before !== undefined && before >= offset)
      fault(`offset ${offset} comes after ${before} in its partition`, 'reordered');
    last.set(source, offset);
  }
}

/** Undefined where more than one app may say it. */
function topicOf({ type }: GenerationEvent): Topic | undefined {
  switch (type) {
    case 'custos.ledger.correction.v1':
      return TOPICS.control;
    case 'custos.ledger.cost_differed.v1':
      return TOPICS.ledger;
    case 'custos.generation.opened.v1':
    case 'custos.generation.refused.v1':
    case 'custos.attempt.dispatched.v1':
    case 'custos.generation.progress.v1':
    case 'custos.generation.closed.v1':
      return TOPICS.audit;
    default:
      return undefined;
  }
}
