// The servers under the house, there to be killed: PostgreSQL, and three Kafka brokers where the log is Kafka. Each is started
// again by itself; a second kill waits until it is back from the first.
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../support/gateway.js';
import { startKafkaCluster, type KafkaCluster } from '../support/kafka-cluster.js';
import { MortalPostgres } from './mortal-postgres.js';

const SESSION_WITHIN_MS = 60_000;
const BROKERS = [1, 2, 3];

export class Servers {
  #postgres: MortalPostgres | undefined;
  #kafka: KafkaCluster | undefined;
  #postgresBack: Promise<void> = Promise.resolve();
  #brokersBack: Promise<void> = Promise.resolve();

  async start(withKafka: boolean): Promise<void> {
    this.#postgres = await MortalPostgres.open();
    if (withKafka) this.#kafka = await startKafkaCluster(3);
  }

  get postgres(): MortalPostgres {
    if (this.#postgres === undefined) throw new Error('PostgreSQL has not started');
    return this.#postgres;
  }

  get kafka(): KafkaCluster | undefined {
    return this.#kafka;
  }

  /** All of them are back. Throws what kept one from coming back. */
  async whole(): Promise<void> {
    await Promise.all([this.#postgresBack, this.#brokersBack]);
  }

  async stop(): Promise<void> {
    await Promise.allSettled([this.#postgresBack, this.#brokersBack]);
    await this.#postgres?.stop();
    await this.#kafka?.stop();
  }

  /** Kills PostgreSQL as told, once it is back from the last time; it is started again after the outage. */
  async killPostgres(
    kill: (postgres: MortalPostgres) => Promise<void>,
    outageMs: number,
  ): Promise<void> {
    await this.#postgresBack;
    await kill(this.postgres);
    this.#postgresBack = (async () => {
      await sleep(outageMs);
      await this.postgres.restart();
    })();
    this.#postgresBack.catch(() => undefined);
  }

  /** Kills one backend as soon as there is such a session; throws when none comes. */
  async killBackend(session: string): Promise<void> {
    await this.#postgresBack;
    await eventually(
      async () => (await this.postgres.killBackend(session)) || undefined,
      SESSION_WITHIN_MS,
      () => `no session of ${session}`,
    );
  }

  /** Kills the broker that leads a partition, once all three are back from the last time. Returns its id. */
  async killLeader(topic: string, partition: number): Promise<number> {
    const kafka = this.#cluster();
    await this.#brokersBack;
    const id = await kafka.leaderOf(topic, partition);
    await kafka.kill(id);
    this.#brokersBack = kafka.restart(id);
    this.#brokersBack.catch(() => undefined);
    return id;
  }

  /** Stops these brokers where they stand, without killing them; the answer lets them go on. */
  async freezeBrokers(wanted: (nodeId: number) => boolean): Promise<() => void> {
    await this.#brokersBack;
    const kafka = this.#cluster();
    const pids = BROKERS.filter(wanted).map((id) => kafka.pidOf(id));
    const all = (signal: NodeJS.Signals): void => {
      for (const pid of pids) if (pid !== undefined) process.kill(pid, signal);
    };
    all('SIGSTOP');
    return () => all('SIGCONT');
  }

  #cluster(): KafkaCluster {
    if (this.#kafka === undefined) throw new Error('the log is not Kafka');
    return this.#kafka;
  }
}
