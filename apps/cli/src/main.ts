import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

type Run = (args: string[]) => Promise<number>;
interface Verb {
  readonly usage: string;
  readonly says: string;
  readonly run: Run;
}

/** Bad usage, by the contract of the command line: 0 holds, 1 falls short, 2 bad usage. */
const BAD_USAGE = 2;

/** Verbs that run an app start that app's main as a process of its own; they do not import it. */
function runApp(app: string): Run {
  return (args) =>
    new Promise((resolve, reject) => {
      const main = fileURLToPath(new URL(`../../${app}/src/main.js`, import.meta.url));
      const child = spawn(process.execPath, [main, ...args], { stdio: 'inherit' });
      const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
      process.on('SIGINT', forward);
      process.on('SIGTERM', forward);
      child.once('error', reject);
      child.once('exit', (code) => resolve(code ?? 1));
    });
}

const VERBS: Readonly<Record<string, Verb>> = {
  'catalog import': {
    usage: 'custos catalog import --from <folder of models.dev data> [--out <folder>]',
    says: 'turns models.dev data into our catalog format',
    run: async (args) => (await import('./catalog/import.js')).runCatalogImport(args),
  },
  'catalog diff': {
    usage: 'custos catalog diff [--json]',
    says: 'compares our prices with a second opinion',
    run: async (args) => (await import('./catalog/diff.js')).runCatalogDiff(args),
  },
  'policy check': {
    usage: 'custos policy check [folder] [--json] [--watch]',
    says: 'parses, lints and validates policies against the schema',
    run: async (args) => (await import('./policy/check.js')).runPolicyCheck(args),
  },
  'policy test': {
    usage: 'custos policy test [folder] [--json] [--watch]',
    says: 'runs the cases beside the policies',
    run: async (args) => (await import('./policy/test.js')).runPolicyTest(args),
  },
  'policy diff': {
    usage: 'custos policy diff <a> <b> [--json]',
    says: 'tells where two bundles decide differently, over the whole catalog',
    run: async (args) => (await import('./policy/diff.js')).runPolicyDiff(args),
  },
  'policy simulate': {
    usage: 'custos policy simulate <folder|version> [--since 30d] [--url … --key …] [--json]',
    says: 'decides recorded traffic again under other policies',
    run: async (args) => (await import('./policy/simulate.js')).runPolicySimulate(args),
  },
  'policy egress': {
    usage: 'custos policy egress [folder] [--format json|networkpolicy|cilium]',
    says: 'lists the hosts that the policies let a gateway reach',
    run: async (args) => (await import('./policy/egress.js')).runPolicyEgress(args),
  },
  replay: {
    usage: 'custos replay [--since 30d] [--id gen-…] [--json]',
    says: 'derives recorded decisions and plans again and compares them',
    run: async (args) => (await import('./replay/replay.js')).runReplay(args),
  },
  reconcile: {
    usage: 'custos reconcile --provider <id> --file <usage.csv|usage.jsonl> [--from …] [--to …]',
    says: 'lays a provider’s usage export beside the books and records what differs',
    run: async (args) => (await import('./statements/reconcile.js')).runReconcile(args),
  },
  retention: {
    usage: 'custos retention [plan|apply --plan <digest>] [--url … --key …] [--json]',
    says: 'shows what is kept how long, what would go now and what holds it; applies a plan that was shown',
    run: async (args) => (await import('./retention/retention.js')).runRetention(args),
  },
  verify: {
    usage:
      'custos verify log|receipt|consistency|writers|ledger|witness <dir|url|file> --key <verifier key>',
    says: 'proves, from an export or a running log and a public key alone, that nothing was altered',
    run: async (args) => (await import('./verify/verify.js')).runVerify(args),
  },
  'keys generate': {
    usage: 'custos keys generate --name <origin> --out <file> [--witness]',
    says: 'makes a signing key for a log or a witness',
    run: async (args) => (await import('./keys/keys.js')).runKeysGenerate(args),
  },
  'keys show': {
    usage: 'custos keys show <file>',
    says: 'prints the verifier key of a signing key',
    run: async (args) => (await import('./keys/keys.js')).runKeysShow(args),
  },
  'kafka up': {
    usage: 'custos kafka up [--brokers 1|3] [--dir <folder>]',
    says: 'starts development brokers (needs Java 17 and Maven)',
    run: async (args) => (await import('./kafka/up.js')).runKafkaUp(args),
  },
  'kafka down': {
    usage: 'custos kafka down [--dir <folder>]',
    says: 'stops them',
    run: async (args) => (await import('./kafka/down.js')).runKafkaDown(args),
  },
  simulator: {
    usage: 'custos simulator --port <port> [--state-dir <folder>]',
    says: 'runs the provider simulator on its own',
    run: runApp('simulator'),
  },
  witness: {
    usage:
      'custos witness --log <verifier key> [--state-dir <folder>] [--name <name>] [--port <port>]',
    says: 'cosigns a ledger’s checkpoints as long as its log only grows (docs/witness.md)',
    run: runApp('witness'),
  },
};

/** Named in the contract of the command line, not built yet. */
const NOT_YET = ['verify attestation'];

function help(): string {
  const rows = Object.values(VERBS).map((v) => `  ${v.usage}\n      ${v.says}`);
  return `Usage:\n${rows.join('\n')}\n\nNot built yet: ${NOT_YET.join(', ')}.\n`;
}

async function main(argv: readonly string[]): Promise<number> {
  const [first = '', second = ''] = argv;
  if (first === '' || first === '--help' || first === '-h' || first === 'help') {
    process.stdout.write(help());
    return first === '' ? BAD_USAGE : 0;
  }
  const two = `${first} ${second}`;
  const verb = VERBS[two] ?? VERBS[first];
  if (verb) return verb.run(argv.slice(VERBS[two] ? 2 : 1));
  const known = NOT_YET.includes(first) || NOT_YET.includes(two);
  process.stderr.write(
    known ? `custos ${first}: not built yet\n` : `custos: unknown verb\n\n${help()}`,
  );
  return BAD_USAGE;
}

process.exitCode = await main(process.argv.slice(2));
