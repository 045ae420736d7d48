import { randomBytes } from 'node:crypto';
import { DomainError, uuidV7, type Clock } from '#libs/kernel';
import { unavailable, VaultDatabase } from './database.js';
import type { VaultErrorCode } from './errors.js';
import type { MasterKey, Pseudonyms, Subject } from './master-key.js';
import type { SealedItem } from './sealed-content.js';
import { XAES_KEY_BYTES } from './xaes.js';

/** Keys in memory: a destroyed one is of no use from the next item on, whoever remembers it. */
const KEYS_MAX = 10_000;
/** How long a key may be remembered: far less than the day after which an unused one is let go. */
const KEY_FRESH_MS = 5 * 60_000;
const CONNECTIONS_MAX = 4;

export interface SubjectKey {
  readonly id: string;
  readonly dataKey: Buffer;
}

/** What is stored beside the ciphertext: whose it is, for holds and for its end. */
export interface ItemsOf {
  readonly generationId: string;
  readonly organisationId: string;
  readonly workspaceId: string;
  readonly keyId: string;
  readonly ledgerId: string;
  readonly subjectKeyId: string;
  readonly receivedAt: string;
  readonly expiresAt: string;
}

/**
 * Nothing is stored where it is not `kept`. `erased`: the subject was, after this came. `outdated`: the key is destroyed,
 * this content is not concerned, and the key in use is another.
 */
export type Kept = 'kept' | 'erased' | 'outdated' | 'unknown' | 'conflict';

export interface ContentStoreOptions {
  /** The data plane's role: it may add by functions, and reads nothing back. */
  readonly url: string;
  readonly key: MasterKey;
  readonly clock: Clock;
}

/** The data plane's side of the vault. Everything throws `vault_unavailable` while it does not answer. */
export class ContentStore {
  readonly #database: VaultDatabase;
  /** In order of their making, the oldest first. */
  readonly #keys = new Map<string, { readonly key: SubjectKey; readonly untilMs: number }>();
  #pseudonyms: Promise<Pseudonyms> | undefined;

  constructor(private readonly options: ContentStoreOptions) {
    this.#database = new VaultDatabase({
      url: options.url,
      applicationName: 'custos ingress vault',
      connectionsMax: CONNECTIONS_MAX,
    });
  }

  /** Resolves where the vault answers and was begun with this master key. Throws `vault_key_changed` else. */
  async ready(): Promise<void> {
    await this.#identity();
    await this.#database.query('select 1');
  }

  /** The key of that subject, made where it has none. */
  async keyOf(subject: Subject): Promise<SubjectKey> {
    const pseudonym = (await this.#identity()).of(subject);
    const name = cacheName(subject.organisationId, pseudonym);
    const nowMs = this.options.clock.monotonicMs();
    const known = this.#keys.get(name);
    if (known !== undefined && known.untilMs > nowMs) return known.key;
    const key = await this.#askForKey(subject.organisationId, pseudonym);
    this.#keys.delete(name);
    this.#keys.set(name, { key, untilMs: nowMs + KEY_FRESH_MS });
    for (const [oldest, { untilMs }] of this.#keys) {
      if (this.#keys.size <= KEYS_MAX && untilMs > nowMs) break;
      this.#keys.delete(oldest);
    }
    return key;
  }

  /** To be called where an item was refused for its key: the next one asks for the key in use. */
  forget(keyId: string): void {
    for (const [name, { key }] of this.#keys) if (key.id === keyId) this.#keys.delete(name);
  }

  /** Stores one generation's items, all or none; the same items again change nothing. */
  async keep(of: ItemsOf, items: readonly SealedItem[]): Promise<Kept> {
    const [request, response] = (['request', 'response'] as const).map((part) =>
      items.find((item) => item.part === part),
    );
    const rows = await this.#database.query<{ kept: Kept }>(
      'select vault.keep($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) as kept',
      [
        of.generationId,
        of.organisationId,
        of.workspaceId,
        of.keyId,
        of.ledgerId,
        of.subjectKeyId,
        of.receivedAt,
        of.expiresAt,
        request?.sealed ?? null,
        request?.digest ?? null,
        request?.bytes ?? null,
        response?.sealed ?? null,
        response?.digest ?? null,
        response?.bytes ?? null,
      ],
    );
    const [row] = rows;
    if (row === undefined) throw unavailable();
    return row.kept;
  }

  /** Notes where in the log the records are that say so: from then on it may be read. */
  async markRecorded(
    records: readonly { readonly generationId: string; readonly place: string }[],
  ): Promise<void> {
    await this.#database.query('select vault.mark_recorded($1::text[], $2::text[])', [
      records.map((r) => r.generationId),
      records.map((r) => r.place),
    ]);
  }

  close(): Promise<void> {
    this.#keys.clear();
    return this.#database.close();
  }

  async #askForKey(organisationId: string, pseudonym: Buffer): Promise<SubjectKey> {
    const fresh = randomBytes(XAES_KEY_BYTES);
    const freshId = `vsk-${uuidV7(this.options.clock.nowMs())}`;
    const { key: master } = this.options;
    const [row] = await this.#database.query<{ key_id: string; key_wrapped: Buffer }>(
      'select key_id, key_wrapped from vault.key_of($1, $2, $3, $4)',
      [organisationId, pseudonym, freshId, master.wrapSubjectKey(fresh, organisationId, freshId)],
    );
    if (row === undefined) throw unavailable();
    const { key_id: id, key_wrapped: wrapped } = row;
    try {
      return { id, dataKey: master.unwrapSubjectKey(wrapped, organisationId, id) };
    } catch (error) {
      // The vault goes by another master key: whether by one that is at hand is asked anew, so that \`ready\` tells.
      this.#pseudonyms = undefined;
      throw error;
    }
  }

  #identity(): Promise<Pseudonyms> {
    this.#pseudonyms ??= claimIdentity(this.#database, this.options.key).catch((error) => {
      this.#pseudonyms = undefined;
      throw error;
    });
    return this.#pseudonyms;
  }
}

const cacheName = (organisationId: string, pseudonym: Buffer): string =>
  `${organisationId}/${pseudonym.toString('base64')}`;

/** The first to come begins the vault; whoever comes later with another master key is told. */
export async function claimIdentity(database: VaultDatabase, key: MasterKey): Promise<Pseudonyms> {
  const [row] = await database.query<{ wrapped: Buffer | null }>(
    'select vault.claim_identity($1) as wrapped',
    [key.newPseudonymSecret()],
  );
  if (row === undefined || row.wrapped === null)
    throw new DomainError<VaultErrorCode>('vault_unavailable', 'The vault has no identity.');
  return key.pseudonyms(row.wrapped);
}
