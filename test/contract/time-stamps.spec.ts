// RFC 3161 over checkpoints: when the ledger asks, what it keeps and serves. Stock `openssl ts` answers and judges.
import 'reflect-metadata';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createHttpApp, InProcessSnapshotSource, Logger } from '#libs/platform';
import type { PrincipalDirectory } from '#libs/identity';
import { LEDGER_ERRORS } from '../../apps/ledger/src/ledger.errors.js';
import { LedgerModule } from '../../apps/ledger/src/ledger.module.js';
import type { Ledger } from '../../apps/ledger/src/ledger.js';
import { hasOpenssl, TimeStampAuthority } from '../support/time-stamp-authority.js';
import { until, WitnessedLedger } from '../support/witnessed-ledger.js';

const HOUR_MS = 3_600_000;

let stage: WitnessedLedger;

beforeEach(async () => {
  stage = await WitnessedLedger.open();
});

afterEach(() => stage.close());

async function authorityAt(): Promise<TimeStampAuthority & { readonly url: string }> {
  const authority = await TimeStampAuthority.make(join(stage.folder, 'authority'));
  const { url, close } = await authority.listen();
  stage.atEnd(close);
  return Object.assign(authority, { url });
}

const stamped = (ledger: Ledger, beyond = 0n) =>
  until(`a time stamp beyond ${beyond}`, async () => {
    const [newest] = await ledger.timeStamps.newest(1);
    return newest !== undefined && newest.size > beyond ? newest : undefined;
  });

/** As docs/witness.md tells an auditor to cut it from any copy: the first five lines. */
async function stampedNote(ledger: Ledger, size: bigint): Promise<string> {
  const { note } = (await ledger.tree.checkpoints.at(size))!;
  return note.split('\n').slice(0, 5).join('\n') + '\n';
}

(hasOpenssl() ? describe : describe.skip)('a time stamp over a checkpoint', () => {
  test('is what stock openssl accepts, comes once in an interval and is served to everybody', async () => {
    const witness = await stage.witness('one');
    const authority = await authorityAt();
    // Cosignatures come and go beside it: they are not among what is stamped.
    const ledger = await stage.start(`${witness.line()}\nquorum one`, {
      tsa: { url: `${authority.url}?token=secret`, intervalMs: HOUR_MS },
    });
    const { size, response, tsa } = await stamped(ledger);
    expect(tsa).toBe(authority.url);
    const note = await stampedNote(ledger, size);
    await authority.verify(response, note);
    await expect(authority.verify(response, note.replace(/\n\d+\n/, '\n7\n'))).rejects.toThrow();
    await until('the tree has grown', async () =>
      (await ledger.tree.publishedSize()) > size + 20n ? true : undefined,
    );
    expect(authority.asked).toBe(1);
    await serves(ledger, size, response);
  });

  test('is asked for again when the interval is over and the tree has grown', async () => {
    const authority = await authorityAt();
    const ledger = await stage.start('quorum none', { tsa: { url: authority.url, intervalMs: 1 } });
    const first = await stamped(ledger);
    const second = await stamped(ledger, first.size);
    expect(second.storedAt.getTime()).toBeGreaterThan(first.storedAt.getTime());
    await authority.verify(second.response, await stampedNote(ledger, second.size));
  });

  test('that is over something else raises an alarm and is not kept; the ledger goes on', async () => {
    const authority = await authorityAt();
    authority.answer = async () => ({
      body: await authority.stamp(await authority.query(Buffer.alloc(32, 7))),
    });
    const ledger = await stage.start('quorum none', { tsa: { url: authority.url, intervalMs: 1 } });
    const alarm = await until('an alarm', async () =>
      stage.said.find(({ event }) => event === 'time_stamp.refused'),
    );
    expect(alarm).toMatchObject({ fault: 'wrong_imprint', level: 'error', tsa: authority.url });
    expect(await ledger.timeStamps.newest(1)).toEqual([]);
    expect(await ledger.fault()).toBeUndefined();
  });

  test('that does not come is asked for again, without an alarm', async () => {
    const authority = await authorityAt();
    authority.answer = async () => ({ status: 503, body: Buffer.alloc(0) });
    const ledger = await stage.start('quorum none', { tsa: { url: authority.url, intervalMs: 1 } });
    await until('unreachable', async () =>
      stage.said.find(({ event }) => event === 'time_stamp.unreachable'),
    );
    expect(await ledger.timeStamps.newest(1)).toEqual([]);
    expect(stage.said.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

async function serves(ledger: Ledger, size: bigint, response: Buffer): Promise<void> {
  const http = await createHttpApp(
    LedgerModule.register({
      ledger,
      internalToken: 'internal-token-for-tests',
      principals: new InProcessSnapshotSource<PrincipalDirectory>(),
      principalsMaxAgeMs: 60_000,
    }),
    {
      host: '127.0.0.1',
      port: 0,
      logger: new Logger({ app: 'spec', level: 'error', write: () => undefined }),
      errors: LEDGER_ERRORS,
    },
  );
  try {
    const served = await fetch(`${http.url}/log/time-stamps/${size}`);
    expect(served.headers.get('content-type')).toBe('application/timestamp-reply');
    expect(Buffer.from(await served.arrayBuffer())).toEqual(response);
    const note = await fetch(`${http.url}/log/time-stamps/${size}/note`);
    expect(await note.text()).toBe(await stampedNote(ledger, size));
    for (const path of ['1000000000', '0', '01', 'x', '9'.repeat(30)]) {
      const none = await fetch(`${http.url}/log/time-stamps/${path}`);
      expect(none.status).toBe(404);
      expect(JSON.stringify(await none.json())).toContain('not_stamped');
    }
  } finally {
    await http.close();
  }
}
