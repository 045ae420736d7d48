import { sourceOf, type Mode } from '../mode.js';
import type { Findings } from '../report.js';
import { fileText, type VerifyOptions } from '../verify-options.js';
import { readHead } from './signed-head.js';
import type { Statement } from './signed-history.js';
import { walkLog } from './walk-log.js';

/** The tree from its signed root down to every entry that is at hand. */
export const LOG: Mode = {
  inputs: { min: 1, max: 1 },
  needsKey: true,
  run: async (options, findings) => {
    const source = await sourceOf(options);
    const previous = previousOf(options, findings);
    await walkLog({ source, key: options.key, findings, ...(previous && { previous }) });
  },
};

function previousOf(options: VerifyOptions, findings: Findings): Statement | undefined {
  if (options.previous === undefined) return undefined;
  const place = { file: options.previous };
  const read = readHead(fileText(options.previous), options.key);
  if (read.ok) return { head: read.head, place };
  findings.fault('unsigned', place, read.message);
  return undefined;
}
