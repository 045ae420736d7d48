import type { HeadGivenUp } from '#libs/audit-events';
import type { EventAppender } from '#libs/audit-log';
import { DomainError, type Clock } from '#libs/kernel';
import type { SignedHeads } from '#libs/ledger-store';
import type { LedgerAppErrorCode } from '../ledger.errors.js';

const APPEND_DEADLINE_MS = 5_000;

/** One person's word that the log goes on without a head that our key signed. */
export type GivingUp = Omit<HeadGivenUp, 'at' | 'origin'>;

/** Puts it on record. Throws `fork_unknown` where no such head is missing, `fork_unrecorded` without a voice in the log. */
export async function sayGivenUp(
  said: GivingUp,
  log: {
    readonly origin: string;
    readonly heads: SignedHeads;
    readonly voice: EventAppender | undefined;
    readonly clock: Clock;
  },
): Promise<void> {
  const missing = await log.heads.missing();
  const known = missing.some(
    ({ size, root }) =>
      size.toString() === said.size && `sha256:${root.toString('hex')}` === said.root,
  );
  if (!known)
    throw new DomainError<LedgerAppErrorCode>(
      'fork_unknown',
      'No head of this size and root has turned up that the log does not contain.',
    );
  if (log.voice === undefined)
    throw new DomainError<LedgerAppErrorCode>(
      'fork_unrecorded',
      'This ledger has no voice in the log.',
    );
  await log.voice.append(
    'custos.log.head_given_up.v1',
    'log',
    { at: new Date(log.clock.nowMs()).toISOString(), origin: log.origin, ...said },
    { admission: false, deadlineMs: APPEND_DEADLINE_MS },
  );
}
