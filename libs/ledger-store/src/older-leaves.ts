import type { ClientBase } from 'pg';
import type { LogRecord } from '#libs/audit-events';
import { DomainError } from '#libs/kernel';
import { CompactRange, HASH_BYTES, leafHash } from '#libs/transparency';
import type { LedgerStoreErrorCode } from './errors.js';
import { placeOf } from './fences.js';
import { LogQueries } from './log-queries.js';
import { extend, insertEntries, insertSubtrees, moveTree, type Entry } from './seal-leaves.js';

/** Leaf hashes read at once: 2 MB. */
const HASHES_PER_STEP = 65_536;

interface OlderSource {
  readonly id: number;
  readonly topic: string;
  readonly partition: number;
  /** First offset that is no leaf yet: the fence. */
  readonly end: bigint;
  /** Offset of the next record to take, and the leaf after which to look for it. */
  next: bigint;
  after: bigint;
}

/**
 * Leaves that were numbered before the tree's tables were there: their bytes are copied from the log, checked against the
 * leaf hashes, and the tree is built over them. Can be begun again at any point; until `seal` nothing relies on it.
 */
export class OlderLeaves {
  private constructor(
    private readonly client: ClientBase,
    readonly size: bigint,
    private readonly sources: ReadonlyMap<string, OlderSource>,
  ) {}

  /** Undefined where there are none. Throws `entries_gone` where leaves came from another log than this one. */
  static async find(client: ClientBase, logId: string): Promise<OlderLeaves | undefined> {
    const { rows: trees } = await client.query<{ size: string }>(
      `select size from ledger.tree_state where ledger_id = ledger.id() and size > 0 and frontier = '{}'`,
    );
    const size = trees[0]?.size;
    if (size === undefined) return undefined;
    const { rows } = await client.query<{
      id: number;
      log_id: string;
      topic: string;
      partition: number;
      next_offset: string;
    }>(
      `select id, log_id, topic, partition, next_offset from ledger.source_offset where next_offset > 0`,
    );
    const elsewhere = rows.find((r) => r.log_id !== logId);
    if (elsewhere !== undefined)
      throw gone('older leaves came from another log', { log: elsewhere.log_id });
    const sources = rows.map((r): [string, OlderSource] => [
      placeOf(r.topic, r.partition),
      {
        id: r.id,
        topic: r.topic,
        partition: r.partition,
        end: BigInt(r.next_offset),
        next: 0n,
        after: -1n,
      },
    ]);
    return new OlderLeaves(client, BigInt(size), new Map(sources));
  }

  /** Throws `entries_gone` where the log ends before a fence, or has lost a whole partition: reading on would never end. */
  demand(ends: readonly { topic: string; partition: number; next: bigint }[]): void {
    const known = new Map(ends.map((e) => [placeOf(e.topic, e.partition), e.next]));
    for (const [place, { topic, partition, end }] of this.sources)
      if ((known.get(place) ?? 0n) < end)
        throw gone('the log ends before the older leaves do', { topic, partition });
  }

  /** Whether every record before the fences was taken. */
  get complete(): boolean {
    return [...this.sources.values()].every((s) => s.next === s.end);
  }

  get taken(): bigint {
    return [...this.sources.values()].reduce((sum, s) => sum + s.next, 0n);
  }

  /** Takes records of the log from its first one on. Throws `entries_gone` where some are missing or altered. */
  async take(records: readonly LogRecord[]): Promise<void> {
    const bySource = Map.groupBy(records, (r) => this.sources.get(placeOf(r.topic, r.partition)));
    const entries: Entry[] = [];
    for (const [source, all] of bySource) {
      if (source === undefined) continue;
      const wanted = all.filter((r) => r.offset >= source.next && r.offset < source.end);
      if (wanted.length > 0) entries.push(...(await this.#match(source, wanted)));
    }
    await insertEntries(this.client, entries);
  }

  /** Builds nodes and frontier over the leaf hashes, in one transaction. Throws `entries_gone` where bytes are missing. */
  async seal(progress: (leaves: bigint) => void): Promise<void> {
    const { rows } = await this.client.query<{ n: string }>(
      `select count(*) as n from ledger.entry where leaf_index < $1`,
      [this.size.toString()],
    );
    if (BigInt(rows[0]!.n) !== this.size)
      throw gone('not every older leaf has its bytes', { leaves: this.size.toString() });
    await this.client.query('begin');
    try {
      const tree = new CompactRange();
      const queries = new LogQueries(this.client);
      while (tree.size < this.size) {
        const left = this.size - tree.size;
        const count = left < HASHES_PER_STEP ? Number(left) : HASHES_PER_STEP;
        const before = tree.size;
        const hashes = Buffer.concat(await queries.hashes(0, before, count));
        const leaves = Array.from({ length: hashes.length / HASH_BYTES }, (_, i) => ({
          hash: hashes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES),
        }));
        await insertSubtrees(this.client, extend(tree, leaves));
        if (tree.size === before) throw gone('leaves are missing', { from: before.toString() });
        progress(tree.size);
      }
      await moveTree(this.client, this.size, tree);
      await this.client.query('commit');
    } catch (error) {
      await this.client.query('rollback').catch(() => undefined);
      throw error;
    }
  }

  /** A partition's leaves have its offsets in order, so the next ones are found by walking on from the last. */
  async #match(source: OlderSource, records: readonly LogRecord[]): Promise<readonly Entry[]> {
    const { rows } = await this.client.query<{
      leaf_index: string;
      record_offset: string;
      leaf_hash: Buffer;
    }>({
      name: 'ledger.older_leaves',
      text: `select leaf_index, record_offset, leaf_hash from ledger.leaf
        where source_id = $1 and leaf_index > $2 order by leaf_index limit $3`,
      values: [source.id, source.after.toString(), records.length],
    });
    const entries = records.map((record, i): Entry => {
      const leaf = rows[i];
      if (
        record.offset !== source.next + BigInt(i) ||
        leaf?.record_offset !== record.offset.toString()
      )
        throw gone('the log no longer has the records of older leaves', {
          topic: source.topic,
          partition: source.partition,
          offset: record.offset.toString(),
        });
      if (!leafHash(record.value).equals(leaf.leaf_hash))
        throw gone('a record of the log is not the one that became a leaf', {
          leaf: leaf.leaf_index,
        });
      return { index: BigInt(leaf.leaf_index), value: record.value };
    });
    source.next += BigInt(records.length);
    source.after = entries.at(-1)!.index;
    return entries;
  }
}

const gone = (message: string, details: Readonly<Record<string, string | number>>): DomainError =>
  new DomainError<LedgerStoreErrorCode>('entries_gone', message, details);
