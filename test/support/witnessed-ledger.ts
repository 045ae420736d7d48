// A ledger whose log grows by itself (a writer's heartbeats are records), under a policy of the test's choosing, and the
// witnesses that it asks: real ones, over HTTP, on ports of their own.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { TOPICS } from '#libs/audit-events';
import { auditLogMigrations, AuditWriter, PostgresAppendLog } from '#libs/audit-log';
import { priceBookOf, type Provider } from '#libs/catalog';
import { PrincipalDirectory, principalsSnapshot } from '#libs/identity';
import { SystemClock } from '#libs/kernel';
import { ledgerMigrations } from '#libs/ledger-store';
import {
  HotMetrics,
  InProcessSnapshotSource,
  Lifecycle,
  Logger,
  runMigrations,
} from '#libs/platform';
import {
  generateKey,
  parseSignerKey,
  parseVerifierKey,
  type NoteVerifier,
} from '#libs/transparency';
import { LogPolicy } from '../../apps/ledger/src/checkpoint/log-policy.js';
import { Ledger, type LedgerOptions } from '../../apps/ledger/src/ledger.js';
import { readWitnessConfig } from '../../apps/witness/src/witness.config.js';
import { startWitness } from '../../apps/witness/src/witness-process.js';
import { PRICE } from './ledger-events.js';
import type { LogKey } from './memory-log.js';
import { freshDatabase, type FreshDatabase } from './postgres.js';

/** Two cores, many suites: what comes at all comes within this. */
const PATIENCE_MS = 45_000;
const CHECKPOINT_MS = 40;
const HEARTBEAT_MS = 50;
const ORIGIN = 'localhost/audit/spec';

/** Resolves to the first answer that is not undefined. */
export async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await ask();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`);
    await sleep(20);
  }
}

export interface LogLine {
  readonly event: string;
  readonly level: string;
  readonly [field: string]: unknown;
}

export class WitnessedLedger {
  readonly key: LogKey = { origin: ORIGIN, ...generateKey(ORIGIN) };
  /** What every ledger of this stage has logged. */
  readonly said: LogLine[] = [];
  readonly #closers: (() => Promise<unknown>)[] = [];

  private constructor(
    readonly folder: string,
    readonly database: FreshDatabase,
    private readonly log: PostgresAppendLog,
  ) {}

  static async open(): Promise<WitnessedLedger> {
    const database = await freshDatabase();
    const url = database.ownerUrl;
    await runMigrations({ url, migrations: auditLogMigrations, tableName: 'audit_log_migrations' });
    await runMigrations({ url, migrations: ledgerMigrations, tableName: 'ledger_migrations' });
    const log = await PostgresAppendLog.open({ url: database.appUrl });
    return new WitnessedLedger(await mkdtemp(join(tmpdir(), 'custos-ledger-')), database, log);
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).toReversed()) await close();
    await this.log.close();
    await this.database.drop();
    await rm(this.folder, { recursive: true });
  }

  /** A ledger under this policy (`quorum …` and what it stands on); the log's own line is put before it. */
  async start(
    policy: string,
    more: Partial<Pick<LedgerOptions, 'tsa' | 'clock'>> = {},
  ): Promise<Ledger> {
    const path = join(this.folder, `policy-${this.#closers.length}`);
    await writeFile(path, `log ${this.key.verifierKey}\n${policy}\n`);
    const clock = new SystemClock();
    const audit = new AuditWriter({
      log: this.log,
      topic: TOPICS.audit,
      app: 'ledger',
      clock,
      heartbeatMs: HEARTBEAT_MS,
    });
    await audit.start();
    this.#closers.push(() => audit.stop());
    const principals = new InProcessSnapshotSource<PrincipalDirectory>();
    principals.publish(
      '1',
      new PrincipalDirectory(principalsSnapshot({ organisations: [], workspaces: [], keys: [] })),
    );
    const logSigner = parseSignerKey(this.key.signerKey);
    const ledger = new Ledger({
      databaseUrl: this.database.appUrl,
      log: this.log,
      audit,
      catalog: {
        priceBook: priceBookOf([{ id: 'acme.one.eu.default', price: PRICE }]),
        providers: new Map<string, Provider>(),
        endpoints: [],
      },
      principals,
      clock,
      logger: new Logger({
        app: 'ledger',
        level: 'info',
        pretty: false,
        write: (line) => this.said.push(JSON.parse(line) as LogLine),
      }),
      hot: new HotMetrics(),
      writerSilentMs: 60_000,
      logSigner,
      logPolicy: LogPolicy.open(path, logSigner),
      checkpointMs: CHECKPOINT_MS,
      ...more,
    });
    await ledger.start();
    this.#closers.push(() => ledger.close());
    return ledger;
  }

  /** A witness of this log, listening; started again under the same name it has its key, port and memory. */
  async witness(name: string, port = 0): Promise<StartedWitness> {
    const quiet = new Logger({ app: name, level: 'error', write: () => undefined });
    const lifecycle = new Lifecycle(quiet);
    const args = ['--port', String(port), '--state-dir', join(this.folder, name)];
    const config = readWitnessConfig(
      [...args, '--name', `witness.example/${name}`, '--log', this.key.verifierKey],
      {},
    );
    this.#closers.push(() => lifecycle.shutdown('spec'));
    const { url } = await startWitness(config, lifecycle, quiet);
    const ready = await fetch(`${url}/health/ready`);
    const { verifierKey } = (await ready.json()) as { verifierKey: string };
    return {
      url,
      port: Number(new URL(url).port),
      verifier: parseVerifierKey(verifierKey),
      line: (at = url) => `witness ${name} ${verifierKey} ${at}`,
      stop: () => lifecycle.shutdown('spec'),
    };
  }

  /** Of the newest checkpoint, whichever process published it. */
  async publishedSize(): Promise<bigint> {
    const client = new pg.Client({ connectionString: this.database.ownerUrl });
    await client.connect();
    try {
      const { rows } = await client.query<{ size: string | null }>(
        'select max(size) as size from ledger.checkpoint_note',
      );
      return BigInt(rows[0]?.size ?? 0);
    } finally {
      await client.end();
    }
  }

  atEnd(close: () => Promise<unknown>): void {
    this.#closers.push(close);
  }
}

export interface StartedWitness {
  readonly url: string;
  readonly port: number;
  readonly verifier: NoteVerifier;
  /** Its line in a policy, with another URL where one stands before it. */
  line(at?: string): string;
  stop(): Promise<unknown>;
}

/** A port that takes connections and never says anything. */
export async function silentPort(): Promise<{ url: string; close(): Promise<void> }> {
  const sockets = new Set<{ destroy(): void }>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((closed) => server.close(() => closed()));
    },
  };
}
