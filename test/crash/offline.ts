// What an auditor does: takes an export and the log's public key, and lets `custos verify` find fault with it, offline.
import { spawnSync } from 'node:child_process';
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { packageRoot } from '#libs/platform';
import type { Books } from './books.js';
import type { House } from './house.js';

const CLI = join(packageRoot(import.meta.dirname), 'dist/apps/cli/src/main.js');
const MODES = ['log', 'writers', 'ledger'] as const;
const VERIFY_MS = 120_000;
const SAID_CHARS = 2_000;

/** Faults that the product's own verifier finds in an export of everything; empty is right. */
export async function verifyOffline(house: House, books: Books): Promise<readonly string[]> {
  const [identity] = await books.rows<{ key: string }>(
    'select verifier_key as key from ledger.log_identity',
  );
  const folder = mkdtempSync(join(house.dataDir, 'export-'));
  try {
    const faults = await download(house, folder);
    if (faults.length > 0) return faults;
    return MODES.flatMap((mode) => {
      const args = [CLI, 'verify', mode, join(folder, 'export'), '--key', identity!.key];
      const { status, stdout, stderr } = spawnSync(process.execPath, args, {
        encoding: 'utf8',
        timeout: VERIFY_MS,
      });
      return status === 0
        ? []
        : [`verify ${mode} (${status}): ${(stdout + stderr).slice(0, SAID_CHARS)}`];
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function download(house: House, folder: string): Promise<readonly string[]> {
  const [ledger] = house.all('ledger');
  const response = await fetch(`${ledger!.process.url}/audit/v1/export`, {
    headers: { authorization: `Bearer ${house.keys.auditorKey}` },
  });
  if (response.status !== 200 || response.body === null)
    return [`the export answers ${response.status}: ${await response.text()}`];
  const tar = join(folder, 'export.tar');
  await pipeline(Readable.fromWeb(response.body), createWriteStream(tar));
  const unpacked = spawnSync('sh', ['-c', 'mkdir export && tar -x -f export.tar -C export'], {
    cwd: folder,
    encoding: 'utf8',
  });
  return unpacked.status === 0 ? [] : [`the export does not unpack: ${unpacked.stderr}`];
}
