import { entryBundlePath, leafHash, TILE_WIDTH, tilePath } from '#libs/transparency';
import { Progress } from '../progress.js';
import { FILE_BYTES_MAX, SourceFault } from '../source/export-source.js';
import { entryOf, hashAt, hashBundle, type HashedBundle } from './fast-hash.js';
import { BundleJudge } from './judge-bundle.js';
import { openLog, type LogToWalk, type Walked, type WalkedLog } from './open-log.js';
import { readBundle, readEntry } from './read-entry.js';
import { GrowthCheck, type Statement } from './signed-history.js';
import type { SignedHead } from './signed-head.js';
import { findStrayTiles } from './stray-tiles.js';
import { TileTree } from './tile-tree.js';

/** Other signed checkpoints tried, newest first, when the tiles are not the tree of the one to be verified. */
const BASES_TRIED = 3;

/**
 * Tiles in a row that are missing, or not the signed tree's, after which the rest is not asked for: the size may be made
 * up, and whoever holds the key can sign any.
 */
const UNSOUND_MAX = 4_000;

/**
 * Verifies a log from its signed checkpoint down to the bytes of its entries, in one pass, in memory that does not
 * grow with it. Undefined where there is no checkpoint to begin with; what is wrong is in `findings`.
 */
export async function walkLog(log: LogToWalk): Promise<Walked | undefined> {
  const opened = await openLog(log);
  if (!opened) return undefined;
  const { walked, main, statements } = opened;
  const walk = new LogWalk(log, walked);
  log.begin?.(walked, (leaf) => walk.entryAgain(leaf));
  await walk.run(main, statements);
  if (log.allFiles === true) await findStrayTiles(log, walked);
  return { ...walked, entriesRead: walk.entriesRead };
}

class LogWalk {
  readonly #judge: BundleJudge;
  #entriesForbidden = false;
  #entriesProved = 0;
  #tree: { readonly tiles: TileTree; readonly size: number } | undefined;

  constructor(
    private readonly log: LogToWalk,
    private readonly walked: WalkedLog,
  ) {
    this.#judge = new BundleJudge(log.findings);
  }

  get entriesRead(): boolean {
    return !this.#entriesForbidden;
  }

