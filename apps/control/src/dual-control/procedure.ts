import type { EntityManager, EntityTarget } from 'typeorm';
import { DomainError } from '#libs/kernel';

/** What is decided on. Never deleted: who proposed it, who decided and when stays in its row. */
export interface Matter {
  readonly id: string;
  readonly status: string;
}

/** What every change of a matter says: on what, by whom, when. */
export interface Said {
  readonly id: string;
  /** As the log names actors. */
  readonly by: string;
  readonly at: string;
}

export type MatterChange = Said & { readonly kind: string };

/** One decision that can be taken on a matter while it is in one status. */
export interface Step<Row extends Matter, Change extends MatterChange, Kind = Change['kind']> {
  /** As the route asks for it: `approve`, `withdraw`, … */
  readonly decision: string;
  readonly from: Row['status'];
  readonly to: Row['status'];
  /** Of the change that it makes. */
  readonly kind: Kind;
  /** It takes a second person: anybody but the one this names. Absent: one person alone may. */
  notBy?(row: Row): string | null;
  /**
   * What is asked of others than control's own database, before the decision: none waits behind one that is asked slowly. May
   * refuse. What it answers is called with the decision, to look whether it is still so.
   */
  beforehand?(row: Row): Promise<StillSo | void>;
  /** The change; may refuse for reasons of its own. */
  change(row: Row, said: Said, given: Given): Change | Promise<Change>;
  /** What it leaves in the row besides the status: who, when. */
  sets(said: { readonly by: string; readonly at: Date }, change: Change): Partial<Row>;
}

/** Asks control's own database alone; throws where what was found beforehand is not so any more. */
export type StillSo = (manager: EntityManager) => Promise<void>;

/** What a decision is taken with. */
export interface Given {
  readonly manager: EntityManager;
  /** Where the route asks for one. */
  readonly reason?: string | undefined;
}

/**
 * How one kind of matter is decided by two persons: who enters it has no say in letting it take effect. The table
 * beneath holds the same as a constraint, so that no path past this code makes one person enough either.
 */
export interface Procedure<Row extends Matter, Input, Change extends MatterChange> {
  /** In messages: `correction`. */
  readonly what: string;
  readonly entity: EntityTarget<Row>;
  readonly steps: readonly Step<Row, Change>[];
  /** Asked again in these statuses a decision is nothing new, and no error. */
  readonly settled?: Readonly<Record<string, readonly Row['status'][]>>;
  /** The change that enters it. */
  propose(input: Input, said: Said, within: Within): Promise<Change>;
}

/** What a proposal is looked at against. */
export interface Within {
  readonly manager: EntityManager;
  /** True where this process writes to that ledger's log. */
  reaches(ledgerId: string): boolean;
}

/**
 * The step that a decision means for a matter as it is. Undefined: it was taken before. Throws `conflict` where it
 * cannot be taken, `forbidden` where it takes somebody else.
 */
export function stepFor<Row extends Matter, Change extends MatterChange>(
  { what, steps, settled }: Procedure<Row, never, Change>,
  row: Row,
  decision: string,
  by: string,
): Step<Row, Change> | undefined {
  const step = steps.find((s) => s.decision === decision && s.from === row.status);
  if (step === undefined) {
    if (settled?.[decision]?.includes(row.status) === true) return undefined;
    throw new DomainError(
      'conflict',
      `This ${what} is ${row.status}: ${decision} is not possible.`,
    );
  }
  if (step.notBy?.(row) === by)
    throw new DomainError('forbidden', 'This takes a second person: it was you who proposed it.');
  return step;
}

/** Lets a recorded decision take effect in the matter's row. In the transaction that marks the change as applied. */
export async function applyStep<Row extends Matter, Change extends MatterChange>(
  manager: EntityManager,
  { entity, steps }: Procedure<Row, never, Change>,
  change: Change,
): Promise<void> {
  const said = { by: change.by, at: new Date(change.at) };
  for (const step of steps)
    if (step.kind === change.kind)
      await manager.update(
        entity,
        { id: change.id, status: step.from } as never,
        { ...step.sets(said, change), status: step.to } as never,
      );
}
