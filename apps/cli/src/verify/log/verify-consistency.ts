import { dirname } from 'node:path';
import type { Mode } from '../mode.js';
import { Findings, type Fault } from '../report.js';
import { FILE_BYTES_MAX, type ExportSource } from '../source/export-source.js';
import { isUrl, openSource } from '../source/open-source.js';
import { fileText, type VerifyOptions } from '../verify-options.js';
import { readHead, sameHead } from './signed-head.js';
import { CHECKPOINT, GrowthCheck, type Statement } from './signed-history.js';
import { TileTree } from './tile-tree.js';

/** Two checkpoints of one log: the smaller must be a beginning of the larger, by a proof from the larger one's tiles. */
export const CONSISTENCY: Mode = {
  inputs: { min: 2, max: 2 },
  needsKey: true,
  run: async (options, findings) => {
    const [a, b] = [await read(options, 0, findings), await read(options, 1, findings)];
    if (!a || !b) return;
    const [smaller, larger] = a.head.size <= b.head.size ? [a, b] : [b, a];
    findings.checked['origin'] = a.head.origin;
    findings.checked['sizes'] = `${smaller.head.size} and ${larger.head.size}`;
    if (smaller.head.size === larger.head.size) {
      if (!sameHead(smaller.head, larger.head))
        findings.fault('equivocated', larger.place, 'two roots were signed for one size');
      return;
    }
    await compare(options, smaller, larger, findings);
  },
};

async function compare(
  options: VerifyOptions,
  smaller: Statement,
  larger: Statement,
  findings: Findings,
): Promise<void> {
  // A checkpoint's file often lies beside its tiles.
  const near = options.inputs.flatMap((name) => (isUrl(name) ? [name] : [name, dirname(name)]));
  const names = options.tiles === undefined ? near : [options.tiles];
  const faults: Fault[] = [];
  for (const name of names) {
    const source = await openSource(name, options.auditorKey);
    if (!source) continue;
    const tree = new TileTree(source, larger.head, findings);
    const edge = await tree.openEdge(async () => undefined);
    if (!edge.signed) {
      faults.push(...edge.faults);
      continue;
    }
    // The proof can do without them, and yet they are not what they must be.
    for (const { reason, place, message } of edge.faults) findings.fault(reason, place, message);
    const isPrefix = await new GrowthCheck(tree, larger.head).isPrefix(smaller.head);
    if (isPrefix) return;
    if (isPrefix === false)
      findings.fault(
        'equivocated',
        smaller.place,
        `it is no beginning of the signed tree of ${larger.head.size}`,
      );
    // Else a tile was to blame, and is.
    return;
  }
  const sources = options.tiles ?? options.inputs.join(', ');
  const message = `no tiles of the tree of ${larger.head.size} leaves in ${sources}`;
  findings.fault('incomplete', larger.place, message);
  for (const { reason, place, message: said } of faults) findings.fault(reason, place, said);
}

async function read(
  options: VerifyOptions,
  at: number,
  findings: Findings,
): Promise<Statement | undefined> {
  const name = options.inputs[at]!;
  const note = await noteOf(name, await openSource(name, options.auditorKey));
  if (note === undefined) {
    findings.fault('incomplete', { file: name }, 'there is no checkpoint');
    return undefined;
  }
  const head = readHead(note, options.key);
  if (!head.ok) findings.fault('unsigned', { file: name }, head.message);
  return head.ok ? { head: head.head, place: { file: name } } : undefined;
}

/** The checkpoint of an export or a log, or a file that is one. Throws UsageError where there is no such file. */
export async function noteOf(
  name: string,
  source: ExportSource | undefined,
): Promise<string | undefined> {
  if (!source) return fileText(name);
  return (await source.read(CHECKPOINT, FILE_BYTES_MAX.note))?.toString('utf8');
}
