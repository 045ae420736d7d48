import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { decodeEvent } from '#libs/audit-events';
import { isGenerationEvent } from '#libs/ledger';
import {
  addSignatures,
  CompactRange,
  cosign,
  formatTlogProof,
  generateKey,
  inclusionProof,
  leafHash,
  nodeHash,
  parseNote,
  parseSignerKey,
  type TreeNode,
} from '#libs/transparency';
import { checkpointOf, journalJson, journalsOf } from '../../../../test/support/export-stage.js';
import { newLogKey } from '../../../../test/support/memory-log.js';
import type { Report } from './report.js';
import { BOOKS, honestDay } from './verify-stage.spec-support.js';
import { runVerify } from './verify.js';

const key = newLogKey();
const { leaves, ids } = honestDay(40);
const checkpoint = checkpointOf(leaves, key);

interface ReceiptJson {
  format: string;
  generationId: string;
  ledgerId: string;
  origin: string;
  checkpoint: string;
  policy: string;
  events: { leafIndex: string; bytes: string; proof: string; [more: string]: unknown }[];
  journals: Record<string, unknown>[];
  priceBooks: { version: string; sha256: string }[];
}

const hashes = leaves.map((bytes) => leafHash(bytes));
const nodeOf = ({ level, index }: TreeNode): Buffer =>
  level === 0
    ? hashes[Number(index)]!
    : nodeHash(
        nodeOf({ level: level - 1, index: index * 2n }),
        nodeOf({ level: level - 1, index: index * 2n + 1n }),
      );

async function receiptOf(id: string, note = checkpoint): Promise<ReceiptJson> {
  const events: ReceiptJson['events'] = [];
  for (const [index, bytes] of leaves.entries()) {
    const read = decodeEvent(bytes);
    if (!read.ok || !isGenerationEvent(read.event) || read.event.data.generationId !== id) continue;
    const proof = await inclusionProof(BigInt(index), BigInt(leaves.length), async (nodes) =>
      nodes.map(nodeOf),
    );
    events.push({
      leafIndex: String(index),
      topic:
        read.event.type === 'custos.ledger.correction.v1' ? 'custos.control.v1' : 'custos.audit.v1',
      partition: 0,
      offset: String(index),
      bytes: bytes.toString('base64'),
      proof: formatTlogProof({ index: BigInt(index), proof, checkpoint: note }),
    });
  }
  const journals = journalsOf(leaves, BOOKS).filter((j) => j.generationId === id);
  return {
    format: 'custos-receipt-v1',
    generationId: id,
    ledgerId: 'main',
    origin: key.origin,
    checkpoint: note,
    policy: `log ${key.verifierKey}\nquorum none\n`,
    events,
    journals: journals.map(journalJson),
    priceBooks: [...new Set(journals.flatMap((j) => j.priceBook ?? []))].map((version) => ({
      version,
      sha256: version.slice(7),
    })),
  };
}

let folder: string;
let said: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'custos-verify-receipt-'));
  for (const { version, bytes } of BOOKS) {
    mkdirSync(join(folder, 'price-books'), { recursive: true });
    writeFileSync(join(folder, 'price-books', `${version.slice(7)}.book`), bytes);
  }
  jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
});
afterAll(() => {
  jest.restoreAllMocks();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  said = '';
});

async function verifyReceipt(
  receipt: unknown,
  ...more: string[]
): Promise<Report & { code: number }> {
  const file = join(folder, 'receipt.json');
  writeFileSync(file, typeof receipt === 'string' ? receipt : JSON.stringify(receipt));
  said = '';
  const code = await runVerify(['receipt', file, '--key', key.verifierKey, '--json', ...more]);
  return { code, ...(JSON.parse(said) as Report) };
}
const withBooks = (receipt: unknown) => verifyReceipt(receipt, '--books', folder);

