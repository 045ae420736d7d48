import type { NoteVerifier } from '#libs/transparency';
import type { Findings } from '../report.js';
import { FILE_BYTES_MAX, type ExportSource } from '../source/export-source.js';
import { decimalOf, MANIFEST, readManifest, type Manifest } from '../source/manifest.js';
import { CHECKPOINT, findTwoRoots, readHistory, type Statement } from './signed-history.js';
import { readHead, type SignedHead } from './signed-head.js';
import { readTimeStamps } from './time-stamps.js';

export interface LogToWalk {
  readonly source: ExportSource;
  /** Without it nothing is said about signatures. */
  readonly key: NoteVerifier | undefined;
  /** A checkpoint of the same log that somebody kept. */
  readonly previous?: Statement;
  readonly findings: Findings;
  /** A range is not enough: every leaf's entry must be here. */
  readonly whole?: boolean | undefined;
  /** Time stamps are looked at as well, and whether there is more below `tile/` than the tree has. */
  readonly allFiles?: boolean;
  /** Called once before the first entry. */
  readonly begin?: (walked: WalkedLog, entryAgain: ReadAgain) => void;
  /** Called in order for every entry that is proved to be its leaf. The bytes are a view, good for the call only. */
  readonly take?: (leafIndex: number, entry: Buffer) => void | Promise<void>;
}

/** Reads an entry of the tree once more, and holds it once more against the tree: it need not be what it was. */
export type ReadAgain = (leaf: number) => Promise<Buffer | undefined>;

export interface WalkedLog {
  readonly head: SignedHead;
  readonly manifest?: Manifest;
  /** Entries were to be read from here up to, not including, `endLeaf`. */
  readonly firstLeaf: number;
  readonly endLeaf: number;
}

/** What a walk leaves behind. */
export type Walked = WalkedLog & {
  /** False where they were kept from us. */
  readonly entriesRead: boolean;
};

export interface OpenedLog {
  readonly walked: WalkedLog;
  readonly main: Statement;
  /** Other checkpoints that the log signed: the history that it hands over, and one that somebody kept. */
  readonly statements: readonly Statement[];
}

/** Reads what is said of a log: its signed head, its history, its manifest. Undefined where there is no signed head. */
export async function openLog(log: LogToWalk): Promise<OpenedLog | undefined> {
  const { source, key, findings } = log;
  const note = await source.read(CHECKPOINT, FILE_BYTES_MAX.note);
  if (note === undefined) {
    findings.fault('incomplete', { file: CHECKPOINT }, 'there is no checkpoint');
    return undefined;
  }
  const read = readHead(note.toString('utf8'), key);
  if (!read.ok) {
    findings.fault('unsigned', { file: CHECKPOINT }, read.message);
    return undefined;
  }
  const { head } = read;
  if (!key) findings.notCovered('the signature of the checkpoint: no key was given');
  else if (head.otherSignatures > 0)
    findings.notCovered(`cosignatures of the checkpoint (${head.otherSignatures}): verify witness`);
  const manifest = await soundManifest(log, head);
  const walked = {
    head,
    ...(manifest && { manifest }),
    firstLeaf: manifest?.firstLeaf ?? (await minimumIndex(source, head)),
    endLeaf: manifest?.endLeaf ?? head.size,
  };
  const main = { head, place: { file: CHECKPOINT } };
  const others = await readHistory(source, key, findings);
  const stamped = log.allFiles === true ? await readTimeStamps(source, key, findings) : [];
  const statements = [...others, ...stamped, ...(log.previous ? [log.previous] : [])];
  findTwoRoots([main, ...statements], findings);
  return { walked, main, statements };
}

/**
 * Below it a running log has let entries go under its retention policy (tlog-tiles: pruning). What it says is believed in
 * one way only: what lies below is reported as not covered.
 */
async function minimumIndex(source: ExportSource, head: SignedHead): Promise<number> {
  const bytes = await source.read('minimum-index', FILE_BYTES_MAX.note);
  const index = decimalOf(bytes?.toString('utf8').trim());
  return index === undefined ? 0 : Math.min(index, head.size);
}

async function soundManifest(log: LogToWalk, head: SignedHead): Promise<Manifest | undefined> {
  const { source, findings } = log;
  const read = await readManifest(source);
  const place = { file: MANIFEST };
  if (read.found === 'none') return undefined;
  if (read.found === 'broken') {
    findings.fault('altered', place, `it ${read.message}`);
    return undefined;
  }
  const { manifest } = read;
  if (manifest.origin !== head.origin)
    findings.fault('altered', place, `it is of the origin ${manifest.origin}`);
  if (manifest.size !== head.size)
    findings.fault('altered', place, `it is of a tree of ${manifest.size} leaves`);
  if (log.key && manifest.verifierKey !== log.key.verifierKey)
    findings.fault('altered', place, 'it names another verifier key');
  for (const what of manifest.notCovered) findings.notCovered(`${MANIFEST} says: ${what}`);
  findings.claim('ledger', manifest.ledgerId);
  findings.claim(
    'asked for',
    `records from ${manifest.from ?? 'the first'} to ${manifest.to ?? 'the checkpoint'}`,
  );
  return { ...manifest, endLeaf: Math.min(manifest.endLeaf, head.size) };
}
