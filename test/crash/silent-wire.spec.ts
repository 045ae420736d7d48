// The host of PostgreSQL falls silent: no answer comes, no connection ends. Whoever reads the log must find that out, and
// read on where it was.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { LogRecord } from '#libs/audit-events';
import { auditLogMigrations, PostgresAppendLog } from '#libs/audit-log';
import { runMigrations } from '#libs/platform';
import { TestWriter } from '../contract/append-log-fixtures.js';
import { eventually } from '../support/gateway.js';
import { freshDatabase, type FreshDatabase } from '../support/postgres.js';
import { Tap } from './tap.js';

/** The reader's own bound is 30 s. */
const NOTICED_MS = 120_000;

describe('a silent wire', () => {
  let database: FreshDatabase;
  let tap: Tap;
  let writing: PostgresAppendLog;
  let reading: PostgresAppendLog;

  beforeAll(async () => {
    database = await freshDatabase();
    await runMigrations({
      url: database.ownerUrl,
      migrations: auditLogMigrations,
      tableName: 'audit_log_migrations',
    });
    const through = new URL(database.appUrl);
    tap = await Tap.open(() => Number(new URL(database.appUrl).port));
    through.port = String(tap.port);
    writing = await PostgresAppendLog.open({ url: database.appUrl });
    reading = await PostgresAppendLog.open({ url: through.href });
  }, NOTICED_MS);
  afterAll(async () => {
    tap?.thaw('lost');
    await Promise.all([writing?.close(), reading?.close()]);
    await tap?.close();
    await database?.drop();
  }, NOTICED_MS);

  it(
    'is noticed by the reader of the log, who reads on over another',
    async () => {
      const from = await writing.endOffsets();
      const writer = new TestWriter(writing);
      const seen: LogRecord[] = [];
      const enough = new AbortController();
      const read = (): Promise<void> =>
        reading.consume({
          from: from.map((p) => ({
            ...p,
            next:
              seen.findLast((r) => r.topic === p.topic && r.partition === p.partition)?.offset ??
              p.next,
          })),
          maxRecords: 100,
          signal: enough.signal,
          onBatch: async (records) => void seen.push(...records),
        });
      const broken = read().then(
        () => 'ended',
        (error: { code?: string }) => error.code,
      );
      await writing.appendBatch(writer.batch(3));
      await eventually(() => seen.length === 3 || undefined, NOTICED_MS);

      const silent = tap.stopAt(
        () => true,
        () => undefined,
        NOTICED_MS,
      );
      expect(await silent.sprung).toBe(true);
      const more = await writing.appendBatch(writer.batch(2));
      expect(await broken).toBe('log_unavailable');

      tap.thaw('lost');
      const again = read();
      await eventually(
        () => seen.some((r) => r.offset === more.baseOffset + 1n) || undefined,
        NOTICED_MS,
      );
      enough.abort();
      await again;
    },
    3 * NOTICED_MS,
  );
});
