import 'reflect-metadata';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { nextCheckpoint } from '#libs/ledger-store';
import { ConfigError } from '#libs/platform';
import {
  CompactRange,
  cosign,
  generateKey,
  openNote,
  parseSignerKey,
  parseVerifierKey,
  signNote,
} from '#libs/transparency';
import { runDirectory } from '../../../../test/support/postgres.js';
import { LedgerStage } from '../ledger-stage.spec-support.js';
import { readLedgerConfig } from '../ledger.config.js';
import { openLogKey } from './log-key.js';
import { LogPolicy } from './log-policy.js';

const HOUR_MS = 3_600_000;

async function until<T>(what: () => Promise<T | undefined>, withinMs = 30_000): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const found = await what();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error('it did not come true in time');
    await sleep(20);
  }
}

describe('checkpoints', () => {
  let stage: LedgerStage;
  beforeEach(async () => {
    stage = await LedgerStage.open();
  });
  afterEach(() => stage.close());

  async function asSuperuser<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = new pg.Client({ connectionString: stage.database.superuserUrl });
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  }

  it('come by themselves when the tree has grown, and not again when it has not', async () => {
    await stage.startLedger();
    const first = await until(() => stage.ledger.tree.checkpoints.latest());
    const ingress = await stage.writer('ingress');
    await stage.complete(ingress);
    const next = await until(async () => {
      const latest = await stage.ledger.tree.checkpoints.latest();
      return latest !== undefined && latest.size > first.size + 1n ? latest : undefined;
    });
    const published = await stage.ledger.tree.checkpoints.newest(1_000);
    expect(new Set(published.map((c) => c.size)).size).toBe(published.length);
    const { body } = openNote(next.note, [parseVerifierKey(stage.signer.verifierKey)]);
    expect(body).toBe(next.body);
  });

  it('tell who waits for them', async () => {
    await stage.startLedger();
    const sizes: bigint[] = [];
    stage.ledger.tree.checkpointer.onPublished((size) => sizes.push(size));
    await stage.complete(await stage.writer('ingress'));
    await stage.settled();
    await until(async () => sizes[0]);
    expect(sizes).toContain((await stage.ledger.tree.checkpoints.latest())!.size);
  });

  it('get the same signature after a crash between body and signature', async () => {
    await stage.startLedger({ checkpointMs: HOUR_MS });
    await stage.complete(await stage.writer('ingress'));
    expect(await stage.ledger.caughtUp(stage.log, 30_000)).toBe(true);
    // As far as a process comes that is killed there: committed, not signed, not published.
    const { checkpoints } = stage.ledger.tree;
    const body = await stage.ledger.consumer.asLeader(async (client) => {
      const made = (await nextCheckpoint(client, stage.signer.name))!;
      await checkpoints.insert(client, made);
      return made;
    });
    expect(await checkpoints.latest()).toBeUndefined();
    await stage.stopLedger();
    await stage.startLedger({ checkpointMs: HOUR_MS });
    const published = await until(() => stage.ledger.tree.checkpoints.at(body!.size));
    expect(published.note).toBe(signNote(body!.body, [stage.signer]));
  });

  it('cover everything after an orderly end', async () => {
    await stage.startLedger({ checkpointMs: HOUR_MS });
    await stage.complete(await stage.writer('ingress'));
    expect(await stage.ledger.caughtUp(stage.log, 30_000)).toBe(true);
    await stage.stopLedger();
    const { rows } = await asSuperuser((client) =>
      client.query<{ behind: string }>(
        `select t.size - (select max(size) from ledger.checkpoint_note) as behind from ledger.tree_state t`,
      ),
    );
    expect(rows).toEqual([{ behind: '0' }]);
  });

  it('halt the ledger where another root was committed for that size', async () => {
    await stage.startLedger({ checkpointMs: HOUR_MS });
    await stage.settled();
    await stage.complete(await stage.writer('ingress'));
    expect(await stage.ledger.caughtUp(stage.log, 30_000)).toBe(true);
    await asSuperuser((client) =>
      client.query(
        `insert into ledger.checkpoint (ledger_id, size, root, body)
         select 'main', size, sha256('x'), '${stage.signer.name}' || E'\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n'
         from ledger.tree_state`,
      ),
    );
    await expect(stage.settled()).rejects.toMatchObject({ code: 'checkpoint_forked' });
    expect(stage.ledger.consumer.role).toBe('halted');
    expect(await stage.ledger.fault()).toMatch(
      /^the tree was committed to with another root: .*, size \d+$/,
    );
  });

  it('halt the next leader where the stored tree is another one', async () => {
    await stage.startLedger();
    await stage.complete(await stage.writer('ingress'));
    await stage.settled();
    await stage.stopLedger();
    await asSuperuser(async (client) => {
      await client.query(`set session_replication_role = replica`);
      await client.query(
        `update ledger.leaf set leaf_hash = sha256('x') where leaf_index = (select max(leaf_index) from ledger.leaf)`,
      );
      await client.query(
        `update ledger.tree_state set frontier[array_length(frontier, 1)] =
           (select leaf_hash from ledger.leaf order by leaf_index desc limit 1)`,
      );
    });
    await stage.startLedger();
    expect(stage.ledger.consumer.role).toBe('halted');
    expect(await stage.ledger.fault()).toMatch(/^the tree is not the one that was committed to/);
  });

  it('are built over an older data directory once, from the log', async () => {
    await stage.startLedger();
    const ingress = await stage.writer('ingress');
    const ids = await Promise.all(Array.from({ length: 20 }, () => stage.complete(ingress)));
    await stage.settled();
    const before = (await stage.ledger.tree.checkpoints.latest())!;
    await stage.stopLedger();
    await asSuperuser(async (client) => {
      await client.query(`set session_replication_role = replica`);
      for (const table of ['checkpoint_note', 'checkpoint', 'log_identity', 'node', 'entry'])
        await client.query(`delete from ledger.${table}`);
      await client.query(`update ledger.tree_state set frontier = '{}'`);
    });
    await stage.startLedger();
    await stage.settled();
    const { size } = (await stage.ledger.tree.checkpoints.latest())!;
    expect(size).toBeGreaterThanOrEqual(before.size);
    for (const id of ids) expect((await stage.get(`/audit/v1/receipts/${id}`)).status).toBe(200);
    // What was committed before is still a head of the same tree.
    expect(await recomputed(before.size)).toEqual(before.root);
  });

  it('are not built over leaves whose records are gone', async () => {
    await stage.startLedger();
    await stage.complete(await stage.writer('ingress'));
    await stage.settled();
    await stage.stopLedger();
    await asSuperuser(async (client) => {
      await client.query(`set session_replication_role = replica`);
      for (const table of ['checkpoint_note', 'checkpoint', 'log_identity', 'node', 'entry'])
        await client.query(`delete from ledger.${table}`);
      await client.query(`update ledger.tree_state set frontier = '{}'`);
      await client.query(`delete from log.record where "offset" = 0`);
    });
    await stage.startLedger();
    expect(await stage.ledger.fault()).toMatch(
      /^the tree cannot be built: the log no longer has the records of older leaves/,
    );
  });

  it('refuse another key than the first one', async () => {
    await stage.startLedger();
    await stage.stopLedger();
    const other = parseSignerKey(generateKey(stage.signer.name).signerKey);
    await expect(
      stage.startLedger({ logSigner: other, logPolicy: LogPolicy.open(undefined, other) }),
    ).rejects.toMatchObject({ code: 'log_identity_changed' });
  });

  it('are believed once the policy’s witnesses have cosigned', async () => {
    const witness = parseSignerKey(generateKey('witness.example/w', 'cosignature').signerKey);
    const directory = await mkdtemp(join(runDirectory(), 'policy-'));
    const file = join(directory, 'policy');
    await writeFile(
      file,
      `log ${stage.signer.verifierKey}\nwitness w ${witness.verifierKey}\nquorum w\n`,
    );
    await stage.startLedger({ logPolicy: LogPolicy.open(file, stage.signer) });
    await rm(directory, { recursive: true });
    const id = await stage.complete(await stage.writer('ingress'));
    await stage.settled();
    expect((await stage.get(`/audit/v1/receipts/${id}`)).status).toBe(503);
    const { checkpoints } = stage.ledger.tree;
    const { size, body } = (await checkpoints.latest())!;
    const signed = cosign(body, witness, BigInt(Math.floor(Date.now() / 1_000)));
    await checkpoints.addCosignature(size, witness.name, signed.trimEnd());
    const answer = await stage.get(`/audit/v1/receipts/${id}`);
    expect(answer.status).toBe(200);
    expect(answer.json<{ checkpoint: string }>().checkpoint).toContain('— witness.example/w ');
  });

  async function recomputed(size: bigint): Promise<Buffer> {
    const tree = new CompactRange();
    for (const tile of await stage.ledger.tree.queries.hashes(0, 0n, Number(size)))
      for (let at = 0; at < tile.length; at += 32) tree.append(tile.subarray(at, at + 32));
    return tree.root();
  }
});

