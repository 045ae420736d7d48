import { runMigrations } from '#libs/platform';
import { claimIdentity } from './content-store.js';
import { unavailable, VaultDatabase } from './database.js';
import { KeyRotation } from './key-rotation.js';
import type { MasterKey, Pseudonyms, Subject } from './master-key.js';
import { vaultMigrations } from './migrations/index.js';
import { openItem, type ContentPart } from './sealed-content.js';
import { VaultHolds } from './vault-holds.js';

const CONNECTIONS_MAX = 3;

export interface KeptItem {
  readonly generationId: string;
  readonly part: ContentPart;
  readonly organisationId: string;
  readonly ledgerId: string;
  readonly subjectKeyId: string;
  readonly receivedAt: string;
  readonly keptAt: string;
  readonly expiresAt: string;
  readonly bytes: number;
  /** `sha256:` and hex, of the ciphertext. */
  readonly digest: string;
  /** Where in the log the record of its keeping is; undefined where that is still on its way. */
  readonly recordedIn?: string;
  /** When its key was destroyed by an erasure: what is stored opens no more. */
  readonly erasedAt?: string;
}

export type Opened =
  | { readonly ok: true; readonly content: Buffer }
  | { readonly ok: false; readonly why: 'erased' | 'damaged' | 'gone' };

export type Erasing =
  { readonly outcome: 'erased' | 'gone' } | { readonly outcome: 'held'; readonly holdId: string };

export interface VaultKeeperOptions {
  readonly url: string;
  /** The owner's role, for migrations; default: the same. */
  readonly migrationUrl?: string | undefined;
  /** The data plane's role there, where it is known. */
  readonly auditUrl?: string | undefined;
  readonly key: MasterKey;
}

/**
 * The side of the vault that reads and destroys. It decides nothing: who may, and whether it is recorded, is its caller's to
 * have seen to. Everything throws `vault_unavailable` while the vault does not answer.
 */
export class VaultKeeper {
  readonly holds: VaultHolds;
  readonly rotation: KeyRotation;
  readonly #database: VaultDatabase;
  #pseudonyms: Promise<Pseudonyms> | undefined;

