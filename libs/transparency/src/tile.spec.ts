import { describe, expect, test } from '@jest/globals';
import { decodeEntryBundle, encodeEntryBundle } from './entry-bundle.js';
import { TransparencyError } from './errors.js';
import { NaiveTree } from './naive-tree.spec-support.js';
import { inclusionProof, consistencyProof } from './proof.js';
import {
  entryBundlePath,
  parseTilePath,
  readerOfTiles,
  tileAt,
  tilePath,
  tilesOf,
} from './tile.js';
import type { Tile } from './tile.js';

const code = (act: () => unknown): string => {
  try {
    act();
    return 'none';
  } catch (error) {
    return error instanceof TransparencyError ? error.code : 'other';
  }
};

describe('paths', () => {
  // The first is C2SP tlog-tiles' example; the shapes are those of golang.org/x/mod v0.42.0 sumdb/tlog tilePaths.
  test.each([
    [{ level: 0, index: 1_234_067n, width: 256 }, 'tile/0/x001/x234/067'],
    [{ level: 0, index: 1n, width: 256 }, 'tile/0/001'],
    [{ level: 0, index: 1n, width: 5 }, 'tile/0/001.p/5'],
    [{ level: 5, index: 123_456_078n, width: 256 }, 'tile/5/x123/x456/078'],
    [{ level: 5, index: 123_456_078n, width: 2 }, 'tile/5/x123/x456/078.p/2'],
    [{ level: 63, index: 0n, width: 255 }, 'tile/63/000.p/255'],
    [{ level: 0, index: 1000n, width: 256 }, 'tile/0/x001/000'],
    [
      { level: 0, index: (1n << 63n) - 1n, width: 1 },
      'tile/0/x009/x223/x372/x036/x854/x775/807.p/1',
    ],
  ])('%j', (tile, path) => {
    expect(tilePath(tile)).toBe(path);
    expect(parseTilePath(path)).toEqual({ kind: 'tile', ...tile });
    const { index, width } = tile;
    const entries = path.replace(/^tile\/\d+/, 'tile/entries');
    expect(entryBundlePath({ index, width })).toBe(entries);
    expect(parseTilePath(entries)).toEqual({ kind: 'entries', index, width });
  });

  test.each([
    'tile/0/1',
    'tile/0/0001',
    'tile/0/x000/001',
    'tile/0/001/002',
    'tile/0/x001',
    'tile/00/001',
    'tile/64/001',
    'tile/-1/001',
    'tile/0/001.p/0',
    'tile/0/001.p/01',
    'tile/0/001.p/256',
    'tile/0/001.p/257',
    'tile/0/001.p/',
    'tile/0/001.p',
    '/tile/0/001',
    'tile/0/001/',
    'tile/0/001\n',
    'tile/data/001',
    'tile/5/123/456/078',
    'tile/0/../001',
    'tile/0/x009/x223/x372/x036/x854/x775/808',
    `tile/0/${'x999/'.repeat(400)}999`,
    '',
  ])('refuses %s', (path) => {
    expect(parseTilePath(path)).toBeUndefined();
  });

  test('no path is written for what cannot be a tile', () => {
    for (const tile of [
      { level: -1, index: 0n, width: 1 },
      { level: 64, index: 0n, width: 1 },
      { level: 0.5, index: 0n, width: 1 },
      { level: 0, index: -1n, width: 1 },
      { level: 0, index: 0n, width: 0 },
      { level: 0, index: 0n, width: 257 },
      { level: 0, index: 1n << 63n, width: 1 },
    ])
      expect(code(() => tilePath(tile))).toBe('invalid_tile');
  });
});

test('a tree of 70,000 leaves has the tiles that C2SP tlog-tiles counts', () => {
  const tiles = [...tilesOf(70_000n)];
  const count = (level: number, full: boolean) =>
    tiles.filter((tile) => tile.level === level && (tile.width === 256) === full);
  expect(count(0, true)).toHaveLength(273);
  expect(count(0, false)).toEqual([{ level: 0, index: 273n, width: 112 }]);
  expect(count(1, true)).toHaveLength(1);
  expect(count(1, false)).toEqual([{ level: 1, index: 1n, width: 17 }]);
  expect(count(2, false)).toEqual([{ level: 2, index: 0n, width: 1 }]);
  expect(tiles).toHaveLength(277);
  expect([...tilesOf(256n)]).toEqual([
    { level: 0, index: 0n, width: 256 },
    { level: 1, index: 0n, width: 1 },
  ]);
  expect([...tilesOf(0n)]).toEqual([]);
  expect(tileAt(256n, 0, 1n)).toBeUndefined();
  expect(tileAt((1n << 63n) - 1n, 7, 0n)).toEqual({ level: 7, index: 0n, width: 127 });
});

