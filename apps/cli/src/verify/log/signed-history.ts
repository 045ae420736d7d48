import {
  consistencyProof,
  readerOfTiles,
  verifyConsistency,
  type NoteVerifier,
  type Tile,
} from '#libs/transparency';
import type { Findings, Place } from '../report.js';
import type { ExportSource } from '../source/export-source.js';
import { jsonLines } from '../source/json-lines.js';
import { isRecord } from '../source/manifest.js';
import { readHead, sameHead, type SignedHead } from './signed-head.js';
import type { TileTree } from './tile-tree.js';

export const CHECKPOINT = 'checkpoint';
export const HISTORY = 'checkpoints.jsonl';

/** Lines of a history: one a second for a day and more. */
const STATEMENTS_MAX = 100_000;

/** One thing that the log signed, and where we have it from. */
export interface Statement {
  readonly head: SignedHead;
  readonly place: Place;
}

/** The history that an export carries. What is not signed by the key is a fault; none at all is fine. */
export async function readHistory(
  source: ExportSource,
  key: NoteVerifier | undefined,
  findings: Findings,
): Promise<readonly Statement[]> {
  const parts = await source.stream(HISTORY);
  const statements: Statement[] = [];
  if (parts === undefined) return statements;
  for await (const { line, value } of jsonLines(parts, HISTORY, STATEMENTS_MAX)) {
    const place = { file: HISTORY, line };
    const note = isRecord(value) ? value['note'] : undefined;
    if (typeof note !== 'string') {
      findings.fault('altered', place, 'not a line with a size and a note');
      continue;
    }
    const read = readHead(note, key);
    if (!read.ok) findings.fault('unsigned', place, read.message);
    else if (isRecord(value) && value['size'] !== String(read.head.size))
      findings.fault('altered', place, 'the size is not that of the note');
    else statements.push({ head: read.head, place: { ...place, size: String(read.head.size) } });
  }
  findings.claim('earlier checkpoints', `the ${statements.length} of ${HISTORY} were all`);
  return statements;
}

/** Two roots that one key signed for one size. */
export function findTwoRoots(statements: readonly Statement[], findings: Findings): void {
  const bySize = new Map<number, Statement>();
  for (const statement of statements) {
    const { head, place } = statement;
    const known = bySize.get(head.size);
    if (known === undefined) bySize.set(head.size, statement);
    else if (!sameHead(known.head, head))
      findings.fault(
        'equivocated',
        { ...place, size: String(head.size) },
        `another root was signed for this size (${known.place.file ?? ''})`,
      );
  }
}

/** Compares signed checkpoints with one signed tree by consistency proofs, made from its tiles. */
export class GrowthCheck {
  constructor(
    private readonly tree: TileTree,
    private readonly base: SignedHead,
  ) {}

  /** Undefined where tiles that the proof needs are not there or not the signed tree's. */
  async isPrefix(earlier: SignedHead): Promise<boolean | undefined> {
    const { base } = this;
    const from = BigInt(earlier.size);
    const to = BigInt(base.size);
    if (from > to) return undefined;
    try {
      const read = readerOfTiles(to, (tile) => this.#authentic(tile));
      const proof = await consistencyProof(from, to, read);
      const { rootHash: fromRoot } = earlier;
      return verifyConsistency({ from, to, fromRoot, toRoot: base.rootHash, proof });
    } catch (error) {
      if (error instanceof NotAuthentic) return undefined;
      throw error;
    }
  }

  async #authentic({ level, index }: Tile): Promise<Buffer> {
    const tile = await this.tree.tile(level, Number(index));
    if (!tile?.authentic) throw new NotAuthentic();
    return tile.hashes;
  }
}

class NotAuthentic extends Error {}
