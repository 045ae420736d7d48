// One of everything that an auditor is handed, and what in it nothing signed speaks for.
import { hash } from 'node:crypto';
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { decodeEvent } from '#libs/audit-events';
import { isGenerationEvent } from '#libs/ledger';
import {
  addSignatures,
  cosign,
  formatTlogProof,
  inclusionProof,
  leafHash,
  nodeHash,
  parseNote,
  parseSignerKey,
  type TreeNode,
} from '#libs/transparency';
import {
  checkpointOf,
  journalJson,
  journalsOf,
  stageExport,
} from '../../../../test/support/export-stage.js';
import type { FileSet, Mutation } from '../../../../test/support/mutations.js';
import { CONSISTENCY } from './log/verify-consistency.js';
import { LOG } from './log/verify-log.js';
import { WITNESS } from './log/verify-witness.js';
import { LEDGER } from './books/verify-ledger.js';
import { RECEIPT } from './receipt/verify-receipt.js';
import type { Mode } from './mode.js';
import type { VerifyOptions } from './verify-options.js';
import { citedStage } from './cited-stage.spec-support.js';
import { BOOKS, honestDay } from './verify-stage.spec-support.js';
import { WRITERS } from './writers/verify-writers.js';

// Always the same, as all that follows: what a seed finds once it finds again.
const SIGNER =
  'PRIVATE+KEY+log.example/audit/1+4f9fa047+AariSEmELXCCtm9XzoJwvQTaLDn/uX3yKAPCcJgwMsTl';
const WITNESS_SIGNER =
  'PRIVATE+KEY+witness.example/w+d5022c7c+BKAzyBg57IrXEt+KcT7eqbrObPRCIjqXVPp2xhH8uqER';
const { name: origin, verifierKey } = parseSignerKey(SIGNER);
export const key = { origin, signerKey: SIGNER, verifierKey };
const witness = parseSignerKey(WITNESS_SIGNER);
let minted = 0;
const newId = (): string =>
  `gen-${(minted++).toString(16).padStart(8, '0')}-0000-7000-8000-${'0'.repeat(12)}`;
/** More than a tile. */
const { leaves, ids } = honestDay(125, newId);
/** What is cited in a part of a log and was said before it. */
const part = citedStage(newId);
const POLICY = `log ${key.verifierKey}\nwitness w ${witness.verifierKey}\nquorum w\n`;

export type StageName = 'whole' | 'part';

export interface Staged {
  readonly folder: string;
  readonly files: FileSet;
}

export interface ModeUnderAttack {
  readonly name: string;
  readonly mode: Mode;
  /** An export of the whole log, or of a part of it. */
  readonly of: StageName;
  /** Files that it looks at. */
  readonly reads: RegExp;
  /** Mutations that make a campaign. */
  readonly atLeast: number;
  /** What else whoever changes it would change, so that it fits. */
  readonly fit?: (mutation: Mutation, honest: FileSet) => Mutation;
  readonly options: (
    folder: string,
  ) => Partial<VerifyOptions> & { readonly inputs: readonly string[] };
}

const FITTED = 'log of a part, whose manifest fits';
const LOG_FILES = /^(checkpoint|checkpoints\.jsonl|manifest\.json|tile\/.*)$/;

export const MODES: readonly ModeUnderAttack[] = [
  {
    name: 'log',
    mode: LOG,
    of: 'whole',
    reads: /^(checkpoint|checkpoints\.jsonl|manifest\.json|tile\/.*|time-stamps\/.*)$/,
    atLeast: 300,
    options: (folder) => ({ inputs: [folder], whole: true }),
  },
  {
    name: 'writers',
    mode: WRITERS,
    of: 'whole',
    reads: LOG_FILES,
    atLeast: 250,
    options: (folder) => ({ inputs: [folder], whole: true }),
  },
  {
    name: 'ledger',
    mode: LEDGER,
    of: 'whole',
    reads: /^(checkpoint|manifest\.json|tile\/.*|price-books\/.*|ledger\/.*)$/,
    atLeast: 300,
    options: (folder) => ({ inputs: [folder], whole: true }),
  },
  {
    name: 'witness',
    mode: WITNESS,
    of: 'whole',
    reads: /^checkpoint$/,
    atLeast: 40,
    options: (folder) => ({ inputs: [folder], policy: join(folder, 'my.policy') }),
  },
  {
    name: 'witness by its own policy',
    mode: WITNESS,
    of: 'whole',
    reads: /^(checkpoint|policy)$/,
    atLeast: 60,
    options: (folder) => ({ inputs: [folder] }),
  },
  {
    name: 'consistency',
    mode: CONSISTENCY,
    of: 'whole',
    reads: /^(checkpoint|old-checkpoint|tile\/\d.*)$/,
    atLeast: 60,
    options: (folder) => ({ inputs: [join(folder, 'old-checkpoint'), folder] }),
  },
  {
    name: 'receipt with books',
    mode: RECEIPT,
    of: 'whole',
    reads: new RegExp(`^(receipt\\.json|price-books/${BOOKS[0].version.slice(7)}\\.book)$`),
    atLeast: 150,
    options: (folder) => ({
      inputs: [join(folder, 'receipt.json')],
      books: folder,
      policy: join(folder, 'my.policy'),
    }),
  },
  {
    name: 'receipt',
    mode: RECEIPT,
    of: 'whole',
    reads: /^receipt\.json$/,
    atLeast: 150,
    options: (folder) => ({ inputs: [join(folder, 'receipt.json')] }),
  },
  {
    name: 'log of a part',
    mode: LOG,
    of: 'part',
    reads: /^(cited\.jsonl|manifest\.json|tile\/entries\/.*)$/,
    atLeast: 100,
    options: (folder) => ({ inputs: [folder] }),
  },
  {
    name: FITTED,
    mode: LOG,
    of: 'part',
    reads: /^cited\.jsonl$/,
    atLeast: 80,
    fit: withItsDigest,
    options: (folder) => ({ inputs: [folder] }),
  },
];

