// `npm run test:crash`: the long crash campaigns, one log after the other.
//   npm run test:crash -- [--kills 500] [--seed 7] [--log postgres|kafka]
// Three kills of five are on PostgreSQL, the others on Kafka, unless one log is named. The seed is printed: with it, the same
// kills come again in the same order, as far as the system's scheduler lets them.
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { delimiter, join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildIfStale } from './build.mjs';
import { ensureInstalled, root, runScript } from './ensure-installed.mjs';

const KILLS = 500;
const SHARE = { postgres: 0.6, kafka: 0.4 };
const LOGS = Object.keys(SHARE);

async function main() {
  const { values } = parseArgs({
    options: { kills: { type: 'string' }, seed: { type: 'string' }, log: { type: 'string' } },
  });
  const kills = whole('--kills', values.kills ?? String(KILLS));
  const seed = whole('--seed', values.seed ?? String(randomInt(1_000_000)));
  if (values.log !== undefined && !LOGS.includes(values.log))
    throw new Error(`--log is one of ${LOGS.join(', ')}`);
  const node = ensureInstalled();
  buildIfStale(node);
  let failed = 0;
  for (const log of values.log === undefined ? LOGS : [values.log]) {
    const share = values.log === undefined ? Math.ceil(kills * SHARE[log]) : kills;
    console.log(`${share} kills on ${log}, seed ${seed}`);
    if (log === 'kafka') {
      const { ensureKafkaJars } = await import('../deploy/kafka/brokers.mjs');
      await ensureKafkaJars({ log: (message) => console.log(message) });
    }
    const startedAt = performance.now();
    if ((await campaign(node, log, share, seed)) !== 0) failed += 1;
    console.log(`${log}: ${((performance.now() - startedAt) / 60_000).toFixed(1)} minutes`);
  }
  return failed === 0 ? 0 : 1;
}

function whole(name, text) {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new Error(`${name} takes a whole number above 0`);
  return Number(text);
}

function campaign(node, log, kills, seed) {
  const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  const jest = [join(root, 'node_modules/jest/bin/jest.js'), `test/crash/campaign-${log}`];
  const child = spawn(node, [...flags, ...jest], {
    cwd: root,
    env: {
      ...process.env,
      PATH: join(root, 'node_modules', '.bin') + delimiter + process.env.PATH,
      CUSTOS_CRASH_KILLS: String(kills),
      CUSTOS_CRASH_SEED: String(seed),
      ...(log === 'kafka' ? { CUSTOS_TEST_KAFKA: '1' } : {}),
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

await runScript(main);
