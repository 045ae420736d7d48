import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { generateKey, parseSignerKey, TransparencyError } from '#libs/transparency';

const USAGE = `usage: custos keys generate --name <origin> --out <file> [--witness]
       custos keys show <file>

generate: makes an Ed25519 key pair (C2SP signed-note; --witness: tlog-cosignature v1), writes the secret signer key to
a new file that only its owner can read, and prints the verifier key. show: prints the verifier key of a signer key.
Exit code 0: done, 1: the file is there already or holds no key, 2: bad usage.
`;

/** A secret is never printed: it is written once, for its owner alone, and never over another. */
const OWNER_ONLY = 0o600;

export async function runKeysGenerate(args: string[]): Promise<number> {
  const options = generateOptions(args);
  if (options === undefined) return badUsage();
  const { name, out, witness } = options;
  try {
    const { signerKey, verifierKey } = generateKey(name, witness ? 'cosignature' : 'note');
    writeFileSync(out, `${signerKey}\n`, { flag: 'wx', mode: OWNER_ONLY });
    process.stdout.write(`${verifierKey}\n`);
    return 0;
  } catch (error) {
    return failed(error, out);
  }
}

export async function runKeysShow(args: string[]): Promise<number> {
  const [file, ...rest] = args;
  if (file === undefined || file.startsWith('-') || rest.length > 0) return badUsage();
  try {
    const { verifierKey } = parseSignerKey(readFileSync(file, 'utf8').trim());
    process.stdout.write(`${verifierKey}\n`);
    return 0;
  } catch (error) {
    return failed(error, file);
  }
}

function generateOptions(args: string[]) {
  try {
    const { values } = parseArgs({
      args,
      options: {
        name: { type: 'string' },
        out: { type: 'string' },
        witness: { type: 'boolean', default: false },
      },
    });
    const { name, out, witness } = values;
    return name === undefined || out === undefined ? undefined : { name, out, witness };
  } catch {
    return undefined;
  }
}

function badUsage(): number {
  process.stderr.write(USAGE);
  return 2;
}

function failed(error: unknown, file: string): number {
  if (error instanceof TransparencyError) process.stderr.write(`${error.message}\n`);
  else if (isSystemError(error)) process.stderr.write(`${file}: ${error.code}\n`);
  else throw error;
  return 1;
}

const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  typeof error === 'object' && error !== null && 'code' in error;
