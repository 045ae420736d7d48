import { DomainError } from '#libs/kernel';
import type { Decide, Decided } from '#libs/audit-log';
import type { PolicyFolder } from '../policy-folder.js';
import type { PolicySigner } from '../policy-signer.js';
import type { PolicyAppErrorCode } from '../policy.errors.js';
import type { Change } from './changes.js';
import { BundleEntity } from './entities/index.js';
import { lastActivation } from './read-policy.js';

const ACTOR = 'system:first-start';

/**
 * Where no bundle was ever in force, the folder's comes into force by itself. Later the folder changes nothing: what
 * is in force goes its way through two people. Throws ConfigError for faults in the folder, `log_unavailable` where
 * the log does not take the record: without a law nothing is let through.
 */
export async function firstStart(
  outbox: { decide(actor: string, decide: Decide<Change>): Promise<Decided> },
  folder: PolicyFolder,
  signer: PolicySigner,
): Promise<void> {
  const { effective } = await outbox.decide(ACTOR, async (manager) => {
    if ((await lastActivation(manager)) !== null) return [];
    const { version, policies, schema } = folder.bundle();
    const statement = { version, approvedBy: ACTOR, approvedAt: new Date().toISOString() };
    const changes: Change[] = [];
    if (!(await manager.existsBy(BundleEntity, { version })))
      changes.push({ kind: 'policy.drafted', version, policies, schema, comment: 'policy folder' });
    changes.push({
      kind: 'policy.activated',
      version,
      previous: null,
      rollBackTo: null,
      cause: 'first-start',
      details: {},
      signature: await signer.signBundle(statement),
    });
    return changes;
  });
  if (!effective)
    throw new DomainError<PolicyAppErrorCode>(
      'log_unavailable',
      'The first policy bundle is not in force: the audit log has not taken its record.',
    );
}
