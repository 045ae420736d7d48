// A part of a log whose generations cite what was said before it: verdicts and slices of health.
import { at, openedData, refusedData } from '../../../../test/support/ledger-events.js';
import { healthOf, verdictOf } from '../../../../test/support/cited-file.js';
import { Day } from './verify-stage.spec-support.js';

/** More than a bundle lies before the part. */
const BEFORE = 270;

export interface CitedStage {
  readonly leaves: readonly Buffer[];
  readonly range: { readonly firstLeaf: number; readonly endLeaf: number };
  /** What the part cites of before it, by leaf. */
  readonly digests: readonly [verdict: string, health: string];
  /** Leaf of a verdict from before that nothing in the part cites. */
  readonly uncited: number;
  /** Cited, and said by nobody. */
  readonly absent: string;
}

/** `newId`: for generations. */
export function citedStage(newId: () => string): CitedStage {
  const day = new Day();
  const [verdict, health] = [verdictOf('acme/one'), healthOf('acme/one', at(5))];
  const [other, late, never] = [verdictOf('acme/two'), verdictOf('late'), verdictOf('never')];
  const open = (digest: string): void => {
    const id = newId();
    const data = openedData(id);
    day.say('w-1', 'custos.generation.opened.v1', id, {
      ...data,
      versions: { ...data.versions, health: health.digest },
      decision: { ...data.decision, digest },
    });
    day.close('w-1', id);
  };
  const refuse = (digest: string): void => {
    const id = newId();
    const decision = { ...openedData(id).decision, digest };
    day.say('w-1', 'custos.generation.refused.v1', id, { ...refusedData(id), decision });
  };
  day.start('w-1');
  day.start('w-2');
  // Said twice before the part, by two writers: one of them is enough.
  day.say('w-2', 'custos.decision.recorded.v1', verdict.digest, verdict);
  const uncited = day.leaves.length;
  day.say('w-1', 'custos.decision.recorded.v1', other.digest, other);
  day.say('w-1', 'custos.health.recorded.v1', health.digest, health);
  day.say('w-1', 'custos.decision.recorded.v1', verdict.digest, verdict);
  while (day.leaves.length < BEFORE) open(verdict.digest);
  const firstLeaf = day.leaves.length;
  open(verdict.digest);
  day.say('w-2', 'custos.decision.recorded.v1', late.digest, late);
  for (const cited of [verdict, late, verdict]) open(cited.digest);
  refuse(verdict.digest);
  refuse(never.digest);
  for (let i = 0; i < 12; i++) open(i % 2 === 0 ? verdict.digest : late.digest);
  const endLeaf = day.leaves.length;
  for (const writer of ['w-1', 'w-2']) day.stop(writer);
  return {
    leaves: day.leaves,
    range: { firstLeaf, endLeaf },
    digests: [verdict.digest, health.digest],
    uncited,
    absent: never.digest,
  };
}
