// Development brokers: one or three real Apache Kafka 4.3.1 (KRaft, loopback only) from jars of Maven Central.
// Used by `custos kafka up|down` and by the specs. Each broker is detached; its pid file is how it is found again.
import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomInt } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, readdirSync } from 'node:fs';
import { renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const pomPath = join(here, 'pom.xml');
/** Three JVMs on two cores take 7 s; a loaded machine several times that. */
const READY_MS = 90_000;
/** A broker that stops writes its clean-shutdown marks; after that SIGKILL, as a crash would. */
const STOP_MS = 20_000;
const HEAP = { 1: '-Xmx384m', 3: '-Xmx256m' };

/** `.kafka/libs` at the root of the checkout, whether this file lies in the sources or in `dist`. */
export function defaultJarsDir() {
  let folder = here;
  while (!existsSync(join(folder, 'package-lock.json'))) {
    if (folder === dirname(folder)) throw new Error('no checkout above the broker launcher');
    folder = dirname(folder);
  }
  return join(folder, '.kafka', 'libs');
}

/** Fetches the jars once; a changed pom fetches anew. @throws when Java or Maven is missing or Maven fails */
export async function ensureKafkaJars({ jarsDir = defaultJarsDir(), log = () => {} } = {}) {
  const wanted = createHash('sha256').update(readFileSync(pomPath)).digest('hex');
  const stamp = join(jarsDir, '.pom-sha256');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return jarsDir;
  log('Fetching the Kafka jars (45 MB, once) …');
  const draft = `${jarsDir}.${process.pid}`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { recursive: true });
  const goal = [
    'dependency:copy-dependencies',
    '-DincludeScope=runtime',
    `-DoutputDirectory=${draft}`,
  ];
  const maven = spawnSync('mvn', ['-q', '-B', '-f', pomPath, ...goal], { encoding: 'utf8' });
  if (maven.status !== 0) {
    rmSync(draft, { recursive: true, force: true });
    throw new Error(
      `Maven could not fetch the Kafka jars: ${maven.error?.message ?? maven.stdout.slice(-2000)}`,
    );
  }
  writeFileSync(join(draft, '.pom-sha256'), wanted);
  rmSync(jarsDir, { recursive: true, force: true });
  renameSync(draft, jarsDir);
  return jarsDir;
}

/**
 * Starts the cluster described in `<dir>/cluster.json`, or makes a new one with `count` brokers.
 * Brokers that already run are left alone. @returns the cluster once every broker serves
 */
export async function startBrokers({ dir, count = 1, jarsDir, log = () => {} }) {
  const cluster = openCluster(resolve(dir)) ?? (await createCluster(resolve(dir), count));
  if (cluster.nodes.length !== count) {
    throw new Error(
      `${dir} holds a cluster of ${cluster.nodes.length}; remove it to make one of ${count}`,
    );
  }
  const jars = await ensureKafkaJars({ jarsDir, log });
  for (const node of cluster.nodes) prepareNode(cluster, node, jars);
  await Promise.all(cluster.nodes.map((node) => startBroker(cluster, node.id, { jarsDir: jars })));
  return cluster;
}

/** Starts one broker, unless it runs, and waits until it serves. */
export async function startBroker(cluster, id, { jarsDir = defaultJarsDir() } = {}) {
  const node = nodeOf(cluster, id);
  if (brokerPid(cluster, id) !== undefined) return;
  const logPath = join(node.dir, 'broker.log');
  const logStart = existsSync(logPath) ? statSync(logPath).size : 0;
  const output = openSync(logPath, 'a');
  const logging = `-Dlog4j2.configurationFile=file:${join(here, 'log4j2.yaml')}`;
  const memory = ['-Xms128m', HEAP[cluster.nodes.length] ?? HEAP[1], '-XX:+UseSerialGC'];
  const args = [
    ...memory,
    '-cp',
    join(jarsDir, '*'),
    logging,
    'kafka.Kafka',
    join(node.dir, 'server.properties'),
  ];
  const child = spawn('java', args, {
    cwd: node.dir,
    detached: true,
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  const failed = new Promise((_, reject) => child.once('error', reject));
  failed.catch(() => {});
  child.unref();
  if (child.pid !== undefined) writeFileSync(join(node.dir, 'broker.pid'), `${child.pid}\n`);
  const until = Date.now() + READY_MS;
  for (;;) {
    await Promise.race([pause(50), failed]);
    const said = readFileSync(logPath).subarray(logStart).toString('utf8');
    if (said.includes('Kafka Server started') && (await accepts(node.port))) return;
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > until) {
      child.kill('SIGKILL');
      throw new Error(
        `Kafka broker ${id} did not start; ${logPath} ends with:\n${said.slice(-2000)}`,
      );
    }
  }
}

/** Ends one broker as a crash would. */
export async function killBroker(cluster, id) {
  await end(brokerPid(cluster, id), [['SIGKILL', STOP_MS]]);
}

/** Asks one broker to stop, and kills it when it does not within 20 s. */
export async function stopBroker(cluster, id) {
  await end(brokerPid(cluster, id), [
    ['SIGTERM', STOP_MS],
    ['SIGKILL', STOP_MS],
  ]);
}

/** Stops all brokers of a directory. @returns how many ran */
export async function stopBrokers(dir) {
  const cluster = openCluster(resolve(dir));
  if (cluster === undefined) return 0;
  const running = cluster.nodes.filter((node) => brokerPid(cluster, node.id) !== undefined);
  await Promise.all(running.map((node) => stopBroker(cluster, node.id)));
  return running.length;
}

/** The process of a broker, if it runs. The pid file alone proves nothing: ids are used again. */
export function brokerPid(cluster, id) {
  const node = nodeOf(cluster, id);
  const path = join(node.dir, 'broker.pid');
  if (!existsSync(path)) return undefined;
  const pid = Number(readFileSync(path, 'utf8'));
  return isAlive(pid) && commandLineOf(pid).includes(node.dir) ? pid : undefined;
}

/** The comma list for CUSTOS_KAFKA_BROKERS. */
export function bootstrapServers(cluster) {
  return cluster.nodes.map((node) => `127.0.0.1:${node.port}`).join(',');
}

export function openCluster(dir) {
  const path = join(dir, 'cluster.json');
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
}

async function createCluster(dir, count) {
  if (count !== 1 && count !== 3) throw new Error('a development cluster has 1 or 3 brokers');
  const ports = await portsToKeep(count * 2);
  const nodes = Array.from({ length: count }, (_, index) => ({
    id: index + 1,
    port: ports[index * 2],
    controllerPort: ports[index * 2 + 1],
    dir: join(dir, `node-${index + 1}`),
  }));
  // KRaft's cluster id: 16 bytes in base64url; a leading dash would look like an option.
  const id = createHash('sha256')
    .update(`${dir} ${Date.now()} ${ports.join(' ')}`)
    .digest('base64url')
    .slice(0, 22);
  const cluster = { id: id.replace(/^-/, 'A').replace(/.$/, 'A'), nodes };
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'cluster.json'), `${JSON.stringify(cluster, null, 2)}\n`);
  return cluster;
}

