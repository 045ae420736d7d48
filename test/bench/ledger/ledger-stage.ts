// A PostgreSQL of its own with a filled log, the ledger's process on it, and what both cost.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import pg from 'pg';
import { auditLogMigrations } from '#libs/audit-log';
import type { Catalog } from '#libs/catalog';
import { ledgerMigrations } from '#libs/ledger-store';
import { runMigrations, startEmbeddedPostgres, type EmbeddedPostgres } from '#libs/platform';
import { cpuMicrosOfTree, usedBetween } from '../accounting.js';
import { onBothCores } from '../pinning.js';
import type { ChildOrder, ChildReport, HandOver } from './child-messages.js';
import { fillLog, type Filled } from './fill-log.js';
import { countedBetween, serverCounters, type ServerCounters } from './server-counters.js';

/** A tenth of the run at the rate that is asked for. */
const MARK_EVERY_MS = 500;

export interface LedgerRun extends ChildReport {
  readonly filled: Filled;
  readonly postgresCpuMicros: number;
  readonly counted: ServerCounters;
  /** Of the ledger's tables with their indexes, at the end. */
  readonly diskBytes: number;
}

export class LedgerStage {
  private constructor(
    readonly server: EmbeddedPostgres,
    readonly superuser: pg.Client,
    readonly filled: Filled,
  ) {}

  /** With fsync and everything else as in the product, and the records of that many generations in the log. */
  static async open(dataDir: string, catalog: Catalog, generations: number): Promise<LedgerStage> {
    const server = await startEmbeddedPostgres({ dataDir: join(dataDir, 'postgres') });
    try {
      const { ownerUrl: url, appUrl: app } = server;
      for (const [migrations, tableName] of [
        [auditLogMigrations, 'audit_log_migrations'],
        [ledgerMigrations, 'ledger_migrations'],
      ] as const)
        await runMigrations({ url, migrations, roles: { app }, tableName });
      const filled = await fillLog(app, catalog, generations);
      const superuser = new pg.Client({ connectionString: server.superuserUrl });
      await superuser.connect();
      return new LedgerStage(server, superuser, filled);
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  /** Runs the ledger over the whole log; `then` may ask things of it before it ends. */
  async run(then: (ledger: RunningLedger) => Promise<void>): Promise<LedgerRun> {
    const { filled, server } = this;
    // What filling left to be written must not be charged to the ledger.
    await this.superuser.query('vacuum analyze log.record');
    await this.superuser.query('checkpoint');
    const countersBefore = await serverCounters(this.superuser);
    const before = cpuMicrosOfTree(server.pid);
    const ledger = new RunningLedger({
      appUrl: server.appUrl,
      records: filled.records,
      markEveryMs: MARK_EVERY_MS,
    });
    try {
      const report = await ledger.report();
      const postgresCpuMicros = usedBetween(before, cpuMicrosOfTree(server.pid));
      const counted = countedBetween(countersBefore, await serverCounters(this.superuser));
      const run = { ...report, filled, postgresCpuMicros, counted, diskBytes: await this.#disk() };
      await then(ledger);
      return run;
    } finally {
      await ledger.stop();
    }
  }

  async close(): Promise<void> {
    await this.superuser.end();
    await this.server.stop();
  }

  async #disk(): Promise<number> {
    const { rows } = await this.superuser.query<{ bytes: string }>(
      `select sum(pg_total_relation_size(c.oid)) as bytes from pg_class c
       join pg_namespace n on n.oid = c.relnamespace
       where n.nspname = 'ledger' and c.relkind = 'r'`,
    );
    return Number(rows[0]!.bytes);
  }
}

/** As the README tells an operator to start it. */
const NODE_FLAGS = ['--max-semi-space-size=64'];

/** The ledger's process. */
export class RunningLedger {
  readonly #child;
  readonly #ended: Promise<never>;
  readonly #report: Promise<ChildReport>;

  constructor(order: ChildOrder) {
    const program = join(import.meta.dirname, 'ledger-child.js');
    const node = [process.execPath, ...NODE_FLAGS, program, JSON.stringify(order)];
    const [command, ...args] = [...onBothCores(), ...node];
    this.#child = spawn(command!, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#ended = once(this.#child, 'exit').then(() => {
      throw new Error('the ledger’s process ended');
    });
    this.#ended.catch(() => undefined);
    this.#report = this.#next<ChildReport>();
  }

  report(): Promise<ChildReport> {
    return this.#report;
  }

  /** Resolves when the files are there. */
  async handOver(wanted: HandOver): Promise<void> {
    const done = this.#next<string>();
    this.#child.send(wanted);
    await done;
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.#ended.catch(() => undefined);
  }

  #next<T>(): Promise<T> {
    const said = once(this.#child, 'message').then(([message]) => message as T);
    return Promise.race([said, this.#ended]);
  }
}
