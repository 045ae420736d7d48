import { hash } from 'node:crypto';
import type { NoteVerifier } from '#libs/transparency';
import type { Findings } from '../report.js';
import { FILE_BYTES_MAX, type ExportSource } from '../source/export-source.js';
import { readHead } from './signed-head.js';
import type { Statement } from './signed-history.js';

const FOLDER = 'time-stamps';
/** Hourly stamps of ten years. */
const FILES_MAX = 100_000;
const NAME = /^(0|[1-9]\d{0,15})(-[1-9]\d?)?\.(tsr|note)$/;

/**
 * Time stamps that were handed over: each is over the checkpoint that it lies beside, and that checkpoint is one more of
 * the log's statements. Who made a stamp, and when, says `openssl ts -verify` with a root that the auditor trusts; how
 * many there were, nobody proves. Only where files can be listed; elsewhere it is said that nobody looked.
 */
export async function readTimeStamps(
  source: ExportSource,
  key: NoteVerifier | undefined,
  findings: Findings,
): Promise<readonly Statement[]> {
  const names = await source.list?.(FOLDER, FILES_MAX);
  if (names === undefined) {
    findings.notCovered('time stamps: a URL cannot be listed');
    return [];
  }
  const notes = new Map<string, { readonly digest: Buffer }>();
  const statements: Statement[] = [];
  for (const name of names.filter((n) => n.endsWith('.note'))) {
    const [, size = ''] = NAME.exec(name) ?? [];
    const place = { file: `${FOLDER}/${name}` };
    const bytes = await source.read(place.file, FILE_BYTES_MAX.note);
    const read = readHead(bytes?.toString('utf8') ?? '', key);
    if (!read.ok) findings.fault('unsigned', place, read.message);
    else if (size !== String(read.head.size))
      findings.fault('altered', place, 'the size is not that of the note');
    else statements.push({ head: read.head, place: { ...place, size } });
    notes.set(size, { digest: hash('sha256', bytes ?? '', 'buffer') });
  }
  const stamps = names.filter((n) => n.endsWith('.tsr'));
  for (const name of stamps) {
    const place = { file: `${FOLDER}/${name}` };
    const [, size = ''] = NAME.exec(name) ?? [];
    const note = notes.get(size);
    const token = await source.read(place.file, FILE_BYTES_MAX.note);
    if (note === undefined)
      findings.fault('incomplete', place, 'the checkpoint that it is over is missing');
    else if (token?.includes(note.digest) !== true)
      findings.fault('altered', place, 'it is no time stamp over the checkpoint beside it');
  }
  if (stamps.length > 0)
    findings.notCovered('by whom, and when, checkpoints were time-stamped: openssl ts -verify');
  findings.claim('time stamps', `the ${stamps.length} that are here were all`);
  return statements;
}
