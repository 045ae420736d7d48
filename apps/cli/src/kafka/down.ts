// `custos kafka down`: stops the development brokers; their data stays for the next `up`.
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { stopBrokers } from '../../../../deploy/kafka/brokers.mjs';
import { defaultKafkaDir } from './up.js';

export const kafkaDownUsage = 'custos kafka down [--dir .custos/kafka]';

/** @returns the exit code: 0 stopped (or nothing ran), 1 failed, 2 bad usage */
export async function runKafkaDown(args: readonly string[]): Promise<number> {
  let dir: string;
  try {
    const options = { dir: { type: 'string', default: defaultKafkaDir } } as const;
    dir = parseArgs({ args: [...args], options }).values.dir;
  } catch (error) {
    console.error(
      `${error instanceof Error ? error.message : String(error)}\nusage: ${kafkaDownUsage}`,
    );
    return 2;
  }
  try {
    const count = await stopBrokers(resolve(dir));
    console.log(
      count === 0 ? 'no broker was running' : `stopped ${count} broker${count === 1 ? '' : 's'}`,
    );
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return 1;
  }
}
