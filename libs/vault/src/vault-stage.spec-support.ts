import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { SystemClock } from '#libs/kernel';
import { freshDatabase, type FreshDatabase } from '../../../test/support/postgres.js';
import { ContentStore, type ItemsOf } from './content-store.js';
import { MasterKey, type Subject } from './master-key.js';
import { sealItem, type SealedItem } from './sealed-content.js';
import type { HoldInForce } from './vault-holds.js';
import { VaultKeeper } from './vault-keeper.js';

export const DAY_MS = 86_400_000;

export interface Stored {
  readonly of: ItemsOf;
  readonly items: readonly SealedItem[];
  readonly dataKey: Buffer;
}

/** A vault with both of its sides, and its database's superuser. */
export class VaultStage {
  readonly masterBytes = randomBytes(32);
  readonly key = new MasterKey(this.masterBytes);
  readonly clock = new SystemClock();
  keeper!: VaultKeeper;
  store!: ContentStore;
  superuser!: pg.Client;
  #next = 0;
  readonly #opened: { close(): Promise<void> }[] = [];

  private constructor(readonly database: FreshDatabase) {}

  static async open(): Promise<VaultStage> {
    const stage = new VaultStage(await freshDatabase());
    stage.keeper = await stage.keeperWith(stage.key);
    stage.store = stage.storeWith(stage.key);
    stage.superuser = new pg.Client({ connectionString: stage.database.superuserUrl });
    await stage.superuser.connect();
    return stage;
  }

  async close(): Promise<void> {
    for (const opened of this.#opened) await opened.close();
    await this.superuser.end();
    await this.database.drop();
  }

  /** Another process on the same vault, with this master key. */
  async keeperWith(key: MasterKey): Promise<VaultKeeper> {
    const { appUrl, ownerUrl, auditUrl } = this.database;
    const keeper = new VaultKeeper({ url: appUrl, migrationUrl: ownerUrl, auditUrl, key });
    this.#opened.push(keeper);
    await keeper.open();
    return keeper;
  }

  storeWith(key: MasterKey): ContentStore {
    const store = new ContentStore({ url: this.database.auditUrl, key, clock: this.clock });
    this.#opened.push(store);
    return store;
  }

  readonly aSubject = (): Subject => ({
    organisationId: 'org-1',
    kind: 'named',
    word: `somebody ${this.#next++}`,
  });

  readonly sealed = async (
    subject: Subject,
    changes: Partial<ItemsOf> = {},
    store = this.store,
  ): Promise<Stored> => {
    const { id, dataKey } = await store.keyOf(subject);
    const generationId = `gen-${this.#next++}`;
    const { organisationId } = subject;
    const of: ItemsOf = {
      generationId,
      organisationId,
      workspaceId: 'ws-1',
      keyId: 'key-1',
      ledgerId: 'main',
      subjectKeyId: id,
      receivedAt: new Date().toISOString(),
      expiresAt: new Date(Date.now() + DAY_MS).toISOString(),
      ...changes,
    };
    const names = { organisationId, generationId, subjectKeyId: of.subjectKeyId };
    const items = [
      await sealItem(dataKey, { ...names, part: 'request' }, [Buffer.from('a question')]),
      await sealItem(dataKey, { ...names, part: 'response' }, [Buffer.from('an answer')]),
    ];
    return { of, items, dataKey };
  };

  readonly stored = async (
    subject: Subject,
    changes: Partial<ItemsOf> = {},
    store = this.store,
  ): Promise<Stored> => {
    const s = await this.sealed(subject, changes, store);
    const kept = await store.keep(s.of, s.items);
    if (kept !== 'kept') throw new Error(kept);
    await store.markRecorded([{ generationId: s.of.generationId, place: 'custos.audit.v1/0/7' }]);
    return s;
  };

  /** In force until it is lifted; whoever places one lifts it. */
  readonly placed = async (scope: Partial<HoldInForce> = {}): Promise<string> => {
    const id = `hold-${this.#next++}`;
    await this.keeper.holds.place([{ id, ledgerId: 'main', ...scope }]);
    return id;
  };

  /** Until some session waits for a lock with a statement like that. */
  readonly untilWaiting = async (statement: string): Promise<void> => {
    for (;;) {
      const { rowCount } = await this.superuser.query(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like $1`,
        [`%${statement}%`],
      );
      if (rowCount !== 0) return;
    }
  };
}
