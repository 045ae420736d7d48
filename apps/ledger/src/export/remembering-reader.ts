import type { HashReader, TreeNode } from '#libs/transparency';

/** Some megabyte. Proofs in the order of leaves need the nodes of a few tiles again and again, and no older ones. */
const NODES_MAX = 8_192;

/**
 * Reads each node of a tree once for as long as it is remembered: proofs of neighbours share most of their way, and a node
 * within a tile is worked out from up to 128 hashes each time.
 */
export function rememberingReader(read: HashReader): HashReader {
  const known = new Map<string, Buffer>();
  return async (nodes) => {
    const unknown = nodes.filter((node) => !known.has(keyOf(node)));
    const hashes = unknown.length > 0 ? await read(unknown) : [];
    if (known.size > NODES_MAX) {
      const kept = nodes.map((node) => [keyOf(node), known.get(keyOf(node))] as const);
      known.clear();
      for (const [key, hash] of kept) if (hash) known.set(key, hash);
    }
    for (const [at, node] of unknown.entries()) known.set(keyOf(node), hashes[at]!);
    return nodes.map((node) => known.get(keyOf(node))!);
  };
}

const keyOf = ({ level, index }: TreeNode): string => `${level}/${index}`;
