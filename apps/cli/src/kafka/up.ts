// `custos kafka up`: real Kafka brokers for development. The product makes its topics itself when it starts.
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { bootstrapServers, startBrokers } from '../../../../deploy/kafka/brokers.mjs';

export const kafkaUpUsage = 'custos kafka up [--brokers 1|3] [--dir .custos/kafka]';
export const defaultKafkaDir = '.custos/kafka';

/** Starts the brokers detached and prints the variable to set. @returns the exit code: 0, 1 failed, 2 bad usage */
export async function runKafkaUp(args: readonly string[]): Promise<number> {
  let brokers: string;
  let dir: string;
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        brokers: { type: 'string', default: '1' },
        dir: { type: 'string', default: defaultKafkaDir },
      },
    });
    ({ brokers, dir } = values);
    if (brokers !== '1' && brokers !== '3') throw new Error('--brokers is 1 or 3');
  } catch (error) {
    console.error(
      `${error instanceof Error ? error.message : String(error)}\nusage: ${kafkaUpUsage}`,
    );
    return 2;
  }
  try {
    const log = (message: string): void => console.error(message);
    const cluster = await startBrokers({ dir: resolve(dir), count: Number(brokers), log });
    console.log(`CUSTOS_KAFKA_BROKERS=${bootstrapServers(cluster)}`);
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return 1;
  }
}
