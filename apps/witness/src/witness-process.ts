import { mkdir } from 'node:fs/promises';
import { SystemClock } from '#libs/kernel';
import { lockDirectory, Logger, type Lifecycle } from '#libs/platform';
import { Memory } from './memory.js';
import { openSignerKey } from './signer-key.js';
import { Witness } from './witness.js';
import { serveWitness, type WitnessServer } from './witness-server.js';
import type { WitnessConfig } from './witness.config.js';

/** A witness that was told to stop still answers what it has begun when the next one starts. */
const LOCK_WAIT_MS = 20_000;

/** A witness with its memory, locked against a second one, listening. Throws WitnessError, DomainError. */
export async function startWitness(
  config: WitnessConfig,
  lifecycle: Lifecycle,
  logger = new Logger({ app: 'witness', level: config.logLevel }),
): Promise<WitnessServer> {
  lifecycle.logger = logger;
  const { stateDir } = config;
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const lock = await lockDirectory(stateDir, LOCK_WAIT_MS, (pid) =>
    logger.info('witness.waiting', { for: pid }),
  );
  lifecycle.onShutdown(90, 'lock', () => lock.release());
  const signer = await openSignerKey({
    ...config,
    mayGenerate: !config.production,
  });
  const memory = await Memory.open(stateDir);
  const clock = new SystemClock();
  const witness = await Witness.open(config.logs, { signer, memory, clock, logger });
  const server = await serveWitness(witness, config, logger);
  lifecycle.onShutdown(10, 'http', () => server.close());
  logger.info('witness.listening', { url: server.url, verifierKey: witness.verifierKey });
  return server;
}
