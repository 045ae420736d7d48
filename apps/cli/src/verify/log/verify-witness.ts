import {
  openCheckpoint,
  parsePolicy,
  TransparencyError,
  type NoteVerifier,
  type TlogPolicy,
} from '#libs/transparency';
import type { Mode } from '../mode.js';
import type { Findings, Place } from '../report.js';
import { FILE_BYTES_MAX, type ExportSource } from '../source/export-source.js';
import { openSource } from '../source/open-source.js';
import { fileText, UsageError } from '../verify-options.js';
import { noteOf } from './verify-consistency.js';

const POLICY = 'policy';
/** Clocks of two honest houses. */
const CLOCKS_APART_MS = 24 * 3_600_000;

/**
 * The checkpoint under a policy: signed by a log of it and cosigned by its quorum. Best the verifier's own (--policy);
 * with the log's key alone the one that the log says of itself, which the report does not vouch for.
 */
export const WITNESS: Mode = {
  inputs: { min: 1, max: 1 },
  needsKey: false,
  run: async (options, findings) => {
    const [name = ''] = options.inputs;
    const source = await openSource(name, options.auditorKey);
    const policy =
      options.policy === undefined
        ? await ownPolicy(source, options.key, findings)
        : readPolicy(options.policy);
    const note = await noteOf(name, source);
    if (note === undefined) findings.fault('incomplete', { file: name }, 'there is no checkpoint');
    else if (policy) judgeQuorum(note, policy, { file: name }, findings);
  },
};

/** The policy that comes with an export, as far as it is about the log whose key the verifier holds. */
async function ownPolicy(
  source: ExportSource | undefined,
  key: NoteVerifier | undefined,
  findings: Findings,
): Promise<TlogPolicy | undefined> {
  if (!source || !key) throw new UsageError('--policy is missing (for an export, --key will do)');
  const place = { file: POLICY };
  const bytes = await source.read(POLICY, FILE_BYTES_MAX.note);
  if (bytes === undefined) throw new UsageError(`--policy is missing, and ${source.name} has none`);
  findings.notCovered('whether these are witnesses to trust: the policy is the log’s own');
  try {
    const policy = parsePolicy(bytes.toString('utf8'));
    const logs = policy.logs.filter(({ verifier }) => verifier.verifierKey === key.verifierKey);
    if (logs.length > 0) return { ...policy, logs };
    findings.fault('altered', place, 'it names other logs than the one of the given key');
  } catch (error) {
    if (!(error instanceof TransparencyError)) throw error;
    findings.fault('altered', place, error.message);
  }
  return undefined;
}

/** Throws UsageError where the file is no policy. */
export function readPolicy(file: string): TlogPolicy {
  try {
    return parsePolicy(fileText(file));
  } catch (error) {
    if (!(error instanceof TransparencyError)) throw error;
    throw new UsageError(`${file}: ${error.message}`);
  }
}

export function judgeQuorum(
  note: string,
  policy: TlogPolicy,
  place: Place,
  findings: Findings,
): void {
  try {
    const { checkpoint, cosignatures } = openCheckpoint(note, policy);
    const { origin, size } = checkpoint;
    for (const { name, timeSeconds = 0n } of cosignatures)
      if (Number(timeSeconds) * 1_000 > Date.now() + CLOCKS_APART_MS)
        findings.note(
          `${name} dates its cosignature ${timeText(timeSeconds)}, which is yet to come`,
        );
    const said = cosignatures.map(
      ({ name, timeSeconds }) => `${name} at ${timeText(timeSeconds ?? 0n)}`,
    );
    Object.assign(findings.checked, {
      origin,
      size: size.toString(),
      quorum: policy.quorum,
      cosignatures: said.join(', ') || 'none',
    });
  } catch (error) {
    if (!(error instanceof TransparencyError)) throw error;
    findings.fault('unsigned', place, error.message);
  }
}

/** Later than any calendar of JavaScript (the year 275760), it is shown as it was signed. */
function timeText(seconds: bigint): string {
  const time = new Date(Number(seconds) * 1_000);
  return Number.isNaN(time.getTime()) ? `second ${seconds}` : time.toISOString();
}