/** The manifest is signed by nobody: it has the digest of the file as it is now. */
function withItsDigest(mutation: Mutation, honest: FileSet): Mutation {
  const changed = mutation.files.get('cited.jsonl');
  if (changed === undefined) return mutation;
  const digest = (bytes: Buffer): string => hash('sha256', bytes, 'hex');
  const manifest = honest.get('manifest.json')!.toString();
  const fits = manifest.replace(digest(honest.get('cited.jsonl')!), digest(changed));
  return { ...mutation, files: new Map(mutation.files).set('manifest.json', Buffer.from(fits)) };
}

/** Both, by name: each a folder of that name. */
export async function stageEverything(
  folder: string,
): Promise<Readonly<Record<StageName, Staged>>> {
  const at = (name: StageName): string => join(folder, name);
  stageExport(at('part'), { key, leaves: part.leaves, range: part.range });
  return { whole: await stageWhole(at('whole')), part: filesOf(at('part')) };
}

async function stageWhole(folder: string): Promise<Staged> {
  const put = (path: string, content: string | Buffer): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  };
  stageExport(folder, { key, leaves, priceBooks: BOOKS, history: [1, 7, 257] });
  const alone = checkpointOf(leaves, key);
  const line = cosign(parseNote(alone).body, witness, 1_790_000_000n);
  const note = addSignatures(alone, [line]);
  put('checkpoint', note);
  put('policy', POLICY);
  put('my.policy', POLICY);
  put('old-checkpoint', checkpointOf(leaves, key, 200));
  const stamped = checkpointOf(leaves, key, 30);
  put('time-stamps/30.note', stamped);
  put(
    'time-stamps/30.tsr',
    Buffer.concat([Buffer.alloc(9, 0x30), hash('sha256', stamped, 'buffer'), Buffer.alloc(9, 5)]),
  );
  put('receipt.json', JSON.stringify(await receiptOf(ids.adjusted, note)));
  return filesOf(folder);
}

