import { decodeEvent, isStranger } from '#libs/audit-events';
import { sourceOf, type Mode } from '../mode.js';
import type { Findings } from '../report.js';
import { fileText, type VerifyOptions } from '../verify-options.js';
import { CitedRecords } from './cited-records.js';
import { readHead } from './signed-head.js';
import type { Statement } from './signed-history.js';
import { walkLog } from './walk-log.js';

/** The tree from its signed root down to every entry that is at hand, and what these cite of before. */
export const LOG: Mode = {
  inputs: { min: 1, max: 1 },
  needsKey: true,
  run: async (options, findings) => {
    const source = await sourceOf(options);
    const previous = previousOf(options, findings);
    const { key, whole } = options;
    const cited = new CitedRecords(source, key, findings);
    let part = false;
    const walked = await walkLog({
      source,
      key,
      findings,
      whole,
      allFiles: true,
      ...(previous && { previous }),
      begin: ({ manifest, firstLeaf }) => (part = manifest !== undefined && firstLeaf > 0),
      take: (leaf, bytes) => {
        noteGivenUp(leaf, bytes, findings);
        if (part) cited.take(leaf, bytes);
      },
    });
    if (walked) await cited.finish(walked);
  },
};

/** The log says of itself that it goes on without a head that its key signed (ADR 0028). */
function noteGivenUp(leaf: number, bytes: Buffer, findings: Findings): void {
  // Told by its name: decoding ten million entries to find none would take the better part of the time.
  if (!bytes.includes(GIVEN_UP)) return;
  const read = decodeEvent(bytes);
  if (!read.ok || read.event.type !== 'custos.log.head_given_up.v1') return;
  if (isStranger(read.event)) return;
  const { size, root, author, role, reason } = read.event.data;
  findings.note(
    `leaf ${leaf}: ${author} (${role}) gave up the signed head of size ${size}, root ${root}: ${reason}`,
  );
}

const GIVEN_UP = Buffer.from('custos.log.head_given_up.v1');

function previousOf(options: VerifyOptions, findings: Findings): Statement | undefined {
  if (options.previous === undefined) return undefined;
  const place = { file: options.previous };
  const read = readHead(fileText(options.previous), options.key);
  if (read.ok) return { head: read.head, place };
  findings.fault('unsigned', place, read.message);
  return undefined;
}
