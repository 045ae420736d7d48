import type { VaultDatabase } from './database.js';

/** A hold that is in force, as its record says it. */
export interface HoldInForce {
  readonly id: string;
  readonly ledgerId: string;
  readonly organisationId?: string;
  readonly workspaceId?: string;
  readonly keyId?: string;
  readonly from?: string;
  readonly to?: string;
}

/**
 * Legal holds as the vault knows them: what destroys asks there, in the database, and nowhere else. So a hold is placed
 * before anybody says that it is in force, and lifted after that is said.
 */
export class VaultHolds {
  constructor(private readonly database: VaultDatabase) {}

  /** From its return on nothing under them is destroyed, whatever was begun before. One that was lifted stays lifted. */
  async place(holds: readonly HoldInForce[]): Promise<void> {
    if (holds.length === 0) return;
    await this.database.query('select vault.place_holds($1)', [JSON.stringify(holds)]);
  }

  async lift(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await this.database.query('select vault.lift_holds($1)', [ids]);
  }

  /** Ids of those that keep what they cover. */
  async inForce(): Promise<readonly string[]> {
    const rows = await this.database.query<{ id: string }>(
      'select id from vault.hold where lifted_at is null',
    );
    return rows.map((r) => r.id);
  }

  /**
   * The hold that keeps anything of that subject, or that would keep what is on its way to the store at this moment.
   * Where the key is destroyed already there is nothing left to be kept.
   */
  async over(subjectKeyId: string, ledgerId: string): Promise<string | undefined> {
    const [row] = await this.database.query<{ hold: string | null }>(
      'select vault.hold_over($1, $2) as hold',
      [subjectKeyId, ledgerId],
    );
    return row?.hold ?? undefined;
  }
}
