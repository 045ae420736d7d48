import type { CustosEvent, LegalHoldScope, RetentionApplied } from '#libs/audit-events';
import type { Statements } from './statement-queue.js';

interface HoldSaid {
  readonly holdId: string;
  readonly leafIndex: bigint;
  /** Absent where the record lifts it. */
  readonly scope?: LegalHoldScope;
  readonly data: object;
}

interface Applied {
  readonly leafIndex: bigint;
  readonly data: RetentionApplied;
}

/** What a batch says of holds and of what is to go. Needs nothing loaded: each record lands in a place of its own. */
export class RetentionWork {
  readonly holds: HoldSaid[] = [];
  readonly applied: Applied[] = [];

  /** The leaf's effect, or undefined where the record is about something else. */
  take(event: CustosEvent, leafIndex: bigint): string | undefined {
    switch (event.type) {
      case 'custos.legal_hold.set.v1': {
        const { holdId, scope } = event.data;
        this.holds.push({ holdId, leafIndex, scope, data: event.data });
        return 'hold_set';
      }
      case 'custos.legal_hold.lifted.v1':
        this.holds.push({ holdId: event.data.holdId, leafIndex, data: event.data });
        return 'hold_lifted';
      case 'custos.retention.applied.v1':
        this.applied.push({ leafIndex, data: event.data });
        return 'retention_applied';
      default:
        return undefined;
    }
  }
}

/** Writes what a batch said of them: so rare that most batches send nothing. A record said again changes nothing. */
export async function writeRetention(
  client: Statements,
  { holds, applied }: RetentionWork,
): Promise<void> {
  for (const { holdId, leafIndex, scope, data } of holds)
    await client.query(
      scope === undefined
        ? {
            text: `insert into ledger.legal_hold as h (hold_id, lifted_said, lifted_leaf) values ($1, $2, $3)
              on conflict (hold_id) do update
              set lifted_said = excluded.lifted_said, lifted_leaf = excluded.lifted_leaf where h.lifted_leaf is null`,
            values: [holdId, JSON.stringify(data), leafIndex.toString()],
          }
        : {
            text: `insert into ledger.legal_hold as h (hold_id, set_said, set_leaf, organisation_id, workspace_id,
                key_id, covers_from, covers_to) values ($1, $2, $3, $4, $5, $6, $7, $8)
              on conflict (hold_id) do update set set_said = excluded.set_said, set_leaf = excluded.set_leaf,
                organisation_id = excluded.organisation_id, workspace_id = excluded.workspace_id,
                key_id = excluded.key_id, covers_from = excluded.covers_from, covers_to = excluded.covers_to
              where h.set_leaf is null`,
            values: [
              holdId,
              JSON.stringify(data),
              leafIndex.toString(),
              scope.organisationId ?? null,
              scope.workspaceId ?? null,
              scope.keyId ?? null,
              scope.from ?? null,
              scope.to ?? null,
            ],
          },
    );
  for (const { leafIndex, data } of applied) {
    await client.query(
      `insert into ledger.retention (leaf_index, at, author, policy_digest, before) values ($1, $2, $3, $4, $5)`,
      [leafIndex.toString(), data.at, data.author, data.policyDigest, data.before],
    );
    await client.query(
      `insert into ledger.retention_range (leaf_index, first_leaf, end_leaf, first_hash, last_hash)
       select $1, * from unnest($2::bigint[], $3::bigint[], $4::bytea[], $5::bytea[])
         as said(first_leaf, end_leaf, first_hash, last_hash)
       where first_leaf < end_leaf on conflict do nothing`,
      [
        leafIndex.toString(),
        data.ranges.map((r) => r.firstLeaf),
        data.ranges.map((r) => r.endLeaf),
        data.ranges.map((r) => bytesOf(r.firstHash)),
        data.ranges.map((r) => bytesOf(r.lastHash)),
      ],
    );
  }
}

const bytesOf = (digest: string): Buffer => Buffer.from(digest.replace(/^sha256:/, ''), 'hex');