describe('proofs read from tiles', () => {
  const LEAVES = 66_000;
  const tree = new NaiveTree(LEAVES);
  const contents = (tile: Tile): Buffer => {
    const span = 256 ** tile.level;
    const first = Number(tile.index) * 256;
    return Buffer.concat(
      Array.from({ length: tile.width }, (_, at) =>
        tree.root((first + at + 1) * span, (first + at) * span),
      ),
    );
  };

  test('are those of RFC 6962, also across three levels and in partial tiles', async () => {
    for (const size of [1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, LEAVES]) {
      const fetched: string[] = [];
      const read = readerOfTiles(BigInt(size), (tile) => {
        fetched.push(tilePath(tile));
        return Promise.resolve(contents(tile));
      });
      for (const index of new Set(
        [0, 1, size >> 1, 255, 256, size - 1].filter((at) => at < size),
      )) {
        expect(await inclusionProof(BigInt(index), BigInt(size), read)).toEqual(
          tree.path(index, size),
        );
        expect(new Set(fetched).size).toBe(fetched.length);
        fetched.length = 0;
      }
      for (const from of [1, size >> 1, size - 1].filter((at) => at > 0)) {
        expect(await consistencyProof(BigInt(from), BigInt(size), read)).toEqual(
          tree.consistency(from, size),
        );
        fetched.length = 0;
      }
    }
  });

  test('a tile of another length, or a node that is not complete, is refused', async () => {
    const short = readerOfTiles(300n, (tile) => Promise.resolve(contents(tile).subarray(32)));
    await expect(inclusionProof(0n, 300n, short)).rejects.toMatchObject({ code: 'invalid_tile' });
    const read = readerOfTiles(300n, (tile) => Promise.resolve(contents(tile)));
    await expect(read([{ level: 6, index: 4n }])).rejects.toMatchObject({ code: 'invalid_tile' });
    await expect(read([{ level: 0, index: 300n }])).rejects.toMatchObject({ code: 'invalid_tile' });
  });
});

describe('entry bundles', () => {
  test('are big-endian uint16 lengths and bytes', () => {
    const bundle = encodeEntryBundle([Buffer.from('abc'), Buffer.alloc(0), Buffer.alloc(258, 7)]);
    expect(bundle.subarray(0, 9)).toEqual(
      Buffer.from('0003616263000001020707'.slice(0, 18), 'hex'),
    );
    expect(decodeEntryBundle(bundle)).toEqual([
      Buffer.from('abc'),
      Buffer.alloc(0),
      Buffer.alloc(258, 7),
    ]);
    const largest = Buffer.alloc(65_535, 1);
    expect(decodeEntryBundle(encodeEntryBundle([largest]))).toEqual([largest]);
  });

  test('what is too large, too many, empty or cut off is refused', () => {
    expect(code(() => encodeEntryBundle([Buffer.alloc(65_536)]))).toBe('entry_too_large');
    expect(code(() => encodeEntryBundle([]))).toBe('invalid_entry_bundle');
    expect(code(() => encodeEntryBundle(Array(257).fill(Buffer.alloc(1))))).toBe(
      'invalid_entry_bundle',
    );
    expect(code(() => decodeEntryBundle(Buffer.alloc(0)))).toBe('invalid_entry_bundle');
    expect(code(() => decodeEntryBundle(Buffer.alloc(257 * 2)))).toBe('invalid_entry_bundle');
    const bundle = encodeEntryBundle([Buffer.from('abc'), Buffer.from('de')]);
    for (let length = 0; length < bundle.length; length++)
      if (length !== 5)
        expect(code(() => decodeEntryBundle(bundle.subarray(0, length)))).toBe(
          'invalid_entry_bundle',
        );
    expect(decodeEntryBundle(bundle.subarray(0, 5))).toHaveLength(1);
  });
});