describe('custos verify receipt', () => {
  it.each<[keyof typeof ids, number, number]>([
    ['plain', 2, 1],
    ['failedOver', 3, 1],
    ['corrected', 4, 3],
    ['closedFirst', 2, 1],
    ['refused', 1, 0],
    ['free', 2, 0],
    ['adjusted', 3, 3],
  ])('holds for a generation: %s', async (name, events, journals) => {
    expect(await withBooks(await receiptOf(ids[name]))).toMatchObject({
      code: 0,
      checked: { generation: ids[name], events, journals, size: leaves.length },
    });
  });

  it('says that amounts are not covered without price books', async () => {
    const report = await verifyReceipt(await receiptOf(ids.plain));
    expect(report).toMatchObject({ code: 0 });
    expect(report.notCovered).toContain('amounts: the price book is needed (--books)');
  });

  it.each<[string, (r: ReceiptJson) => unknown, string]>([
    [
      'a record changed',
      (r) =>
        (r.events[0]!.bytes = Buffer.from(leaves[2]!.toString().replace('"bal', '"Bal')).toString(
          'base64',
        )),
      'altered',
    ],
    ['another record', (r) => (r.events[0]!.bytes = leaves[7]!.toString('base64')), 'altered'],
    ['base64 that is none', (r) => (r.events[0]!.bytes += '!'), 'altered'],
    ['a proof of another leaf', (r) => (r.events[0]!.proof = r.events[1]!.proof), 'altered'],
    ['a leaf index', (r) => (r.events[0]!.leafIndex = '5'), 'altered'],
    [
      'a hash of a proof',
      (r) => (r.events[0]!.proof = r.events[0]!.proof.replace(/\n[A-Za-z0-9+/]{8}/, '\nAAAAAAAA')),
      'altered',
    ],
    [
      'the checkpoint of a proof',
      (r) =>
        (r.events[0]!.proof = r.events[0]!.proof.replace(
          checkpoint,
          checkpointOf(leaves, key, 20),
        )),
      'altered',
    ],
    ['the origin', (r) => (r.origin = 'elsewhere/1'), 'altered'],
    ['the generation', (r) => (r.generationId = ids.failedOver), 'altered'],
    ['the format', (r) => (r.format = 'custos-receipt-v2'), 'altered'],
    ['no checkpoint', (r) => (r.checkpoint = 'none'), 'unsigned'],
    [
      'a checkpoint of another key',
      (r) => (r.checkpoint = checkpointOf(leaves, newLogKey(key.origin))),
      'unsigned',
    ],
    [
      'an amount',
      (r) => ((r.journals[0]!['postings'] as { amountPicoUsd: string }[])[0]!.amountPicoUsd = '1'),
      'altered',
    ],
    ['a journal dropped', (r) => r.journals.pop(), 'removed'],
    [
      'a journal added',
      (r) =>
        r.journals.push({
          ...r.journals[0]!,
          id: String(2 * Number(r.events[0]!.leafIndex)),
          leafIndex: r.events[0]!.leafIndex,
        }),
      'reordered',
    ],
    ['a topic', (r) => (r.events[0]!['topic'] = 'custos.control.v1'), 'altered'],
    ['a partition that its writer never left', (r) => (r.events[1]!['partition'] = 1), 'altered'],
    ['an offset out of order', (r) => (r.events[1]!['offset'] = '0'), 'reordered'],
    ['an offset that is none', (r) => (r.events[1]!['offset'] = '-1'), 'altered'],
    ['a record there twice', (r) => r.events.push(r.events[1]!), 'altered'],
    [
      'a price book that no record cites',
      (r) => r.priceBooks.push({ version: BOOKS[1].version, sha256: '' }),
      'altered',
    ],
    ['no price book', (r) => r.priceBooks.pop(), 'removed'],
    ['the close left out', (r) => r.events.pop(), 'incomplete'],
    ['the opening left out', (r) => r.events.shift(), 'incomplete'],
  ])('names %s', async (_name, change, reason) => {
    const receipt = await receiptOf(ids.plain);
    change(receipt);
    expect(await withBooks(receipt)).toMatchObject({ code: 1, holds: false, reason });
  });

  it('names the record of an attempt that is left out', async () => {
    const receipt = await receiptOf(ids.failedOver);
    receipt.events.splice(1, 1);
    expect(await withBooks(receipt)).toMatchObject({ code: 1, reason: 'incomplete' });
  });

  it('says of which records it cannot tell that they are left out, and finds the others', async () => {
    const without = async (id: string, ...types: string[]): Promise<Report & { code: number }> => {
      const receipt = await receiptOf(id);
      receipt.events = receipt.events.filter(({ bytes }) => {
        const text = Buffer.from(bytes, 'base64').toString();
        return !types.some((type) => text.includes(`"type":"custos.${type}.v1"`));
      });
      const leaves = new Set(receipt.events.map((event) => event.leafIndex));
      receipt.journals = receipt.journals.filter((j) => leaves.has(String(j['leafIndex'])));
      return withBooks(receipt);
    };
    // What a record before or after it speaks for.
    for (const [id, type] of [
      [ids.plain, 'generation.opened'],
      [ids.failedOver, 'attempt.dispatched'],
    ] as const)
      expect(await without(id, type)).toMatchObject({ code: 1, reason: 'incomplete' });
    // What comes last nobody vouches for: each report says so.
    for (const [id, type] of [
      [ids.corrected, 'generation.progress'],
      [ids.adjusted, 'ledger.correction'],
    ] as const) {
      const report = await without(id, type);
      expect(report).toMatchObject({ code: 0 });
      expect(report.notCovered.join()).toContain('that the receipt leaves out');
    }
    const unfinished = await without(ids.plain, 'generation.closed');
    expect(unfinished).toMatchObject({ code: 0 });
    expect(unfinished.notCovered.join()).toContain('how the generation ended');
  });

  it('says what of it is only claimed', async () => {
    expect((await verifyReceipt(await receiptOf(ids.plain))).claimed).toEqual({
      ledger: 'main',
      'topic, partition and offset of each record': 'where the log had it',
    });
  });

  it('names text that is no receipt', async () => {
    expect(await verifyReceipt('{"format":')).toMatchObject({ code: 1, reason: 'altered' });
  });

  it('asks for the quorum of a policy of the verifier’s own', async () => {
    const witness = generateKey('witness.example/1', 'cosignature');
    const policy = join(folder, 'policy');
    writeFileSync(
      policy,
      `log ${key.verifierKey}\nwitness one ${witness.verifierKey}\nquorum one\n`,
    );
    const plain = await receiptOf(ids.plain);
    const asked = ['--policy', policy] as const;
    expect(await verifyReceipt(plain, ...asked)).toMatchObject({ code: 1, reason: 'unsigned' });
    const line = cosign(
      parseNote(checkpoint).body,
      parseSignerKey(witness.signerKey),
      1_795_000_000n,
    );
    const cosigned = await receiptOf(ids.plain, addSignatures(checkpoint, [line]));
    expect(await verifyReceipt(cosigned, ...asked)).toMatchObject({ code: 0 });
  });

  it('stands in a tree whose root is the one signed', () => {
    const range = new CompactRange();
    for (const hash of hashes) range.append(hash);
    expect(checkpoint).toContain(range.root().toString('base64'));
  });
});
