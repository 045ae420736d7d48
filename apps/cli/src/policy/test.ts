import { DomainError } from '#libs/kernel';
import {
  buildBundle,
  readPolicyCases,
  runPolicyCases,
  type PolicyBundle,
  type PolicyCaseResult,
} from '#libs/policy';
import {
  folderFault,
  policyOptions,
  readSources,
  textsBelow,
  type PolicyOptions,
} from './policy-folder.js';
import { runAndWatch } from './watch.js';

const USAGE = `usage: custos policy test [folder] [--json] [--watch]

Runs the cases (*.cases.json) below a folder of policies, each by Cedar itself.
--watch: again after each change, until Ctrl-C.
Exit code 0: all hold, 1: some do not (they are listed) or cannot be run, 2: bad usage.
`;

interface FileReport {
  readonly file: string;
  /** Why its cases could not be run. */
  readonly fault?: string;
  readonly results: readonly PolicyCaseResult[];
}

/** Exit codes as in the usage text. */
export async function runPolicyTest(args: string[]): Promise<number> {
  const options = policyOptions(args);
  const fault = options === undefined ? undefined : folderFault(options.folder);
  if (options === undefined || fault !== undefined) {
    process.stderr.write(fault === undefined ? USAGE : `${fault}\n`);
    return 2;
  }
  const run = (): number => testFolder(options);
  return options.watch ? runAndWatch(options.folder, run) : run();
}

function testFolder(options: PolicyOptions): number {
  const built = buildBundle(readSources(options.folder));
  if (!built.ok) {
    const { length } = built.faults;
    process.stderr.write(`the policies have ${length} faults: see custos policy check\n`);
    return 1;
  }
  const files = textsBelow(options.folder, '**/*.cases.json');
  const reports = files.map(([file, text]) => runFile(built.bundle, file, text));
  const results = reports.flatMap((r) => r.results);
  const failed = results.filter((r) => !r.holds).length;
  const unreadable = reports.filter((r) => r.fault !== undefined).length;
  // Nothing tested is nothing proved.
  const holds = failed === 0 && unreadable === 0 && results.length > 0;
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ holds, version: built.bundle.version, files: reports })}\n`
      : `${table(reports)}${results.length - failed} hold, ${failed} do not, ${unreadable} files unreadable\n`,
  );
  return holds ? 0 : 1;
}

function runFile(bundle: PolicyBundle, file: string, text: string): FileReport {
  try {
    return { file, results: runPolicyCases(bundle, readPolicyCases(text)) };
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return { file, fault: error.message, results: [] };
  }
}

function table(reports: readonly FileReport[]): string {
  return reports
    .flatMap(({ file, fault, results }) => [
      ...(fault === undefined ? [] : [`${file}: ${fault}`]),
      ...results.filter((r) => !r.holds).map((r) => `${file}: ${r.name}\n${difference(r)}`),
    ])
    .map((line) => `${line}\n`)
    .join('');
}

function difference({ expected, actual }: PolicyCaseResult): string {
  const error = actual.errored ? ', and a policy failed to evaluate' : '';
  return [
    `  expected ${expected.decision} by ${expected.policies.join(', ') || 'none'}`,
    `  got      ${actual.decision} by ${actual.policies.join(', ') || 'none'}${error}`,
  ].join('\n');
}
