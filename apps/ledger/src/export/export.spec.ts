import 'reflect-metadata';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { JournalRecord } from '#libs/ledger-store';
import {
  CompactRange,
  decodeEntryBundle,
  entryBundleAt,
  entryBundlePath,
  HASH_BYTES,
  leafHash,
  openCheckpoint,
  parsePolicy,
  readerOfTiles,
  tilePath,
  tilesOf,
  inclusionProof,
  verifyInclusion,
} from '#libs/transparency';
import { runDirectory } from '../../../../test/support/postgres.js';
import { LedgerStage } from '../ledger-stage.spec-support.js';
import type { ExportManifest } from './manifest.js';
import { tar } from './tar.js';

const run = promisify(execFile);

describe('an export', () => {
  let stage: LedgerStage;
  let directory: string;
  let middle: string;

  beforeAll(async () => {
    stage = await LedgerStage.open();
    directory = await mkdtemp(join(runDirectory(), 'export-'));
    await stage.startLedger();
    const ingress = await stage.writer('ingress');
    await Promise.all(Array.from({ length: 140 }, () => stage.complete(ingress)));
    await stage.settled();
    middle = await databaseTime();
    const second = await stage.writer('ingress');
    await Promise.all(Array.from({ length: 60 }, () => stage.complete(second)));
    await stage.settled();
  }, 120_000);
  afterAll(async () => {
    await stage.close();
    await rm(directory, { recursive: true });
  });

  /** The log's clock is the database's; a millisecond after everything so far. */
  async function databaseTime(): Promise<string> {
    const client = new pg.Client({ connectionString: stage.database.superuserUrl });
    await client.connect();
    const { rows } = await client.query<{ now: Date }>(
      `select pg_sleep(0.01), clock_timestamp() as now`,
    );
    await client.query(`select pg_sleep(0.01)`);
    await client.end();
    return rows[0]!.now.toISOString();
  }

  /** Downloads and unpacks it with the system's tar. */
  async function unpacked(name: string, query = ''): Promise<Unpacked> {
    const answer = await stage.get(`/audit/v1/export${query}`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('application/x-tar');
    const archive = join(directory, `${name}.tar`);
    const to = await mkdtemp(join(directory, `${name}-`));
    await writeFile(archive, answer.bytes);
    await run('tar', ['-xf', archive, '-C', to]);
    return new Unpacked(to);
  }

  it('holds the whole log and its books, verifiable with the log’s key alone', async () => {
    const files = await unpacked('all');
    const manifest = await files.json<ExportManifest>('manifest.json');
    const policy = parsePolicy(`log ${stage.signer.verifierKey}\nquorum none\n`);
    expect(await files.text('policy')).toBe(`log ${stage.signer.verifierKey}\nquorum none\n`);
    const { checkpoint } = openCheckpoint(await files.text('checkpoint'), policy);
    const { size, rootHash } = checkpoint;
    expect(manifest).toMatchObject({
      format: 'custos-export-v1',
      ledgerId: 'main',
      origin: checkpoint.origin,
      verifierKey: stage.signer.verifierKey,
      size: size.toString(),
      from: null,
      to: null,
      firstLeaf: '0',
      endLeaf: size.toString(),
      books: { journals: 200 },
      notCovered: [],
    });
    const tree = new CompactRange();
    for (let index = 0n; ; index++) {
      const bundle = entryBundleAt(size, index);
      if (bundle === undefined) break;
      for (const entry of decodeEntryBundle(await files.bytes(entryBundlePath(bundle))))
        tree.append(leafHash(entry));
    }
    expect(tree.root()).toEqual(rootHash);
    for (const tile of tilesOf(size))
      expect((await files.bytes(tilePath(tile))).length).toBe(tile.width * HASH_BYTES);
    const journals = await files.lines<JournalRecord>('ledger/journals.jsonl');
    expect(journals).toHaveLength(200);
    expect(await files.lines('ledger/opening-balances.jsonl')).toEqual([]);
    expect(await files.balances('closing')).toEqual(summed(new Map(), journals));
    expect(manifest.priceBooks).toHaveLength(1);
    for (const { version, sha256 } of manifest.priceBooks) {
      const bytes = await files.bytes(`price-books/${sha256}.book`);
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256);
      expect(version).toBe(`sha256:${sha256}`);
    }
    const heads = await files.lines<{ size: string; note: string }>('checkpoints.jsonl');
    expect(heads.at(-1)).toEqual({
      size: size.toString(),
      note: await files.text('checkpoint'),
    });
    for (const head of heads)
      expect(openCheckpoint(head.note, policy).checkpoint.size.toString()).toBe(head.size);
    expect(await files.text('README.md')).toContain(stage.signer.verifierKey);
  });

  it('covers a range of time: its records and journals, and balances on both sides', async () => {
    const [early, late] = [
      await unpacked('early', `?to=${middle}`),
      await unpacked('late', `?from=${middle}`),
    ];
    const [before, after] = [
      await early.json<ExportManifest>('manifest.json'),
      await late.json<ExportManifest>('manifest.json'),
    ];
    expect(before).toMatchObject({ firstLeaf: '0', to: middle, books: { journals: 140 } });
    expect(after).toMatchObject({ from: middle, endLeaf: after.size, books: { journals: 60 } });
    // Heartbeats of other partitions may be sealed a little out of their time: the ranges may overlap, never part.
    expect(BigInt(after.firstLeaf)).toBeLessThanOrEqual(BigInt(before.endLeaf));
    expect(before.notCovered).toHaveLength(1);
    // The stage's generations cite a verdict and a slice of health that nobody said.
    expect(after.notCovered).toHaveLength(3 + 2);
    expect(after.cited).toMatchObject({ records: 0, absent: 2 });
    expect(before.cited).toBeUndefined();
    expect(await late.lines('ledger/opening-balances.jsonl')).toEqual(
      await early.lines('ledger/closing-balances.jsonl'),
    );
    const journals = await late.lines<JournalRecord>('ledger/journals.jsonl');
    expect(summed(await late.balances('opening'), journals)).toEqual(
      await late.balances('closing'),
    );
    expect(journals.every((j) => BigInt(j.leafIndex) >= BigInt(after.firstLeaf))).toBe(true);
    const bundles = await late.names('tile/entries');
    expect(bundles).not.toContain('000');
    // The records that are here are proved by the hashes of those that are not.
    const { checkpoint } = openCheckpoint(
      await late.text('checkpoint'),
      parsePolicy(await late.text('policy')),
    );
    const { size, rootHash: root } = checkpoint;
    const read = readerOfTiles(size, (tile) => late.bytes(tilePath(tile)));
    const index = BigInt(after.firstLeaf);
    const bundle = entryBundleAt(size, index / 256n)!;
    const entry = decodeEntryBundle(await late.bytes(entryBundlePath(bundle)))[
      Number(index % 256n)
    ]!;
    const proof = await inclusionProof(index, size, read);
    expect(verifyInclusion({ leafHash: leafHash(entry), index, size, root, proof })).toBe(true);
  });

  it('may hold nothing: a time at which nothing was recorded', async () => {
    const files = await unpacked('none', '?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z');
    const manifest = await files.json<ExportManifest>('manifest.json');
    expect(manifest.firstLeaf).toBe(manifest.endLeaf);
    expect(manifest).toMatchObject({ books: { journals: 0 }, priceBooks: [] });
    expect(await files.lines('ledger/journals.jsonl')).toEqual([]);
  });

  it('is for auditors, and says what it does not understand', async () => {
    expect((await stage.get('/audit/v1/export', stage.callerKey)).status).toBe(403);
    expect((await stage.getOpenly('/audit/v1/export')).status).toBe(401);
    for (const query of [
      '?from=yesterday',
      '?from=0000-01-01T00:00:00Z',
      '?since=2026-01-01T00:00:00Z',
      '?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z',
      '?from=2026-02-01T00:00:00Z&from=2026-01-01T00:00:00Z',
    ])
      expect((await stage.get(`/audit/v1/export${query}`)).json()).toMatchObject({
        error: { code: 400, metadata: { custos_code: 'invalid_range' } },
      });
  });

  it('serves two at once, and lets go of one that nobody reads on', async () => {
    const { exporter } = stage.ledger;
    const [first, second] = [await exporter.export({}), await exporter.export({})];
    expect((await stage.get('/audit/v1/export')).json()).toMatchObject({
      error: { code: 503, metadata: { custos_code: 'export_busy' } },
    });
    // One that was never read, one amid its reading.
    second.read(1);
    const ended = [first, second].map(
      (stream) => new Promise((resolve) => stream.once('close', resolve)),
    );
    first.destroy();
    second.destroy();
    await Promise.all(ended);
    expect((await stage.get('/audit/v1/export')).status).toBe(200);
  });
});

