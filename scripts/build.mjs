// Builds `dist` when a source changed since the last build; silent and quick when none did.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
} from 'node:fs';
import { rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureInstalled, root, runScript } from './ensure-installed.mjs';

const dist = join(root, 'dist');
const stampPath = join(dist, '.build-stamp');
const lockPath = join(root, 'node_modules', '.custos-build-lock');
const folders = ['apps', 'libs', 'test/bench', 'deploy/kafka'];
const files = [
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'scripts/build.mjs',
  // The benchmark compiles this one in.
  'test/support/processes.ts',
];
/** A whole build takes seconds; a lock held longer than this belongs to something that hangs. */
const LOCK_WAIT_MS = 180_000;

/** @throws {Error} when the sources do not compile */
export function buildIfStale(node) {
  if (isFresh(sources())) return;
  withLock(() => {
    const inputs = sources();
    if (isFresh(inputs)) return; // Somebody else built while we waited.
    const names = hash(inputs.map((input) => input.path));
    // What has no source any more must not stay importable.
    if (readStamp().names !== names) rmSync(dist, { recursive: true, force: true });
    rmSync(stampPath, { force: true });
    console.error('Building …');
    const compiler = join(root, 'node_modules/typescript/bin/tsc');
    const args = [compiler, '-p', 'tsconfig.build.json', '--noEmitOnError'];
    const result = spawnSync(node, args, { cwd: root, stdio: ['ignore', 2, 2] });
    if (result.status !== 0) throw new Error('the build failed: see what the compiler says above');
    for (const { path } of inputs) if (isAsset(path)) copy(path);
    writeFileSync(stampPath, JSON.stringify({ names, content: contentOf(inputs) }));
  });
}

/** Size and time stand for the content: reading it all would cost more than everything else here. */
function sources() {
  const found = files.map((path) => ({ path, ...facts(path) }));
  for (const folder of folders) collect(folder, found);
  return found;
}

function collect(folder, found) {
  if (!existsSync(join(root, folder))) return;
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) collect(path, found);
    else if (!/\.spec\.ts$|\.md$/.test(entry.name)) found.push({ path, ...facts(path) });
  }
}

function facts(path) {
  const { mtimeMs, size } = statSync(join(root, path));
  return { mtimeMs, size };
}

/** Whatever lies beside the code and is not code (facts, schemas, SQL) is read at run time from where the code is. */
function isAsset(path) {
  return folders.some((folder) => path.startsWith(`${folder}/`)) && !/\.[cm]?ts$/.test(path);
}

function copy(path) {
  const target = join(dist, path);
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(join(root, path), target);
}

function contentOf(inputs) {
  return hash(inputs.map(({ path, mtimeMs, size }) => `${path} ${mtimeMs} ${size}`));
}

function hash(lines) {
  return createHash('sha256').update(lines.join('\n')).digest('hex');
}

function isFresh(inputs) {
  return readStamp().content === contentOf(inputs);
}

function readStamp() {
  return existsSync(stampPath) ? JSON.parse(readFileSync(stampPath, 'utf8')) : {};
}

/** Two commands at once (a test run starting several processes) must not compile into each other. */
function withLock(work) {
  const until = Date.now() + LOCK_WAIT_MS;
  for (;;) {
    try {
      const lock = openSync(lockPath, 'wx');
      writeSync(lock, String(process.pid));
      closeSync(lock);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      if (!holderLives()) rmSync(lockPath, { force: true });
      else if (Date.now() > until)
        throw new Error(`another build holds ${lockPath}; remove it if none runs`);
      else sleep(100);
    }
  }
  try {
    work();
  } finally {
    rmSync(lockPath, { force: true });
  }
}

function holderLives() {
  try {
    const pid = Number(readFileSync(lockPath, 'utf8'));
    // Empty: just being written.
    return pid === 0 || process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function sleep(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await runScript(() => buildIfStale(ensureInstalled()));
}
