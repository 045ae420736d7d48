// The tree made again from the bytes of its entries, as a stranger would who was given nothing but the bundles.
import {
  CompactRange,
  decodeEntryBundle,
  encodeEntryBundle,
  leafHash,
  parseCheckpoint,
  TILE_WIDTH,
} from '#libs/transparency';
import type { Books, Rows } from './books.js';

const FAULTS_SHOWN = 10;

/** What of the stored tree does not follow from the entries; empty is right. */
export const rebuildTree = (books: Books): Promise<readonly string[]> =>
  books.atOneMoment(faultsOf);

async function faultsOf(rowsOf: Rows): Promise<readonly string[]> {
  const faults: string[] = [];
  const entries = await rowsOf<{ bytes: Buffer; hash: Buffer }>(
    `select e.bytes, l.leaf_hash as hash from ledger.entry e join ledger.leaf l using (leaf_index) order by leaf_index`,
  );
  const rootAt = new Map<string, Buffer>();
  const subtrees = new Map<string, Buffer>();
  const signed = await rowsOf<{ size: string; root: Buffer; body: string }>(
    'select size, root, body from ledger.checkpoint order by size',
  );
  const asked = new Set(signed.map(({ size }) => size));
  const tree = new CompactRange();
  for (let first = 0; first < entries.length; first += TILE_WIDTH) {
    const rows = entries.slice(first, first + TILE_WIDTH);
    const bundle = encodeEntryBundle(rows.map(({ bytes }) => bytes));
    decodeEntryBundle(bundle).forEach((bytes, i) => {
      const hash = leafHash(bytes);
      if (!hash.equals(rows[i]!.hash)) faults.push(`leaf ${first + i} has another hash`);
      tree.append(hash, (level, index, node) => {
        if (level % 8 === 0) subtrees.set(`${level / 8}/${index}`, node);
      });
      if (asked.has(tree.size.toString())) rootAt.set(tree.size.toString(), tree.root());
    });
  }
  const [state] = await rowsOf<{ size: string; frontier: Buffer[] }>(
    'select size, frontier from ledger.tree_state',
  );
  const stored = new CompactRange(BigInt(state!.size), state!.frontier);
  if (stored.size !== tree.size || !stored.root().equals(tree.root()))
    faults.push(`the frontier of ${stored.size} is not that of ${tree.size} entries`);
  const nodes = await rowsOf<{ place: string; hash: Buffer }>(
    `select level || '/' || node_index as place, hash from ledger.node`,
  );
  if (nodes.length !== subtrees.size)
    faults.push(`${nodes.length} subtrees are stored, ${subtrees.size} are complete`);
  for (const { place, hash } of nodes)
    if (subtrees.get(place)?.equals(hash) !== true) faults.push(`subtree ${place} differs`);
  for (const { size, root, body } of signed) {
    if (rootAt.get(size)?.equals(root) !== true) faults.push(`checkpoint ${size} has another root`);
    const said = parseCheckpoint(body);
    if (said.size.toString() !== size || !said.rootHash.equals(root))
      faults.push(`checkpoint ${size} says something else than its row`);
  }
  return faults.slice(0, FAULTS_SHOWN);
}