class Unpacked {
  constructor(private readonly directory: string) {}

  bytes(path: string): Promise<Buffer> {
    return readFile(join(this.directory, path));
  }

  async text(path: string): Promise<string> {
    return (await this.bytes(path)).toString();
  }

  async json<T>(path: string): Promise<T> {
    return JSON.parse(await this.text(path)) as T;
  }

  async lines<T>(path: string): Promise<readonly T[]> {
    const text = await this.text(path);
    return text === ''
      ? []
      : text
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line) as T);
  }

  names(path: string): Promise<readonly string[]> {
    return readdir(join(this.directory, path));
  }

  async balances(of: 'opening' | 'closing'): Promise<ReadonlyMap<string, bigint>> {
    const rows = await this.lines<{ account: string; amountPicoUsd: string }>(
      `ledger/${of}-balances.jsonl`,
    );
    return new Map(rows.map((r) => [r.account, BigInt(r.amountPicoUsd)]));
  }
}

function summed(
  opening: ReadonlyMap<string, bigint>,
  journals: readonly JournalRecord[],
): ReadonlyMap<string, bigint> {
  const sums = new Map(opening);
  for (const { postings } of journals)
    for (const { account, amountPicoUsd } of postings)
      sums.set(account, (sums.get(account) ?? 0n) + BigInt(amountPicoUsd));
  return new Map([...sums].filter(([, sum]) => sum !== 0n));
}