  constructor(private readonly options: VaultKeeperOptions) {
    this.#database = new VaultDatabase({
      url: options.url,
      applicationName: 'custos control vault',
      connectionsMax: CONNECTIONS_MAX,
    });
    this.holds = new VaultHolds(this.#database);
    this.rotation = new KeyRotation(this.#database, options.key);
  }

  /** Of the master key that wraps. */
  get masterKeyId(): string {
    return this.options.key.id;
  }

  /** Of all master keys that this process was given. */
  get masterKeyIds(): readonly string[] {
    return this.options.key.ids;
  }

  /** Brings the schema up to date. Throws `migration_failed`, or `vault_key_changed` where another key began it. */
  async open(): Promise<void> {
    const { url, migrationUrl = url, auditUrl } = this.options;
    await runMigrations({
      url: migrationUrl,
      migrations: vaultMigrations,
      tableName: 'vault_migrations',
      roles: { app: url, audit: auditUrl },
    });
    await this.#identity();
  }

  /** The id of the key in use of that subject; undefined where nothing is kept of it. */
  async keyIdOf(subject: Subject): Promise<string | undefined> {
    const pseudonym = (await this.#identity()).of(subject);
    const [row] = await this.#database.query<{ id: string }>(
      `select id from vault.subject_key
       where organisation_id = $1 and pseudonym = $2 and destroyed_at is null`,
      [subject.organisationId, pseudonym],
    );
    return row?.id;
  }

  async itemsOf(generationId: string): Promise<readonly KeptItem[]> {
    return this.#items('i.generation_id = $1', [generationId]);
  }

  /**
   * Items whose record is still to be said though they were kept before that time: somebody's end came between. Of so many
   * generations after that one, in the order of their ids.
   */
  async unrecorded(keptBefore: string, max: number, after = ''): Promise<readonly KeptItem[]> {
    return this.#items(
      `i.generation_id in (select distinct x.generation_id from vault.item x
         where x.recorded_at is null and x.kept_at < $1 and x.generation_id > $3 order by x.generation_id limit $2)`,
      [keptBefore, max, after],
    );
  }

  async markRecorded(generationId: string, place: string): Promise<void> {
    await this.#database.query('select vault.mark_recorded(array[$1], array[$2])', [
      generationId,
      place,
    ]);
  }

  /** The content itself. Its caller has a record of this very reading in the log. */
  async reveal(item: KeptItem): Promise<Opened> {
    const { generationId, part, organisationId, subjectKeyId } = item;
    const [row] = await this.#database.query<{ sealed: Buffer | null; wrapped: Buffer | null }>(
      `select i.sealed, k.wrapped from vault.item i join vault.subject_key k on k.id = i.subject_key_id
       where i.generation_id = $1 and i.part = $2 and i.subject_key_id = $3 and i.organisation_id = $4`,
      [generationId, part, subjectKeyId, organisationId],
    );
    if (row === undefined) return { ok: false, why: 'gone' };
    if (row.sealed === null || row.wrapped === null) return { ok: false, why: 'erased' };
    const dataKey = this.options.key.unwrapSubjectKey(row.wrapped, organisationId, subjectKeyId);
    const names = { organisationId, generationId, part, subjectKeyId };
    const content = openItem(dataKey, names, row.sealed);
    dataKey.fill(0);
    return content === undefined ? { ok: false, why: 'damaged' } : { ok: true, content };
  }

  /**
   * Unless a hold stands against it, which the vault looks for itself. From `erased` on nothing that was sealed under the key
   * opens, here or anywhere; `gone`: it was destroyed before.
   */
  async eraseKey(keyId: string, erasureId: string, ledgerId: string): Promise<Erasing> {
    const [row] = await this.#database.query<{ outcome: 'erased' | 'gone' | 'held'; hold: string }>(
      'select outcome, hold_id as hold from vault.erase_key($1, $2, $3)',
      [keyId, erasureId, ledgerId],
    );
    if (row === undefined) throw unavailable();
    const { outcome, hold } = row;
    return outcome === 'held' ? { outcome, holdId: hold } : { outcome };
  }

  /** Ciphertext of erased keys, a step at a time; of how many items. */
  clearErased(max: number): Promise<number> {
    return this.#step('vault.clear_erased($1)', [max]);
  }

  /**
   * By the vault's own clock, which alone judges there whether a time is over. In whole milliseconds, as records have it,
   * and never ahead.
   */
  async now(): Promise<string> {
    const [row] = await this.#database.query<{ now: Date }>(
      `select date_trunc('milliseconds', clock_timestamp()) as now`,
    );
    if (row === undefined) throw unavailable();
    return row.now.toISOString();
  }

  /** Organisations, in order, of which something has passed its time by then and is under no hold; with their ledger. */
  async expiring(
    before: string,
    max: number,
    after = '',
  ): Promise<readonly { readonly organisationId: string; readonly ledgerId: string }[]> {
    const rows = await this.#database.query<{ organisation_id: string; ledger_id: string }>(
      `select distinct i.organisation_id, i.ledger_id from vault.item i
       where i.expires_at < $1 and i.organisation_id > $3 and not exists (select from vault.hold h
         where vault.covers_item(h, i))
       order by i.organisation_id, i.ledger_id limit $2`,
      [before, max, after],
    );
    return rows.map((r) => ({ organisationId: r.organisation_id, ledgerId: r.ledger_id }));
  }

  /** What is under no hold at that moment. Throws where `before` is ahead of the vault's clock. */
  expireItems(organisationId: string, before: string, max: number): Promise<number> {
    return this.#step('vault.expire_items($1, $2, $3)', [organisationId, before, max]);
  }

  /** Destroys keys with which nothing is sealed any more; then forgets what was destroyed long enough ago. */
  async expireKeys(max: number): Promise<number> {
    const gone = await this.#step('vault.expire_keys($1)', [max]);
    await this.#step('vault.forget_keys($1)', [max]);
    return gone;
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  async #step(call: string, values: readonly unknown[]): Promise<number> {
    const [row] = await this.#database.query<{ n: number }>(`select ${call} as n`, values);
    if (row === undefined) throw unavailable();
    return row.n;
  }

  async #items(where: string, values: readonly unknown[]): Promise<readonly KeptItem[]> {
    const rows = await this.#database.query<ItemRow>(
      `select i.generation_id, i.part, i.organisation_id, i.ledger_id, i.subject_key_id, i.received_at, i.kept_at,
         i.expires_at, i.bytes, encode(i.digest, 'hex') as digest, i.recorded_in, k.destroyed_at
       from vault.item i join vault.subject_key k on k.id = i.subject_key_id
       where ${where} order by i.generation_id, i.part`,
      values,
    );
    return rows.map(keptItem);
  }

  #identity(): Promise<Pseudonyms> {
    this.#pseudonyms ??= claimIdentity(this.#database, this.options.key).catch((error) => {
      this.#pseudonyms = undefined;
      throw error;
    });
    return this.#pseudonyms;
  }
}

interface ItemRow {
  readonly generation_id: string;
  readonly part: ContentPart;
  readonly organisation_id: string;
  readonly ledger_id: string;
  readonly subject_key_id: string;
  readonly received_at: Date;
  readonly kept_at: Date;
  readonly expires_at: Date;
  readonly bytes: number;
  readonly digest: string;
  readonly recorded_in: string | null;
  readonly destroyed_at: Date | null;
}

const keptItem = (r: ItemRow): KeptItem => ({
  generationId: r.generation_id,
  part: r.part,
  organisationId: r.organisation_id,
  ledgerId: r.ledger_id,
  subjectKeyId: r.subject_key_id,
  receivedAt: r.received_at.toISOString(),
  keptAt: r.kept_at.toISOString(),
  expiresAt: r.expires_at.toISOString(),
  bytes: r.bytes,
  digest: `sha256:${r.digest}`,
  ...(r.recorded_in !== null && { recordedIn: r.recorded_in }),
  ...(r.destroyed_at !== null && { erasedAt: r.destroyed_at.toISOString() }),
});
