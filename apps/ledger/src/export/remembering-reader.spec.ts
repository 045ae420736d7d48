import { describe, expect, it } from '@jest/globals';
import { leafHash, nodeHash, type TreeNode } from '#libs/transparency';
import { rememberingReader } from './remembering-reader.js';

const hashOf = ({ level, index }: TreeNode): Buffer =>
  level === 0
    ? leafHash(Buffer.from(index.toString()))
    : nodeHash(
        hashOf({ level: level - 1, index: index * 2n }),
        hashOf({ level: level - 1, index: index * 2n + 1n }),
      );

describe('a reader that remembers', () => {
  it('gives each node in the order of the question, and asks for it once', async () => {
    const asked: TreeNode[] = [];
    const read = rememberingReader(async (nodes) => {
      asked.push(...nodes);
      return nodes.map(hashOf);
    });
    const [a, b, c] = [
      { level: 0, index: 5n },
      { level: 3, index: 1n },
      { level: 1, index: 0n },
    ] as const;
    expect(await read([a, b])).toEqual([a, b].map(hashOf));
    expect(await read([c, b, a])).toEqual([c, b, a].map(hashOf));
    expect(await read([b])).toEqual([hashOf(b)]);
    expect(await read([])).toEqual([]);
    expect(asked).toEqual([a, b, c]);
  });

  it('forgets, and still gives what was asked', async () => {
    let asked = 0;
    const read = rememberingReader(async (nodes) => {
      asked += nodes.length;
      return nodes.map(hashOf);
    });
    const kept = { level: 2, index: 0n };
    await read([kept]);
    for (let i = 0n; i < 9_000n; i++) await read([{ level: 0, index: i }, kept]);
    // Asked for with each of them, it is never forgotten; the others are.
    expect(asked).toBe(9_001);
    expect(await read([{ level: 0, index: 0n }, kept])).toEqual([
      hashOf({ level: 0, index: 0n }),
      hashOf(kept),
    ]);
    expect(asked).toBe(9_002);
  });
});
