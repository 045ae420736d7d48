// Kafka's brokers and PostgreSQL: killed, or stopped where they stand while a process that waits for them is killed.
import { setTimeout as sleep } from 'node:timers/promises';
import { TOPICS } from '#libs/audit-events';
import { atRandom, EVERYWHERE, RANDOM_SPREAD_MS, together, type KillPoint } from './strike.js';
import type { MortalPostgres } from './mortal-postgres.js';

const OUTAGE_MS_MAX = 1_200;
/** Long enough for requests to get stuck in stopped brokers, too short for an election. */
const FROZEN_MS = 350;
const WHOLE_WITHIN_MS = 4_000;

/** Brokers stopped while an ingress waits for their word. */
export const FROZEN_POINTS: readonly KillPoint[] = [
  {
    name: 'ingress: records wait for stopped brokers',
    needs: 'ingress',
    logs: ['kafka'],
    weight: 2,
    strike: async (scene) => {
      const thaw = await scene.house.servers.freezeBrokers(() => true);
      try {
        await sleep(FROZEN_MS);
        return await atRandom(scene, ['ingress']);
      } finally {
        thaw();
      }
    },
  },
  {
    name: 'both ingresses: the leader has the records, its followers are stopped',
    needs: 'ingress',
    logs: ['kafka'],
    weight: 1,
    strike: async (scene) => {
      const { house } = scene;
      const partition = await scene.ingressPartition();
      const leader = await house.servers.kafka!.leaderOf(TOPICS.audit, partition);
      const thaw = await house.servers.freezeBrokers((id) => id !== leader);
      try {
        await sleep(FROZEN_MS);
        return await together(scene, 'ingress');
      } finally {
        thaw();
      }
    },
  },
  {
    name: 'ingress: a client has its last byte, the closing record waits for stopped brokers',
    needs: 'ingress',
    logs: ['kafka'],
    weight: 1,
    strike: async (scene) => {
      const { house, traffic, chance } = scene;
      const thaw = await house.servers.freezeBrokers(() => true);
      try {
        const whole = Promise.withResolvers<boolean>();
        const late = setTimeout(() => whole.resolve(false), WHOLE_WITHIN_MS);
        traffic.onWhole = () => whole.resolve(true);
        const atMoment = await whole.promise;
        clearTimeout(late);
        traffic.onWhole = undefined;
        const member = chance.pick(house.all('ingress'));
        await house.kill(member);
        return { killed: [member.name], atMoment };
      } finally {
        thaw();
      }
    },
  },
];

const killedServer = (
  name: string,
  victim: string,
  kill: (server: MortalPostgres) => Promise<void>,
): KillPoint => ({
  name,
  logs: EVERYWHERE,
  weight: 1,
  strike: async ({ house, chance }) => {
    await sleep(chance.between(0, RANDOM_SPREAD_MS));
    await house.servers.killPostgres(kill, chance.between(0, OUTAGE_MS_MAX));
    return { killed: [victim], atMoment: true };
  },
});

export const SERVER_POINTS: readonly KillPoint[] = [
  {
    name: 'Kafka: the leader of a partition in use',
    logs: ['kafka'],
    weight: 3,
    strike: async (scene) => {
      const partition = await scene.ingressPartition();
      await sleep(scene.chance.between(0, RANDOM_SPREAD_MS));
      const id = await scene.house.servers.killLeader(TOPICS.audit, partition);
      return { killed: [`broker ${id}`], atMoment: true };
    },
  },
  killedServer('PostgreSQL: the postmaster', 'postmaster', (server) => server.killPostmaster()),
  killedServer('PostgreSQL: all of its processes', 'PostgreSQL', (server) => server.killAll()),
  ...(
    [
      ['sequencer', EVERYWHERE],
      ['log append', ['postgres']],
    ] as const
  ).map(([session, logs]): KillPoint => ({
    name: `PostgreSQL: the backend of a ${session} session`,
    logs,
    weight: 1,
    strike: async ({ house, chance }) => {
      await sleep(chance.between(0, RANDOM_SPREAD_MS));
      await house.servers.killBackend(session);
      return { killed: [`backend of ${session}`], atMoment: true };
    },
  })),
];
