import { spawnSync } from 'node:child_process';
import {
  bootstrapServers,
  brokerPid,
  startBrokers,
  stopBrokers,
} from '../../deploy/kafka/brokers.mjs';

export const kafkaIsPossible = (): boolean =>
  ['java', 'mvn'].every((command) => spawnSync(command, ['-version']).status === 0);

export interface KafkaBroker {
  readonly brokers: readonly string[];
  readonly pid: number;
  stop(): Promise<void>;
}

/** One real broker on this host that syncs each batch to disk before it acknowledges. */
export async function startKafka(
  dir: string,
  log: (message: string) => void,
): Promise<KafkaBroker> {
  const cluster = await startBrokers({ dir, count: 1, log });
  return {
    pid: brokerPid(cluster, cluster.nodes[0]!.id)!,
    brokers: bootstrapServers(cluster).split(','),
    stop: async () => {
      await stopBrokers(dir);
    },
  };
}
