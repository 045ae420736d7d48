import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { ConfigError, LOG_LEVELS, parseConfig, variable, type Environment } from '#libs/platform';
import { parseVerifierKey, TransparencyError, type NoteVerifier } from '#libs/transparency';

/** The apps before it have 8080 to 8084. */
const PORT_DEFAULT = 8085;

const schema = z.object({
  HOST: z.string().default('127.0.0.1'),
  PORT: variable.port().default(PORT_DEFAULT),
  CUSTOS_DATA_DIR: z.string().default('.custos'),
  /** What must never be lost, nor copied to a second witness. Default: `witness` in the data directory. */
  CUSTOS_WITNESS_STATE_DIR: z.string().optional(),
  /** Name of a key that is made at the first start: a URL without its scheme that says who runs this witness. */
  CUSTOS_WITNESS_NAME: z
    .string()
    .regex(/^[^\s+]{1,255}$/u, { error: () => 'expected a name without spaces and plus signs' })
    .default(`${hostname()}/custos-witness`),
  CUSTOS_WITNESS_KEY: variable.secret().optional(),
  CUSTOS_WITNESS_KEY_FILE: z.string().optional(),
  /** Comma list of the verifier keys of the logs to follow. */
  CUSTOS_WITNESS_LOGS: variable.list().superRefine(areLogKeys),
  CUSTOS_PROFILE: z.enum(['development', 'production']).default('development'),
  CUSTOS_LOG_LEVEL: z.enum(LOG_LEVELS).default('info'),
});

/** The flag that stands for each variable. */
const FLAGS = {
  host: 'HOST',
  port: 'PORT',
  'state-dir': 'CUSTOS_WITNESS_STATE_DIR',
  name: 'CUSTOS_WITNESS_NAME',
  'key-file': 'CUSTOS_WITNESS_KEY_FILE',
} as const;

export interface WitnessConfig {
  readonly host: string;
  readonly port: number;
  readonly stateDir: string;
  readonly name: string;
  readonly signerKey: string | undefined;
  readonly logs: readonly NoteVerifier[];
  readonly production: boolean;
  readonly firstStart: boolean;
  readonly logLevel: (typeof LOG_LEVELS)[number];
}

/** Flags before the environment; `--log` may be given many times. Throws ConfigError with every fault. */
export function readWitnessConfig(
  argv: readonly string[],
  environment: Environment,
): WitnessConfig {
  const flags = readFlags(argv);
  const named = Object.entries(FLAGS).map(([flag, name]) => [
    name,
    flags[flag as keyof typeof FLAGS],
  ]);
  const given = Object.fromEntries(named.filter(([, value]) => value !== undefined));
  const read = parseConfig(schema, {
    ...environment,
    ...given,
    ...(flags.log !== undefined && { CUSTOS_WITNESS_LOGS: flags.log.join(',') }),
  });
  return {
    host: read.HOST,
    port: read.PORT,
    stateDir: read.CUSTOS_WITNESS_STATE_DIR ?? join(read.CUSTOS_DATA_DIR, 'witness'),
    name: read.CUSTOS_WITNESS_NAME,
    signerKey: read.CUSTOS_WITNESS_KEY ?? readKeyFile(read.CUSTOS_WITNESS_KEY_FILE),
    logs: read.CUSTOS_WITNESS_LOGS.map(parseVerifierKey),
    production: read.CUSTOS_PROFILE === 'production',
    firstStart: flags['first-start'] ?? false,
    logLevel: read.CUSTOS_LOG_LEVEL,
  };
}

export const witnessConfig = (): WitnessConfig =>
  readWitnessConfig(process.argv.slice(2), process.env);

function readFlags(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        host: { type: 'string' },
        port: { type: 'string' },
        'state-dir': { type: 'string' },
        name: { type: 'string' },
        'key-file': { type: 'string' },
        log: { type: 'string', multiple: true },
        'first-start': { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw invalid('(arguments)', (error as Error).message);
  }
}

function readKeyFile(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw invalid('CUSTOS_WITNESS_KEY_FILE', 'cannot be read');
  }
}

/** The key's name is the origin of the log that it signs. */
function areLogKeys(texts: readonly string[], context: z.RefinementCtx): void {
  for (const text of texts)
    try {
      if (parseVerifierKey(text).purpose !== 'note')
        context.addIssue({ code: 'custom', message: 'a witness’s key is no log’s' });
    } catch (error) {
      if (!(error instanceof TransparencyError)) throw error;
      context.addIssue({ code: 'custom', message: 'expected verifier keys: <origin>+<id>+<key>' });
    }
}

const invalid = (name: string, problem: string): ConfigError =>
  new ConfigError([{ variable: name, problem }]);
