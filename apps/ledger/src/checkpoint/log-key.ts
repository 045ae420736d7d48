import { randomBytes, randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { MAIN_LEDGER } from '#libs/audit-log';
import { ConfigError } from '#libs/platform';
import { generateKey, parseSignerKey, type NoteSigner } from '#libs/transparency';

export interface LogKeySettings {
  /** A C2SP signer key (`PRIVATE+KEY+<origin>+…`) itself, or the file that holds it. */
  readonly CUSTOS_LOG_SIGNING_KEY?: string | undefined;
  readonly CUSTOS_LOG_SIGNING_KEY_FILE?: string | undefined;
  readonly CUSTOS_DATA_DIR: string;
  /** Named in the file, and in the origin where a key is made for a ledger other than the main one. */
  readonly CUSTOS_LEDGER_ID: string;
  /** Host of the origin where a key is made. */
  readonly CUSTOS_LOG_HOST: string;
}

/**
 * The key that signs checkpoints; its name is the log's origin. As configured, else the one kept in the data directory
 * (mode 0600), made there when there is none. Throws ConfigError where it cannot be read as one.
 */
export async function openLogKey(settings: LogKeySettings): Promise<NoteSigner> {
  const { CUSTOS_LOG_SIGNING_KEY: text, CUSTOS_LOG_SIGNING_KEY_FILE: file } = settings;
  const id = settings.CUSTOS_LEDGER_ID;
  if (text !== undefined) return ownOf(id, signerOf(text, 'CUSTOS_LOG_SIGNING_KEY'));
  if (file !== undefined)
    return ownOf(id, signerOf(await readKey(file), 'CUSTOS_LOG_SIGNING_KEY_FILE'));
  const isMain = id === MAIN_LEDGER;
  const path = join(settings.CUSTOS_DATA_DIR, isMain ? 'log-signing.key' : `log-signing.${id}.key`);
  await makeKey(
    settings.CUSTOS_DATA_DIR,
    path,
    `${settings.CUSTOS_LOG_HOST}/audit/${isMain ? '' : `${id}/`}${randomUUID()}`,
  );
  return signerOf(await readKey(path), 'CUSTOS_DATA_DIR');
}

function signerOf(text: string, variable: string): NoteSigner {
  const signer = parsed(text.trim());
  if (signer?.purpose === 'note') return signer;
  // Never the parser's message: it might quote the key.
  throw new ConfigError([
    { variable, problem: 'is not a C2SP signer key (PRIVATE+KEY+<origin>+<id>+<key>) for notes' },
  ]);
}

/** One key for two ledgers would sign two histories under one origin, and each witness would convict it. */
function ownOf(ledgerId: string, signer: NoteSigner): NoteSigner {
  const [, named = MAIN_LEDGER] = /\/audit\/([^/]+)\/[^/]+$/.exec(signer.name) ?? [];
  if (named === ledgerId) return signer;
  throw new ConfigError([
    {
      variable: 'CUSTOS_LEDGER_ID',
      problem: `is ${ledgerId}, and the signing key's name is that of the ledger ${named} (<host>/audit/<ledger>/<any>; without <ledger> it is ${MAIN_LEDGER}'s)`,
    },
  ]);
}

function parsed(text: string): NoteSigner | undefined {
  try {
    return parseSignerKey(text);
  } catch {
    return undefined;
  }
}

async function readKey(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return '';
  }
}

/** Complete or not there at all, whoever else starts at the same time. */
async function makeKey(dataDir: string, path: string, origin: string): Promise<void> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(`${generateKey(origin).signerKey}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await unlink(draft);
  }
  // The database holds to the first key for ever: its name must survive a loss of power before it is claimed there.
  const directory = await open(dataDir, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
