// `npm test`: every check there is, in one command. `npm test -- <jest arguments>` runs only those specs.
// A failing stage does not keep the next from running; the last line counts all of them.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { buildIfStale } from './build.mjs';
import { ensureInstalled, root, runScript } from './ensure-installed.mjs';

/** Jest has written its results; what still runs after this long is a handle that a spec forgot. */
const JEST_EXIT_MS = 30_000;

const counts = { passed: 0, failed: 0, skipped: 0 };
const failedStages = [];

async function main() {
  const node = ensureInstalled();
  const env = {
    ...process.env,
    PATH: join(root, 'node_modules', '.bin') + delimiter + process.env.PATH,
  };
  const selected = process.argv.slice(2);
  const bin = (path) => [node, join(root, 'node_modules', path)];
  if (selected.length === 0) {
    await stage('format', () =>
      run([...bin('prettier/bin/prettier.cjs'), '--check', '--log-level=warn', '.'], env),
    );
    await stage('lint', () =>
      run([...bin('oxlint/bin/oxlint'), '--type-aware', '--deny-warnings'], env),
    );
    await stage('types', () =>
      run([...bin('typescript/bin/tsc'), '--noEmit', '-p', 'tsconfig.json'], env),
    );
    const depcruise = bin('dependency-cruiser/bin/dependency-cruiser.mjs');
    await stage('dependencies', () =>
      run([...depcruise, '--config', '.dependency-cruiser.cjs', 'apps', 'libs'], env),
    );
  }
  // The end-to-end specs run the built product, as its users do.
  await stage('build', () => buildIfStale(node));
  const kafka = await prepareKafka();
  if (kafka.ran) env.CUSTOS_TEST_KAFKA = '1';
  await jest(node, env, selected);
  if (!kafka.ran) sayLoudly(`The Kafka part did NOT run: ${kafka.reason}`);
  if (failedStages.length > 0) console.log(`failed: ${failedStages.join(', ')}`);
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  return counts.failed === 0 ? 0 : 1;
}

/** Runs one check that is not a spec; it counts as one test. */
async function stage(name, work) {
  console.log(`\n── ${name}`);
  const startedAt = performance.now();
  let failure;
  try {
    await work();
  } catch (error) {
    failure = error.message;
  }
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${failure === undefined ? 'passed' : `FAILED: ${failure}`} (${seconds} s)`);
  count(name, failure === undefined);
}

function count(name, passed) {
  if (passed) counts.passed += 1;
  else {
    counts.failed += 1;
    failedStages.push(name);
  }
}

async function run([command, ...args], env) {
  const code = await exitCodeOf(
    spawn(command, args, { cwd: root, env, stdio: ['ignore', 'inherit', 'inherit'] }),
  );
  if (code !== 0) throw new Error(`exit code ${code}`);
}

function exitCodeOf(child) {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal]));
  });
}

async function jest(node, env, selected) {
  console.log('\n── specs');
  const folder = mkdtempSync(join(tmpdir(), 'custos-jest-'));
  const outputFile = join(folder, 'results.json');
  const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  const args = [...flags, join(root, 'node_modules/jest/bin/jest.js'), '--maxWorkers=2', '--json'];
  const child = spawn(node, [...args, `--outputFile=${outputFile}`, ...selected], {
    cwd: root,
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  let lingers = false;
  let timer;
  const watch = setInterval(() => {
    if (!existsSync(outputFile) || timer !== undefined) return;
    timer = setTimeout(() => {
      lingers = true;
      child.kill('SIGKILL');
    }, JEST_EXIT_MS);
  }, 1_000);
  const code = await exitCodeOf(child);
  clearInterval(watch);
  clearTimeout(timer);
  if (lingers) {
    console.log(
      `FAILED: Jest still ran ${JEST_EXIT_MS / 1000} s after its last spec: something was left open`,
    );
    count('open handles', false);
  }
  addResults(outputFile, code);
  rmSync(folder, { recursive: true, force: true });
}

function addResults(outputFile, code) {
  if (!existsSync(outputFile)) {
    count(`jest (exit code ${code}, no results)`, code === 0);
    return;
  }
  const results = JSON.parse(readFileSync(outputFile, 'utf8'));
  counts.passed += results.numPassedTests;
  // A spec file that does not even load has no tests to count.
  counts.failed += results.numFailedTests + results.numRuntimeErrorTestSuites;
  counts.skipped += results.numPendingTests + results.numTodoTests;
  for (const suite of results.testResults) {
    if (suite.status === 'failed') failedStages.push(suite.name.replace(`${root}/`, ''));
  }
  // For instance a global tear-down that failed, or no spec found.
  if (code !== 0 && results.success === true) count(`jest (exit code ${code})`, false);
}

/** Real brokers need a JVM and the jars, which Maven fetches once into `.kafka/`. */
async function prepareKafka() {
  const lacks = missingForKafka();
  let reason = lacks;
  if (lacks === undefined) {
    try {
      const { ensureKafkaJars } = await import('../deploy/kafka/brokers.mjs');
      await ensureKafkaJars({ log: (message) => console.log(message) });
      return { ran: true };
    } catch (error) {
      reason = error.message;
    }
  }
  // On a machine whose whole purpose is to run everything, a part that did not run is a failure.
  if (process.env.CI === 'true') await stage('kafka', () => Promise.reject(new Error(reason)));
  else sayLoudly(`The Kafka part does NOT run: ${reason}`);
  return { ran: false, reason };
}

function missingForKafka() {
  const java = spawnSync('java', ['-version'], { encoding: 'utf8' });
  const major = Number(/version "(\d+)/.exec(`${java.stderr}${java.stdout}`)?.[1] ?? 0);
  if (major < 17) return `Java 17 or newer is needed (found ${major || 'none'})`;
  if (spawnSync('mvn', ['-v'], { stdio: 'ignore' }).status !== 0) return 'Maven (mvn) is needed';
  return undefined;
}

function sayLoudly(message) {
  const line = '!'.repeat(message.length + 8);
  console.log(`\n${line}\n!!  ${message}  !!\n${line}\n`);
}

await runScript(main);