function prepareNode(cluster, node, jars) {
  mkdirSync(node.dir, { recursive: true });
  const properties = join(node.dir, 'server.properties');
  writeFileSync(properties, propertiesOf(cluster, node));
  const data = join(node.dir, 'data');
  if (existsSync(join(data, 'meta.properties'))) return;
  // A format that was interrupted leaves a folder that the tool refuses.
  if (existsSync(data) && readdirSync(data).length > 0) rmSync(data, { recursive: true });
  const tool = ['-Xmx96m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', join(jars, '*')];
  const args = [...tool, 'kafka.tools.StorageTool', 'format', '-t', cluster.id, '-c', properties];
  const format = spawnSync('java', args, { cwd: node.dir, encoding: 'utf8' });
  if (format.status !== 0) {
    throw new Error(
      `Kafka's storage could not be formatted: ${format.error?.message ?? format.stdout + format.stderr}`,
    );
  }
}

function propertiesOf(cluster, node) {
  const several = cluster.nodes.length > 1;
  const replication = several ? 3 : 1;
  const inSync = several ? 2 : 1;
  const voters = cluster.nodes
    .map((voter) => `${voter.id}@127.0.0.1:${voter.controllerPort}`)
    .join(',');
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': node.id,
    'controller.quorum.voters': voters,
    listeners: `PLAINTEXT://127.0.0.1:${node.port},CONTROLLER://127.0.0.1:${node.controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${node.port}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'log.dirs': join(node.dir, 'data'),
    'default.replication.factor': replication,
    'min.insync.replicas': inSync,
    'offsets.topic.replication.factor': replication,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': replication,
    'transaction.state.log.min.isr': inSync,
    'share.coordinator.state.topic.replication.factor': replication,
    'share.coordinator.state.topic.min.isr': inSync,
    'group.initial.rebalance.delay.ms': 0,
    // A topic comes into being by the product's own hand, with safe settings, or not at all.
    'auto.create.topics.enable': false,
    // One broker has no second copy: what it acknowledges must be on its disk.
    ...(several ? {} : { 'log.flush.interval.messages': 1 }),
    // A killed broker may come back only when its old registration has run out: 9 s by default.
    'broker.session.timeout.ms': several ? 6000 : 3000,
    'broker.heartbeat.interval.ms': several ? 1000 : 500,
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

function nodeOf(cluster, id) {
  const node = cluster.nodes.find((candidate) => candidate.id === id);
  if (node === undefined) throw new Error(`the cluster has no broker ${id}`);
  return node;
}

async function end(pid, steps) {
  for (const [signal, deadlineMs] of steps) {
    if (pid === undefined || !isAlive(pid)) return;
    process.kill(pid, signal);
    const until = Date.now() + deadlineMs;
    while (isAlive(pid) && Date.now() < until) await pause(20);
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    // A dead child that nobody collected yet still has its id.
    return (
      process.platform !== 'linux' || !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
    );
  } catch {
    return false;
  }
}

function commandLineOf(pid) {
  if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  return spawnSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).stdout;
}

function accepts(port) {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
    socket.once('connect', () => socket.destroy());
  });
}

/**
 * For a broker to come back to: below the ports that systems give to outgoing connections (Linux from 32768), one of which may be
 * anybody's when it does.
 */
async function portsToKeep(count) {
  const ports = new Set();
  for (let tries = 0; ports.size < count; tries++) {
    if (tries === 1_000) throw new Error(`no ${count} free ports from 10240 to 32767`);
    const port = randomInt(10_240, 32_768);
    if (!ports.has(port) && (await isFree(port))) ports.add(port);
  }
  return [...ports];
}

function isFree(port) {
  return new Promise((done) => {
    const server = createServer();
    server.once('error', () => done(false));
    server.listen(port, '127.0.0.1', () => server.close(() => done(true)));
  });
}

function pause(ms) {
  return new Promise((done) => setTimeout(done, ms));
}
