import { uuidV7 } from '#libs/kernel';
import { unavailable, type VaultDatabase } from './database.js';
import type { MasterKey } from './master-key.js';

/** A rotation to the key that wraps now. */
export interface Rotation {
  readonly id: string;
  readonly toKey: string;
  /** The key under which the vault's identity was when it began. */
  readonly fromKeys: readonly string[];
  readonly beganAt: string;
  readonly beganRecorded: boolean;
  readonly endedAt?: string;
  readonly endedRecorded: boolean;
}

/** What is wrapped under what. */
export interface WrapCount {
  /** Id of the master key; undefined: wraps of a version that did not name it. */
  readonly keyId?: string;
  readonly subjectKeys: number;
  /** Whether this process was given that key. An unnamed wrap is tried with each. */
  readonly atHand: boolean;
}

interface WrapRow {
  readonly id: string;
  readonly organisation_id: string;
  readonly wrapped: Buffer;
}

/**
 * Under a master key that was rotated away from, or unnamed (`''`). One that is neither this nor known was given to gateways
 * before control: what they wrapped before the rotation to this key began is behind it, and else it is the next one. Below and
 * above instead of unequal: an index answers it, which has nothing but this key most of the time.
 */
const BEHIND = `wrapped is not null
  and (vault.wrapped_under(wrapped) < $1 or vault.wrapped_under(wrapped) > $1)
  and (vault.wrapped_under(wrapped) = any (array(select key_id from vault.rotation where key_id <> $1) || array[''])
    or created_at < (select began_at from vault.rotation where key_id = $1))`;

/**
 * Brings everything under the master key that wraps now, a page at a time. The vault itself says what is left, so that any
 * process goes on where another ended; what does not open with the keys at hand stays as it is.
 */
export class KeyRotation {
  /** Past which this round has not looked yet. */
  #cursor = '';

  constructor(
    private readonly database: VaultDatabase,
    private readonly key: MasterKey,
  ) {}

  /**
   * Whether the vault's identity is under another key, or anything is under one that was rotated away from. A key that is
   * only given beforehand changes nothing.
   */
  async isDue(): Promise<boolean> {
    const { id } = this.key;
    const identity = await this.#identity();
    if (identity !== undefined && identity.rewrapped.from !== id) return true;
    const [row] = await this.database.query<{ due: boolean }>(
      `select exists (select from vault.subject_key where ${BEHIND})
         and $1 = (select key_id from vault.rotation order by seq desc limit 1) as due`,
      [id],
    );
    return row?.due === true;
  }

  /** The rotation to be worked on; undefined where the vault was rotated away from this process's key, or never to it. */
  async begin(): Promise<Rotation | undefined> {
    const { id } = this.key;
    const from = (await this.#identity())?.rewrapped.from;
    if (from === undefined) return undefined;
    if (from === id) {
      const newest = await this.newest();
      return newest?.toKey === id ? newest : undefined;
    }
    const [row] = await this.database.query<RotationRow>(
      `select ${COLUMNS} from vault.begin_rotation($1, $2, $3) where key_id is not null`,
      [[from], id, `rotation-${uuidV7(Date.now())}`],
    );
    return row === undefined ? undefined : rotationOf(row);
  }

  /** The newest one, whoever works on it. */
  async newest(): Promise<Rotation | undefined> {
    const [row] = await this.database.query<RotationRow>(
      `select ${COLUMNS} from vault.rotation order by seq desc limit 1`,
    );
    return row === undefined ? undefined : rotationOf(row);
  }

  /** Of all subjects' keys that are not destroyed. Reads an index as large as these are many. */
  async counts(): Promise<readonly WrapCount[]> {
    const rows = await this.database.query<{ under: string; n: string }>(
      `select vault.wrapped_under(wrapped) as under, count(*) as n from vault.subject_key
       where wrapped is not null group by 1 order by 1`,
    );
    return rows.map(({ under, n }) => ({
      ...(under !== '' && { keyId: under }),
      subjectKeys: Number(n),
      atHand: under === '' || this.key.ids.includes(under),
    }));
  }

  /**
   * Wraps the next ones anew, the vault's identity first: a process without the new key learns by it that it lacks one.
   * False where this round has come to the end of what there is.
   */
  async step(max: number): Promise<boolean> {
    const identity = await this.#identity();
    if (identity !== undefined && identity.rewrapped.from !== this.key.id)
      await this.database.query('select vault.rewrap_identity($1, $2)', [
        identity.wrapped,
        identity.rewrapped.wrapped,
      ]);
    const rows = await this.database.query<WrapRow>(
      `select id, organisation_id, wrapped from vault.subject_key
       where ${BEHIND} and id > $2 order by id limit $3`,
      [this.key.id, this.#cursor, max],
    );
    const anew = rows.flatMap((row) => {
      const rewrapped = this.key.rewrapSubjectKey(row.wrapped, row.organisation_id, row.id);
      return rewrapped === undefined ? [] : [{ ...row, anew: rewrapped.wrapped }];
    });
    await this.database.query('select vault.rewrap_keys($1::text[], $2::bytea[], $3::bytea[])', [
      anew.map((r) => r.id),
      anew.map((r) => r.wrapped),
      anew.map((r) => r.anew),
    ]);
    const isOver = rows.length < max;
    this.#cursor = isOver ? '' : rows.at(-1)!.id;
    return !isOver;
  }

  /** How many are left: no key at hand opens them, or they came while it was at work. */
  async left(): Promise<number> {
    const [row] = await this.database.query<{ n: string }>(
      `select count(*) as n from vault.subject_key where ${BEHIND}`,
      [this.key.id],
    );
    if (row === undefined) throw unavailable();
    return Number(row.n);
  }

  async note(what: 'began_recorded' | 'ended' | 'ended_recorded'): Promise<void> {
    await this.database.query('select vault.note_rotation($1, $2)', [this.key.id, what]);
  }

  async #identity() {
    const [row] = await this.database.query<{ wrapped: Buffer }>(
      'select wrapped_secret as wrapped from vault.identity',
    );
    const rewrapped = row && this.key.rewrapPseudonymSecret(row.wrapped);
    return rewrapped && { wrapped: row.wrapped, rewrapped };
  }
}

const COLUMNS =
  'rotation_id, key_id, from_keys, began_at, began_recorded, ended_at, ended_recorded';

interface RotationRow {
  readonly rotation_id: string;
  readonly key_id: string;
  readonly from_keys: readonly string[];
  readonly began_at: Date;
  readonly began_recorded: boolean;
  readonly ended_at: Date | null;
  readonly ended_recorded: boolean;
}

const rotationOf = (r: RotationRow): Rotation => ({
  id: r.rotation_id,
  toKey: r.key_id,
  fromKeys: r.from_keys,
  beganAt: r.began_at.toISOString(),
  beganRecorded: r.began_recorded,
  ...(r.ended_at !== null && { endedAt: r.ended_at.toISOString() }),
  endedRecorded: r.ended_recorded,
});