describe('the log’s key', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(runDirectory(), 'log-key-'));
  });
  afterEach(() => rm(directory, { recursive: true }));
  const settings = (more: object = {}) => ({
    CUSTOS_DATA_DIR: join(directory, 'data'),
    CUSTOS_LEDGER_ID: 'main',
    CUSTOS_LOG_HOST: 'gateway.example',
    ...more,
  });

  it('is made once in the data directory, for its owner alone', async () => {
    const all = await Promise.all(Array.from({ length: 5 }, () => openLogKey(settings())));
    expect(new Set(all.map((s) => s.verifierKey)).size).toBe(1);
    expect(all[0]!.name).toMatch(/^gateway\.example\/audit\/[0-9a-f-]{36}$/);
    const file = join(directory, 'data', 'log-signing.key');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(parseSignerKey((await readFile(file, 'utf8')).trim()).verifierKey).toBe(
      all[0]!.verifierKey,
    );
  });

  it('is taken as configured, and never quoted when it is none', async () => {
    const { signerKey, verifierKey } = generateKey('a.example/audit/1');
    const given = await openLogKey(settings({ CUSTOS_LOG_SIGNING_KEY: signerKey }));
    expect(given.verifierKey).toBe(verifierKey);
    const file = join(directory, 'key');
    await writeFile(file, `${signerKey}\n`);
    expect((await openLogKey(settings({ CUSTOS_LOG_SIGNING_KEY_FILE: file }))).verifierKey).toBe(
      verifierKey,
    );
    const witness = generateKey('w', 'cosignature').signerKey;
    for (const bad of [signerKey.slice(0, -4), 'PRIVATE+KEY+secret', witness]) {
      const refused = openLogKey(settings({ CUSTOS_LOG_SIGNING_KEY: bad }));
      await expect(refused).rejects.toThrow(ConfigError);
      await expect(refused).rejects.not.toThrow(new RegExp(RegExp.escape(bad)));
    }
    await expect(
      openLogKey(settings({ CUSTOS_LOG_SIGNING_KEY_FILE: join(directory, 'nowhere') })),
    ).rejects.toThrow(/CUSTOS_LOG_SIGNING_KEY_FILE/);
  });

  it('must be given to a production profile', () => {
    const environment = {
      CUSTOS_PROFILE: 'production',
      CUSTOS_DATABASE_URL: 'postgres://localhost/x',
      CUSTOS_INTERNAL_TOKEN: 'internal-token-for-specs',
      CUSTOS_CONTROL_URL: 'http://localhost:1',
    };
    expect(() => readLedgerConfig(environment)).toThrow(/CUSTOS_LOG_SIGNING_KEY/);
    readLedgerConfig({ ...environment, CUSTOS_LOG_SIGNING_KEY_FILE: '/run/secrets/log' });
  });

  it('must stand in the policy', async () => {
    const signer = parseSignerKey(generateKey('a.example/audit/1').signerKey);
    const file = join(directory, 'policy');
    for (const text of [
      'quorum none\n',
      'log x\n',
      `log ${generateKey('b').verifierKey}\nquorum none\n`,
    ]) {
      await writeFile(file, text);
      expect(() => LogPolicy.open(file, signer)).toThrow(/CUSTOS_LOG_POLICY/);
    }
    expect(() => LogPolicy.open(join(directory, 'nowhere'), signer)).toThrow(/CUSTOS_LOG_POLICY/);
  });
});