  async run(main: Statement, statements: readonly Statement[]): Promise<void> {
    const { findings } = this.log;
    const { head } = main;
    const before = findings.faultCount;
    const base = await this.#base(main, statements);
    const tree = base?.tree ?? new TileTree(this.log.source, head, findings);
    if (!base) {
      const edge = await tree.openEdge(this.#lastLeaves(head));
      for (const { reason, place, message } of edge.faults) findings.fault(reason, place, message);
    }
    this.#tree = { tiles: tree, size: (base?.head ?? head).size };
    await this.#walk(tree, base?.head ?? head);
    this.#judge.finish();
    if (!base && findings.faultCount === before)
      findings.fault(
        'altered',
        main.place,
        'the tiles agree with each other and make up another tree than the one that was signed',
      );
    if (base) await this.#growth(base, [main, ...statements]);
    const { firstLeaf, endLeaf } = this.walked;
    findings.checked['origin'] = head.origin;
    findings.checked['size'] = head.size;
    findings.checked['entries'] = this.#entriesProved;
    if (this.log.whole === true && (firstLeaf > 0 || endLeaf < head.size || this.#entriesForbidden))
      findings.fault(
        'incomplete',
        { leafIndex: firstLeaf > 0 ? '0' : endLeaf.toString() },
        `entries of the leaves ${firstLeaf} to ${endLeaf} (exclusive) were to be looked at, of ${head.size}`,
      );
    if (firstLeaf > 0) findings.notCovered(`entries of the leaves before ${firstLeaf}`);
    if (endLeaf < head.size) findings.notCovered(`entries of the leaves from ${endLeaf}`);
  }

  async entryAgain(leaf: number): Promise<Buffer | undefined> {
    if (!this.#tree) return undefined;
    const { tiles, size } = this.#tree;
    const bytes = await readEntry(this.log.source, size, leaf);
    const tile = await tiles.tile(0, Math.floor(leaf / TILE_WIDTH));
    if (bytes && tile && leafHash(bytes).equals(hashAt(tile.hashes, leaf % TILE_WIDTH)))
      return bytes;
    this.log.findings.fault(
      'altered',
      { leafIndex: leaf.toString() },
      'read once more, it was no longer the entry that it had been',
    );
    return undefined;
  }

  /** The signed tree that these tiles are: the checkpoint's own, else another that the same key signed. */
  async #base(main: Statement, statements: readonly Statement[]) {
    const newest = statements.toSorted((a, b) => b.head.size - a.head.size);
    for (const { head } of [main, ...newest.slice(0, BASES_TRIED)]) {
      const tree = new TileTree(this.log.source, head, this.log.findings);
      const edge = await tree.openEdge(this.#lastLeaves(head));
      if (!edge.signed) continue;
      for (const { reason, place, message } of edge.faults)
        this.log.findings.fault(reason, place, message);
      return { head, tree };
    }
    return undefined;
  }

  async #walk(tree: TileTree, head: SignedHead): Promise<void> {
    const { source } = this.log;
    const progress = new Progress('leaves', head.size);
    const tiles = Math.ceil(head.size / TILE_WIDTH);
    const ahead: { tile: Promise<Buffer | undefined>; bundle: Promise<Buffer | undefined> }[] = [];
    const fetch = (index: number): void => {
      const width = Math.min(TILE_WIDTH, head.size - index * TILE_WIDTH);
      const place = { level: 0, index: BigInt(index), width };
      const tile = source.read(tilePath(place), FILE_BYTES_MAX.tile);
      const bundle = this.#isCovered(index, width)
        ? this.#entries(index, width)
        : Promise.resolve(undefined);
      // Awaited in order below; until then a failure must not count as nobody's.
      tile.catch(() => undefined);
      bundle.catch(() => undefined);
      ahead.push({ tile, bundle });
    };
    for (let index = 0, next = 0, unsound = 0; index < tiles; index++) {
      while (next < tiles && next < index + source.readAhead) fetch(next++);
      const { tile, bundle } = ahead.shift()!;
      const stored = await tile;
      const authentic = await this.#step(tree, head, index, stored, await bundle);
      unsound = authentic ? 0 : unsound + 1;
      if (unsound >= UNSOUND_MAX) {
        this.log.findings.notCovered(
          `leaves from ${index * TILE_WIDTH} on: too much is missing, or another tree's`,
        );
        break;
      }
      progress.advance(Math.min(TILE_WIDTH, head.size - index * TILE_WIDTH));
    }
    this.log.findings.checked['leavesPerSecond'] = progress.perSecond();
  }

  async #step(
    tree: TileTree,
    head: SignedHead,
    index: number,
    stored: Buffer | undefined,
    bytes: Buffer | undefined,
  ): Promise<boolean> {
    const width = Math.min(TILE_WIDTH, head.size - index * TILE_WIDTH);
    const hashed = bytes && hashBundle(bytes);
    const tile = await tree.leafTile(index, stored, async () => hashed?.hashes);
    const authentic = tile?.authentic === true;
    if (!this.#isCovered(index, width) || this.#entriesForbidden || !tile) return authentic;
    const sound = hashed?.rest === 0 && hashed.hashes.equals(tile.hashes);
    const firstLeaf = index * TILE_WIDTH;
    if (!sound) {
      const file = entryBundlePath({ index: BigInt(index), width });
      this.#judge.judge(file, firstLeaf, bytes && hashed && { bytes, hashed }, tile.hashes);
    }
    if (bytes && hashed) await this.#take(firstLeaf, bytes, hashed, tile.hashes, sound);
    return authentic;
  }

  async #take(
    firstLeaf: number,
    bytes: Buffer,
    hashed: HashedBundle,
    authentic: Buffer,
    sound: boolean,
  ): Promise<void> {
    const { take } = this.log;
    const width = authentic.length / 32;
    for (let at = 0; at < Math.min(width, hashed.count); at++) {
      const [from, to] = [at * 32, at * 32 + 32];
      if (!sound && authentic.compare(hashed.hashes, from, to, from, to) !== 0) continue;
      const leaf = firstLeaf + at;
      if (leaf < this.walked.firstLeaf || leaf >= this.walked.endLeaf) continue;
      this.#entriesProved += 1;
      const taken = take?.(leaf, entryOf(bytes, hashed, at));
      if (taken) await taken;
    }
  }

  async #growth(
    { head: base, tree }: { readonly head: SignedHead; readonly tree: TileTree },
    statements: readonly Statement[],
  ): Promise<void> {
    const { findings, previous } = this.log;
    const growth = new GrowthCheck(tree, base);
    let compared = 0;
    for (const statement of statements) {
      const { head, place } = statement;
      if (head.size > base.size) {
        if (statement === previous)
          findings.fault(
            'incomplete',
            place,
            `it is of ${head.size} leaves, of which ${base.size} are here: hand over a later state, or leaves were taken back`,
          );
        else if (statement === statements[0])
          findings.fault('removed', place, `the tiles are those of ${base.size} leaves`);
        else
          findings.fault(
            'incomplete',
            place,
            `the log signed a tree of ${head.size} leaves, and these are ${base.size}`,
          );
        continue;
      }
      // Two roots for one size have been found before.
      if (head.size === base.size) continue;
      const holds = await growth.isPrefix(head);
      if (holds) compared += 1;
      else if (holds === undefined)
        findings.notCovered('earlier checkpoints whose proofs need tiles that are not sound');
      else findings.fault('equivocated', place, `no beginning of the signed tree of ${base.size}`);
    }
    findings.checked['earlierCheckpoints'] = compared;
  }

  #lastLeaves = (head: SignedHead) => async (): Promise<Buffer | undefined> => {
    const index = Math.floor(head.size / TILE_WIDTH);
    const width = head.size % TILE_WIDTH;
    if (!this.#isCovered(index, width)) return undefined;
    const bytes = await this.#entries(index, width);
    return bytes && hashBundle(bytes).hashes;
  };

  #isCovered(index: number, width: number): boolean {
    const { firstLeaf, endLeaf } = this.walked;
    return index * TILE_WIDTH < endLeaf && index * TILE_WIDTH + width > firstLeaf;
  }

  async #entries(index: number, width: number): Promise<Buffer | undefined> {
    if (this.#entriesForbidden) return undefined;
    try {
      return await readBundle(this.log.source, index, width);
    } catch (error) {
      if (!(error instanceof SourceFault) || error.code !== 'forbidden') throw error;
      this.#entriesForbidden = true;
      this.log.findings.notCovered('entries: an auditor’s key must be given (--auditor-key)');
      return undefined;
    }
  }
}
