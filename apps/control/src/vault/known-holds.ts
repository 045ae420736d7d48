import { In, type EntityManager } from 'typeorm';
import { isEventTime } from '#libs/audit-events';
import type { HoldInForce } from '#libs/vault';
import { LegalHoldEntity } from '../holds/legal-hold.entity.js';

type HoldSet = Pick<LegalHoldEntity, 'id' | 'ledgerId' | 'scope'>;

/** A hold that somebody proposes to lift is one; and so is one that is decided and whose record is on its way to the log. */
export async function holdsInForce(manager: EntityManager): Promise<readonly HoldInForce[]> {
  const decided = await manager.query<{ change: HoldSet }[]>(
    `select change from control.outbox where applied_at is null and change ->> 'kind' = 'hold.set'`,
  );
  const holds = await manager.findBy(LegalHoldEntity, { status: In(['in-force', 'lifting']) });
  const all = [...decided.map((row) => row.change), ...holds];
  return [
    ...new Map(all.map(({ id, ledgerId, scope }) => [id, { id, ledgerId, ...scope }])).values(),
  ];
}

const isPlaceable = (time: string | undefined): boolean => time === undefined || isEventTime(time);

/** One of a version before may have times that the vault’s database refuses, and every other hold with them. */
export const hasUnreadableTimes = ({ from, to }: HoldInForce): boolean =>
  !isPlaceable(from) || !isPlaceable(to);

/** As the vault can hold it: without such a time it covers more, never less. */
export function placeable(hold: HoldInForce): HoldInForce {
  if (!hasUnreadableTimes(hold)) return hold;
  const { from, to, ...whom } = hold;
  return {
    ...whom,
    ...(from !== undefined && isPlaceable(from) && { from }),
    ...(to !== undefined && isPlaceable(to) && { to }),
  };
}
