import { spawnSync } from 'node:child_process';
import { startBrokers, stopBrokers, bootstrapServers } from '../../deploy/kafka/brokers.mjs';

export const kafkaIsPossible = (): boolean =>
  ['java', 'mvn'].every((command) => spawnSync(command, ['-version']).status === 0);

/** One real broker on this host that syncs each batch to disk before it acknowledges. */
export async function startKafka(
  dir: string,
  log: (message: string) => void,
): Promise<{ brokers: readonly string[]; stop: () => Promise<void> }> {
  const cluster = await startBrokers({ dir, count: 1, log });
  return {
    brokers: bootstrapServers(cluster).split(','),
    stop: async () => {
      await stopBrokers(dir);
    },
  };
}