describe('the tar writer', () => {
  const bytesOf = async (chunks: AsyncIterable<Uint8Array>): Promise<Buffer> => {
    const all: Uint8Array[] = [];
    for await (const chunk of chunks) all.push(chunk);
    return Buffer.concat(all);
  };

  it('pads to blocks and ends with two empty ones', async () => {
    const files = [
      { path: 'a', size: 3, chunks: [Buffer.from('ab'), Buffer.from('c')] },
      { path: 'b/c', size: 0, chunks: [] },
      { path: 'd', size: 512, chunks: [Buffer.alloc(512, 1)] },
    ];
    const archive = await bytesOf(tar(files, Date.parse('2026-11-21T10:00:00Z')));
    expect(archive.length).toBe(512 * (2 + 1 + 2 + 2));
    const directory = await mkdtemp(join(runDirectory(), 'tar-'));
    await writeFile(join(directory, 'a.tar'), archive);
    const { stdout } = await run('tar', ['-tvf', join(directory, 'a.tar')], {
      env: { ...process.env, TZ: 'UTC' },
    });
    await rm(directory, { recursive: true });
    const listed = stdout.trimEnd().split('\n');
    expect(listed).toHaveLength(3);
    expect(listed[0]).toMatch(/^-rw-r--r-- .* 3 2026-11-21 10:00 a$/);
  });

  it('writes sizes beyond eight gigabytes as tar programs read them', async () => {
    const huge = tar([{ path: 'huge', size: 2 ** 40, chunks: [] }], 0);
    const header = Buffer.from((await huge.next()).value as Uint8Array);
    await huge.return(undefined);
    expect(header.subarray(124, 136).toString('hex')).toBe('800000000000010000000000');
  });

  it('breaks off rather than lie about a file', async () => {
    const lying = tar([{ path: 'a', size: 4, chunks: [Buffer.from('abc')] }], 0);
    await expect(bytesOf(lying)).rejects.toThrow(/a has 3 bytes, not 4/);
    const long = tar([{ path: 'x'.repeat(101), size: 0, chunks: [] }], 0);
    await expect(bytesOf(long)).rejects.toThrow(/too long/);
  });
});
