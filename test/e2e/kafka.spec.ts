// The whole product with its audit log on a real Apache Kafka broker: the way of a request, a restart, and the broker's death.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { complete, Load } from '../support/completions.js';
import { eventually, isPosted, type Trail } from '../support/gateway.js';
import {
  KAFKA_START_TIMEOUT_MS,
  kafkaIsOffered,
  startKafkaCluster,
  type KafkaCluster,
} from '../support/kafka-cluster.js';
import { openEnds, openStage, type Stage } from '../support/stage.js';

if (!kafkaIsOffered)
  console.warn('CUSTOS_TEST_KAFKA is not set: the product on Kafka was NOT tried');
const describeKafka = kafkaIsOffered ? describe : describe.skip;

/** A request acknowledged just before the broker died may still be on its way to the simulator. */
const ON_ITS_WAY_MS = 1_000;
const OUTAGE_MS = 3_000;
const BACK_WITHIN_MS = 60_000;
/** The books go on soon after the broker: not only when the session of a reader from before has run out. */
const POSTED_WITHIN_MS = 20_000;

describeKafka('the product on Kafka', () => {
  let cluster: KafkaCluster;
  let stage: Stage;

  beforeAll(async () => {
    cluster = await startKafkaCluster(1);
    stage = await openStage({
      CUSTOS_KAFKA_BROKERS: cluster.brokers.join(','),
      CUSTOS_WRITER_SILENT: '5s',
    });
  }, KAFKA_START_TIMEOUT_MS + 90_000);
  afterAll(async () => {
    await stage?.stop();
    await cluster?.stop();
  }, 60_000);

  const expectPosted = async (id: string): Promise<Trail> =>
    stage.gateway.trail(id, isPosted, POSTED_WITHIN_MS);

  it('answers streamed and not, and the trail stands on leaves of the broker', async () => {
    for (const stream of [true, false]) {
      const answer = await complete(stage.caller, { stream });
      expect(answer).toMatchObject({ status: 200, text: 'a b c', whole: true });
      const trail = (await expectPosted(answer.generationId!)) as Trail & {
        records: readonly { leaf: { topic: string } }[];
      };
      expect(trail.status).toBe('completed');
      expect(trail.records.map(({ leaf }) => leaf.topic)).toEqual([
        'custos.audit.v1',
        'custos.audit.v1',
      ]);
    }
    // Nothing of it lies in PostgreSQL's log.
    const [tables] = await stage.sql<{ records: string | null }>(
      "select to_regclass('log.record')::text as records",
    );
    if (tables?.records != null)
      expect(await stage.sql('select 1 from log.record limit 1')).toEqual([]);
  });

  it('goes on after a restart, with what was there', async () => {
    const before = await complete(stage.caller);
    await expectPosted(before.generationId!);
    expect(await stage.gateway.stop()).toBe(0);
    await stage.gateway.restart();
    const after = await complete(stage.caller);
    expect(after.status).toBe(200);
    await expectPosted(after.generationId!);
    await expectPosted(before.generationId!);
  });

  it('kill -9 amid streams leaves nothing open', async () => {
    await stage.gateway.fault({ endpoint: '*', chunks: 100, chunkIntervalMs: 20 });
    const seen = await stage.gateway.simulatedSoFar();
    const cut = Array.from({ length: 30 }, () =>
      complete(stage.caller, { stream: true }).catch(() => undefined),
    );
    await eventually(async () =>
      (await stage.gateway.simulated(seen)).length === 30 ? true : undefined,
    );
    await stage.gateway.kill9();
    await Promise.all(cut);
    await stage.gateway.clearFaults();
    await stage.gateway.restart();
    for (const { requestId } of await stage.gateway.simulated(seen))
      await stage.gateway.trail(
        requestId.replace(/\.\d+$/, ''),
        ({ status }) => status === 'recovered',
        45_000,
      );
    await settled();
  }, 120_000);

  it('without the broker 503 and nothing dispatched; with it again on, with every record', async () => {
    const load = new Load(stage.caller, 8, { stream: true });
    await eventually(() => (load.answers.length > 50 ? true : undefined), 30_000);
    await cluster.kill(1);
    const diedAtMs = Date.now();
    const refused = await eventually(async () => {
      const answer = await complete(stage.caller);
      return answer.status === 503 ? answer : undefined;
    });
    expect(refused.error?.metadata.custos_code).toBe('log_unavailable');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    await sleep(OUTAGE_MS);
    const backAtMs = Date.now();
    await cluster.restart(1);
    const servesAtMs = Date.now();
    await eventually(
      async () => ((await complete(stage.caller)).status === 200 ? true : undefined),
      BACK_WITHIN_MS,
    );
    console.info(
      `the broker took ${servesAtMs - backAtMs} ms to serve, the gateway ${Date.now() - servesAtMs} ms more`,
    );
    await load.stop();

    const during = (await stage.gateway.simulated()).filter(({ receivedAt }) => {
      const atMs = Date.parse(receivedAt);
      return atMs > diedAtMs + ON_ITS_WAY_MS && atMs < backAtMs;
    });
    expect(during).toEqual([]);
    expect(load.answers.filter(({ status }) => status !== 200 && status !== 503)).toEqual([]);
    for (const { status, whole, generationId } of load.answers)
      if (status === 200 && whole)
        expect((await expectPosted(generationId!)).status).toBe('completed');
    await settled();
  }, 180_000);

  async function settled(): Promise<void> {
    let ends: unknown;
    await eventually(
      async () => {
        const { held, open } = (ends = await openEnds(stage.sql)) as { held: string; open: string };
        return held === '0' && open === '0' ? true : undefined;
      },
      45_000,
      () => `left open: ${JSON.stringify(ends)}`,
    );
  }
});
