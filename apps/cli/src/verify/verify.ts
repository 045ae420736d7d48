import type { Mode } from './mode.js';
import { Findings, reportLine, reportText, type Report } from './report.js';
import { SourceFault } from './source/export-source.js';
import { UsageError, verifyOptions, type VerifyOptions } from './verify-options.js';

const MODES: Readonly<Record<string, () => Promise<Mode>>> = {
  log: async () => (await import('./log/verify-log.js')).LOG,
  receipt: async () => (await import('./receipt/verify-receipt.js')).RECEIPT,
  consistency: async () => (await import('./log/verify-consistency.js')).CONSISTENCY,
  writers: async () => (await import('./writers/verify-writers.js')).WRITERS,
  ledger: async () => (await import('./books/verify-ledger.js')).LEDGER,
  witness: async () => (await import('./log/verify-witness.js')).WITNESS,
};

const USAGE = `usage: custos verify log <dir|url> --key <verifier key> [--previous <checkpoint file>] [--whole]
       custos verify receipt <file> --key <verifier key> [--books <dir>] [--policy <file>]
       custos verify consistency <checkpoint> <checkpoint> --key <verifier key> [--tiles <dir|url>]
       custos verify writers <dir|url> [--key <verifier key>] [--silence 10m] [--whole]
       custos verify ledger <dir|url> --key <verifier key> [--whole]
       custos verify witness <dir|url|checkpoint file> --policy <file> (or --key, and the policy of the export itself)

<dir> is an unpacked export, <url> the /log/ of a running ledger; --auditor-key <key|@file> is sent for its entries.
--whole: anything less than every record from the first leaf to the checkpoint's size is incomplete.
--key is a C2SP verifier key, a file with one, or bootstrap.json. --json prints one line for machines.
Exit code 0: it holds, 1: it falls short (altered, removed, reordered, equivocated, unsigned or incomplete), 2: bad usage.
`;

const BAD_USAGE = 2;

/** Exit codes as in the usage text. */
export async function runVerify(args: string[]): Promise<number> {
  const [name = '', ...rest] = args;
  const load = Object.hasOwn(MODES, name) ? MODES[name] : undefined;
  if (load === undefined) {
    process.stderr.write(USAGE);
    return BAD_USAGE;
  }
  try {
    const mode = await load();
    const options = verifyOptions(rest, mode.inputs);
    if (mode.needsKey && !options.key) throw new UsageError('--key is missing');
    const report = await verify(name, mode, options);
    process.stdout.write(options.json ? reportLine(report) : reportText(report));
    return report.holds ? 0 : 1;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`custos verify ${name}: ${error.message}\n\n${USAGE}`);
    return BAD_USAGE;
  }
}

/** Runs one mode. What cannot be read is said, as everything else is. */
export async function verify(name: string, mode: Mode, options: VerifyOptions): Promise<Report> {
  const findings = new Findings();
  try {
    await mode.run(options, findings);
  } catch (error) {
    if (!(error instanceof SourceFault)) throw error;
    const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
    findings.fault('incomplete', {}, `${error.message}${cause}`);
  }
  return findings.report(name);
}
