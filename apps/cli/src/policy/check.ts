import { buildBundle, formatPolicyText, type PolicyCitation } from '#libs/policy';
import { folderFault, policyOptions, readSources } from './policy-folder.js';
import { runAndWatch } from './watch.js';

const USAGE = `usage: custos policy check [folder] [--json] [--watch]

Parses, lints and validates the policies below a folder against its schema, and checks their format.
--watch: again after each change, until Ctrl-C.
Exit code 0: they hold, 1: faults (all are listed), 2: bad usage.
`;

interface CheckFault {
  readonly code: string;
  readonly file: string;
  readonly policyId?: string;
  readonly message: string;
}

interface CheckReport {
  readonly holds: boolean;
  /** Of the bundle that these texts make. */
  readonly version?: string;
  readonly policies: readonly PolicyCitation[];
  readonly faults: readonly CheckFault[];
}

/** Exit codes as in the usage text. */
export async function runPolicyCheck(args: string[]): Promise<number> {
  const options = policyOptions(args);
  const fault = options === undefined ? undefined : folderFault(options.folder);
  if (options === undefined || fault !== undefined) {
    process.stderr.write(fault === undefined ? USAGE : `${fault}\n`);
    return 2;
  }
  const run = (): number => {
    const report = check(options.folder);
    process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : table(report));
    return report.holds ? 0 : 1;
  };
  return options.watch ? runAndWatch(options.folder, run) : run();
}

function check(folder: string): CheckReport {
  const sources = readSources(folder);
  const unformatted: CheckFault[] = [];
  for (const [file, text] of Object.entries(sources.policies)) {
    const formatted = formatPolicyText(text);
    // A text that does not parse is reported by the build.
    if (!formatted.ok || formatted.value === text) continue;
    const line = firstDifference(text, formatted.value);
    unformatted.push({ code: 'format', file, message: `not formatted, from line ${line}` });
  }
  const built = buildBundle(sources);
  const faults = [...(built.ok ? [] : built.faults), ...unformatted];
  const holds = faults.length === 0;
  if (!built.ok) return { holds, policies: [], faults };
  const policies = Object.values(built.bundle.citations);
  return { holds, version: built.bundle.version, policies, faults };
}

function firstDifference(a: string, b: string): number {
  const [left, right] = [a.split('\n'), b.split('\n')];
  return left.findIndex((line, at) => line !== right[at]) + 1 || left.length;
}

function table({ version, policies, faults }: CheckReport): string {
  const width = Math.max(0, ...policies.map((p) => p.id.length));
  const rows = policies.map((p) => `${p.id.padEnd(width)}  ${p.layer.padEnd(12)}  ${p.law}`);
  const said = faults.map(
    (f) => `${f.file}${f.policyId === undefined ? '' : ` ${f.policyId}`}: ${f.message} [${f.code}]`,
  );
  const verdict =
    faults.length > 0
      ? `${faults.length} faults`
      : `${policies.length} policies hold, version ${version}`;
  return [...rows, ...said, verdict, ''].join('\n');
}