function filesOf(folder: string): Staged {
  const names = globSync('**/*', { cwd: folder, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
  return {
    folder,
    files: new Map(names.sort().map((name) => [name, readFileSync(join(folder, name))])),
  };
}

async function receiptOf(generationId: string, note: string): Promise<object> {
  const hashes = leaves.map((bytes) => leafHash(bytes));
  const nodeOf = ({ level, index }: TreeNode): Buffer =>
    level === 0
      ? hashes[Number(index)]!
      : nodeHash(
          nodeOf({ level: level - 1, index: index * 2n }),
          nodeOf({ level: level - 1, index: index * 2n + 1n }),
        );
  const events = [];
  for (const [index, bytes] of leaves.entries()) {
    const read = decodeEvent(bytes);
    if (!read.ok || !isGenerationEvent(read.event)) continue;
    if (read.event.data.generationId !== generationId) continue;
    const correction = read.event.type === 'custos.ledger.correction.v1';
    const proof = await inclusionProof(BigInt(index), BigInt(leaves.length), async (nodes) =>
      nodes.map(nodeOf),
    );
    events.push({
      leafIndex: String(index),
      topic: correction ? 'custos.control.v1' : 'custos.audit.v1',
      partition: 3,
      offset: String(index),
      bytes: bytes.toString('base64'),
      proof: formatTlogProof({ index: BigInt(index), proof, checkpoint: note }),
    });
  }
  const journals = journalsOf(leaves, BOOKS).filter((j) => j.generationId === generationId);
  const versions = new Set(journals.flatMap((j) => j.priceBook ?? []));
  return {
    format: 'custos-receipt-v1',
    generationId,
    ledgerId: 'main',
    origin: key.origin,
    checkpoint: note,
    policy: POLICY,
    events,
    journals: journals.map(journalJson),
    priceBooks: [...versions].map((version) => ({ version, sha256: version.slice(7) })),
  };
}

/**
 * Members that nothing signed speaks for, by mode and file: each is named in the report, as claimed or as not covered, or
 * makes less be looked at, which the report says.
 */
const ONLY_SAID: readonly (readonly [mode: RegExp, file: RegExp, member: RegExp])[] = [
  [/./, /^manifest\.json$/, /^(ledgerId|from|to|notCovered.*)$/],
  [/^(log|writers)/, /^manifest\.json$/, /^(books\.journals|priceBooks.*)$/],
  // Within a bundle: fewer records are looked at, and the report says how many.
  [/^log of a part$/, /^manifest\.json$/, /^(firstLeaf|endLeaf)$/],
  [/./, /^ledger\/journals\.jsonl$/, /^\d+\.recordedAt$/],
  [
    /^receipt/,
    /^receipt\.json$/,
    /^(ledgerId|policy|journals\.\d+\.recordedAt|events\.\d+\.(partition|offset))$/,
  ],
  [/^receipt$/, /^receipt\.json$/, /^(journals|priceBooks).*$/],
];

/** Whether what was changed says the same as before, or is one of the words that nothing speaks for. */
export function isHarmless(mode: string, { file, files }: Mutation, honest: FileSet): boolean {
  // Which of the two is the older, their sizes say.
  if (files.size > 1 && mode !== FITTED)
    return mode === 'consistency' && files.has('old-checkpoint');
  const [before, after] = [honest.get(file)!, files.get(file)];
  // The names of a policy are its own, and a report by the log's own policy says whose word that is.
  if (file === 'policy') return true;
  if (file === 'manifest.json' && after === undefined)
    return mode !== 'witness' && mode !== 'log of a part';
  if (file === 'checkpoints.jsonl')
    return after === undefined || isSubset(linesOf(after), linesOf(before));
  // Which time stamps there were, and what else is in one, is openssl's to say.
  if (file.endsWith('.tsr'))
    return (
      after === undefined ||
      after.includes(hash('sha256', honest.get('time-stamps/30.note')!, 'buffer'))
    );
  if (after === undefined) return false;
  if (file.endsWith('checkpoint'))
    return mode === 'witness' ? saysTwice(before, after) : sameForTheLog(before, after);
  if (/balances/.test(file))
    return (
      isSubset(linesOf(after), linesOf(before)) && linesOf(after).length === linesOf(before).length
    );
  if (!/json/.test(file)) return false;
  return differences(valueOf(file, before), valueOf(file, after)).every((member) =>
    ONLY_SAID.some(([m, f, said]) => m.test(mode) && f.test(file) && said.test(member)),
  );
}

const linesOf = (bytes: Buffer): readonly string[] =>
  bytes.toString('latin1').split('\n').filter(Boolean).sort();
const isSubset = (some: readonly string[], all: readonly string[]): boolean =>
  some.every((line) => all.includes(line));

/** Signatures stand in any order, and what its witness signed is another's to look at. */
function sameForTheLog(before: Buffer, after: Buffer): boolean {
  const own = (note: Buffer): readonly string[] => {
    const { body, signatures } = parseNote(note.toString());
    const lines = signatures.filter(({ name }) => name === origin).map(({ line }) => line);
    return [body, ...new Set(lines)];
  };
  return isDeepStrictEqual(own(before), own(after));
}

/** A signature line again is the same signature. */
const saysTwice = (before: Buffer, after: Buffer): boolean =>
  parseNote(after.toString()).body === parseNote(before.toString()).body &&
  isSubset(linesOf(after), linesOf(before)) &&
  isSubset(linesOf(before), linesOf(after));

function valueOf(file: string, bytes: Buffer): unknown {
  const text = bytes.toString('utf8');
  try {
    return file.endsWith('.jsonl')
      ? linesOf(bytes).map((line) => JSON.parse(line) as unknown)
      : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}

/** Paths of what differs. */
function differences(a: unknown, b: unknown, path = ''): readonly string[] {
  if (isDeepStrictEqual(a, b)) return [];
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return [path];
  if (Array.isArray(a) && Array.isArray(b) && a.length !== b.length) return [path];
  const [left, right] = [a, b] as readonly Readonly<Record<string, unknown>>[];
  // A member more says nothing to anybody.
  return Object.keys(left!).flatMap((name) =>
    differences(left![name], right![name], path === '' ? name : `${path}.${name}`),
  );
}
