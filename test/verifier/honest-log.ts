// One honest log of 600 entries (two full tiles, a partial one, a second level), and ways to spoil its files.
import { decodeEntryBundle, encodeEntryBundle, generateKey } from '#libs/transparency';
import { ORIGIN, entriesOf, logFiles } from './log-directory.js';
import type { Files } from './log-directory.js';

export const log = generateKey(ORIGIN);
/** Another key of the same name. */
export const other = generateKey(ORIGIN);
export const witness = generateKey('witness.example/w1', 'cosignature');
/** A witness that has signed nothing. */
export const stranger = generateKey('witness.example/w2', 'cosignature');
export const entries: readonly Buffer[] = entriesOf(600);
export const signers = { signerKey: log.signerKey, witnesses: [witness.signerKey] };
export const honest: Files = logFiles(entries, signers);

/** The honest files with one of them changed, or without it. */
export function changed(path: string, change: (content: Buffer) => Buffer | undefined): Files {
  const files = new Map(honest);
  const content = change(Buffer.from(honest.get(path)!));
  if (content) files.set(path, content);
  else files.delete(path);
  return files;
}

export const withFile = (path: string, content: string): Files =>
  new Map(honest).set(path, Buffer.from(content));

/** As `withFile`, in an export: a log's own folder is no closed set. */
export const inExport = (path: string, content: string): Files =>
  withFile(path, content).set('manifest.json', Buffer.from(manifest()));

export const bookRef = (sha256: string) => ({ version: `sha256:${sha256}`, sha256 });

/** Turns one bit; negative places count from the end. */
export const flip =
  (at: number) =>
  (content: Buffer): Buffer => {
    content[at < 0 ? content.length + at : at]! ^= 1;
    return content;
  };

export const rebundled = (path: string, change: (held: Buffer[]) => Buffer[]): Files =>
  changed(path, (content) => encodeEntryBundle(change(decodeEntryBundle(content))));

export const textOf = (path: string): string => honest.get(path)!.toString();

export const manifest = (change: Record<string, unknown> = {}): string =>
  JSON.stringify({
    format: 'custos-export-v1',
    ledgerId: 'main',
    origin: ORIGIN,
    verifierKey: log.verifierKey,
    size: '600',
    firstLeaf: '0',
    endLeaf: '600',
    from: null,
    to: '2026-12-01T00:00:00Z',
    priceBooks: [],
    books: { journals: 0 },
    notCovered: [],
    ...change,
  });
