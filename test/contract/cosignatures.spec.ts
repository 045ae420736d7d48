// The ledger and the witnesses of its policy: who is dead, slow, wrong or contradicts, and what that may stop.
import 'reflect-metadata';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  cosign,
  generateKey,
  openCheckpoint,
  openNote,
  parsePolicy,
  parseSignerKey,
  parseVerifierKey,
} from '#libs/transparency';
import type { Ledger } from '../../apps/ledger/src/ledger.js';
import { MemoryLog } from '../support/memory-log.js';
import { silentPort, until, WitnessedLedger } from '../support/witnessed-ledger.js';

let stage: WitnessedLedger;

beforeEach(async () => {
  stage = await WitnessedLedger.open();
});

afterEach(() => stage.close());

const believed = (ledger: Ledger, beyond = 0n) =>
  until(`a believed checkpoint beyond ${beyond}`, async () => {
    const checkpoint = await ledger.tree.believed();
    return checkpoint !== undefined && checkpoint.size > beyond ? checkpoint : undefined;
  });

const published = (ledger: Ledger, beyond: bigint) =>
  until(`a published checkpoint beyond ${beyond}`, async () => {
    const size = await ledger.tree.publishedSize();
    return size > beyond ? size : undefined;
  });

const trouble = (ledger: Ledger, name: string, expected: string) =>
  until(`${name} in trouble: ${expected}`, async () => {
    const all = await ledger.cosignatures.status();
    return all.find((witness) => witness.name === name && witness.trouble === expected);
  });

type Answer = (request: IncomingMessage, response: ServerResponse) => unknown;

/** An HTTP server of the test's own in the place of a witness. */
async function stand(answer: Answer): Promise<string> {
  const server = createServer((request, response) => {
    // Whoever asks at the stage's end gets no answer any more.
    Promise.resolve(answer(request, response)).catch(() => response.destroy());
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  stage.atEnd(
    () =>
      new Promise<void>((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('two witnesses, one of them dead', () => {
  test('a quorum of one: checkpoints are believed, and it is seen who stays away', async () => {
    const alive = await stage.witness('alive');
    const dead = await stage.witness('dead');
    await dead.stop();
    const policy = `${alive.line()}\n${dead.line()}\ngroup both any alive dead\nquorum both`;
    const ledger = await stage.start(policy);
    const first = await believed(ledger);
    const second = await believed(ledger, first.size);

    // What strangers need: the note as it is served, and the policy.
    const opened = openCheckpoint(second.note, parsePolicy(ledger.tree.policy.text));
    expect(opened.cosignatures.map(({ name }) => name)).toEqual(['witness.example/alive']);
    const watched = await (await fetch(`${alive.url}/checkpoint`)).text();
    expect(openNote(watched, [parseVerifierKey(stage.key.verifierKey)]).body).toContain(
      ledger.tree.identity.origin,
    );

    await trouble(ledger, 'dead', 'unreachable');
    const [first1, second1] = await ledger.cosignatures.status();
    expect(first1).toMatchObject({ name: 'alive' });
    expect(first1).not.toHaveProperty('trouble');
    expect(second1).toMatchObject({ name: 'dead', cosignedSize: '0' });
    expect(BigInt(second1!.behind)).toBeGreaterThan(0n);
  });

  test('a quorum of two: publishing goes on, nothing is believed until the second is back', async () => {
    const alive = await stage.witness('alive');
    const dead = await stage.witness('dead');
    await dead.stop();
    const policy = `${alive.line()}\n${dead.line()}\ngroup both all alive dead\nquorum both`;
    const ledger = await stage.start(policy);
    await trouble(ledger, 'dead', 'unreachable');
    await published(ledger, await published(ledger, await published(ledger, 0n)));
    expect(await ledger.tree.believed()).toBeUndefined();

    await stage.witness('dead', dead.port);
    const first = await believed(ledger);
    const { cosignatures } = openCheckpoint(first.note, parsePolicy(ledger.tree.policy.text));
    expect(cosignatures.map(({ name }) => name)).toEqual([
      'witness.example/alive',
      'witness.example/dead',
    ]);
    expect(stage.said.map(({ event }) => event)).toContain('witness.back');
  });
});

test('witnesses that are slow, each at its own pace, still meet on one checkpoint while the log grows', async () => {
  const lines = await Promise.all(
    [150, 230].map(async (delayMs, n) => {
      const witness = await stage.witness(`slow${n}`);
      const url = await stand(async (request, response) => {
        const body = await text(request);
        await sleep(delayMs);
        const answer = await fetch(`${witness.url}${request.url}`, { method: 'POST', body });
        response.writeHead(answer.status, {
          'content-type': answer.headers.get('content-type') ?? '',
        });
        response.end(await answer.text());
      });
      return witness.line(url);
    }),
  );
  const ledger = await stage.start(`${lines.join('\n')}\ngroup both all slow0 slow1\nquorum both`);
  let size = 0n;
  for (let n = 0; n < 4; n++) ({ size } = await believed(ledger, size));
  expect(await ledger.tree.publishedSize()).toBeGreaterThanOrEqual(size);
});

test('one that takes the connection and never answers delays neither publishing nor the other', async () => {
  const alive = await stage.witness('alive');
  const hung = await stage.witness('hung');
  const silent = await silentPort();
  stage.atEnd(silent.close);
  const ledger = await stage.start(
    `${alive.line()}\n${hung.line(silent.url)}\ngroup both any alive hung\nquorum both`,
  );
  let size = 0n;
  const beganMs = performance.now();
  for (let n = 0; n < 5; n++) ({ size } = await believed(ledger, size));
  // Had the silent one been waited for, each would have taken its five seconds.
  expect(performance.now() - beganMs).toBeLessThan(20_000);
});

test('a second ledger process goes on where the first ended, with witnesses that know more than it does', async () => {
  const witness = await stage.witness('one');
  const first = await stage.start(`${witness.line()}\nquorum one`);
  const { size } = await believed(first);
  await first.close();
  const second = await stage.start(`${witness.line()}\nquorum one`);
  await believed(second, size);
  expect(stage.said.filter(({ level }) => level === 'error')).toEqual([]);
});

describe('answers that are none', () => {
  test('are told apart, kept nowhere and stop nothing', async () => {
    const stranger = parseSignerKey(generateKey('witness.example/liar', 'cosignature').signerKey);
    const keyOf = (name: string): string =>
      generateKey(`witness.example/${name}`, 'cosignature').verifierKey;
    const place = async (name: string, answer: Answer): Promise<string> =>
      `witness ${name} ${keyOf(name)} ${await stand(answer)}`;
    const lines = [
      await place('refuser', (_, response) => response.writeHead(403).end()),
      await place('babbler', (_, response) => response.end('cosigned!\n')),
      await place('endless', (_, response) => response.end('x'.repeat(100_000))),
      await place('counter', (_, response) => response.writeHead(409).end('01\n')),
      await place('liar', async (request, response) => {
        const note = (await text(request)).split('\n\n').slice(1).join('\n\n');
        const body = note.slice(0, note.indexOf('\n\n') + 1);
        response.end(cosign(body, stranger, 1n));
      }),
      // Its word alone: a larger tree than ours, of which it shows nothing.
      await place('boaster', (request, response) =>
        request.method === 'POST'
          ? response.writeHead(409).end('999999\n')
          : response.writeHead(404).end(),
      ),
      await place('denier', (_, response) => response.writeHead(422).end()),
    ];
    const ledger = await stage.start(`${lines.join('\n')}\nquorum refuser`);
    await trouble(ledger, 'refuser', 'refused with 403');
    await trouble(ledger, 'endless', 'unreachable');
    for (const name of ['babbler', 'counter', 'liar']) await trouble(ledger, name, 'bad_answer');
    await trouble(ledger, 'boaster', 'contradicts');
    await trouble(ledger, 'denier', 'inconsistent');
    await published(ledger, await published(ledger, 0n));
    expect(ledger.tree.checkpointer.haltReason).toBe('');
    const latest = await ledger.tree.checkpoints.newest(1_000);
    for (const { note } of latest) expect(note.match(/^— /gmu)).toHaveLength(1);
    expect(
      stage.said.filter(({ event, level }) => event === 'witness.trouble' && level === 'error'),
    ).not.toEqual([]);
  });

  test('a cosignature from the future is not kept', async () => {
    const key = generateKey('witness.example/early', 'cosignature');
    const signer = parseSignerKey(key.signerKey);
    const url = await stand(async (request, response) => {
      const note = (await text(request)).split('\n\n').slice(1).join('\n\n');
      const body = note.slice(0, note.indexOf('\n\n') + 1);
      response.end(cosign(body, signer, BigInt(Math.floor(Date.now() / 1_000) + 3_600)));
    });
    const ledger = await stage.start(`witness early ${key.verifierKey} ${url}\nquorum early`);
    await trouble(ledger, 'early', 'cosigns in the future');
    expect(await ledger.tree.believed()).toBeUndefined();
  });
});

describe('a witness that holds another history under our key', () => {
  test.each([
    ['a larger tree', 100_000],
    ['another tree of few leaves', 1],
  ])('%s: publication halts, the books go on', async (_, size) => {
    const witness = await stage.witness('one');
    const fork = MemoryLog.grown(stage.key, size, { at: 0, name: 'fork' });
    const body = await fork.request(0);
    expect((await fetch(`${witness.url}/add-checkpoint`, { method: 'POST', body })).status).toBe(
      200,
    );

    const ledger = await stage.start(`${witness.line()}\nquorum one`);
    const reason = await haltedBy(ledger);
    expect(reason).toContain(`size ${size}`);
    expect(stage.said).toContainEqual(
      expect.objectContaining({ event: 'log.head_missing', level: 'error', size: String(size) }),
    );
    const halted = await ledger.tree.publishedSize();
    const records = await recordsIn(ledger);
    await until('more records in the books', async () =>
      (await recordsIn(ledger)) > records + 5 ? true : undefined,
    );
    expect(await ledger.tree.publishedSize()).toBe(halted);
    expect(await ledger.fault()).toBeUndefined();
    expect(await ledger.tree.believed()).toBeUndefined();
  });

  test('that turns up while the ledger runs halts it, and no restart forgets it, the witness gone or not', async () => {
    const witness = await stage.witness('one');
    const silent = await stand((_, response) => response.writeHead(404).end());
    // It is asked at the start, and tells nothing; later its answer is the witness's.
    let asked = silent;
    const url = await stand(async (request, response) => {
      const body = request.method === 'POST' ? await text(request) : undefined;
      const answer = await fetch(`${asked}${request.url}`, {
        method: request.method ?? 'GET',
        ...(body !== undefined && { body }),
      });
      response.writeHead(answer.status, {
        'content-type': answer.headers.get('content-type') ?? '',
      });
      response.end(await answer.text());
    });
    const ledger = await stage.start(`${witness.line(url)}\nquorum none`);
    await published(ledger, 0n);
    const fork = MemoryLog.grown(stage.key, 1, { at: 0, name: 'fork' });
    const body = await fork.request(0);
    await fetch(`${witness.url}/add-checkpoint`, { method: 'POST', body });
    asked = witness.url;
    await haltedBy(ledger);
    expect(stage.said).toContainEqual(
      expect.objectContaining({ event: 'log.fork_proven', level: 'error', size: '1' }),
    );
    await ledger.close();
    await witness.stop();

    const halted = await stage.publishedSize();
    const again = await stage.start('quorum none');
    expect(await haltedBy(again)).toContain('held by witness one');
    expect(await again.tree.publishedSize()).toBe(halted);
  });

  const haltedBy = (ledger: Ledger): Promise<string> =>
    until('publication halted', () => {
      const { haltReason } = ledger.tree.checkpointer;
      return Promise.resolve(haltReason === '' ? undefined : haltReason);
    });

  /** Leaves that are sealed, published or not. */
  const recordsIn = async (ledger: Ledger): Promise<number> =>
    (await ledger.tree.queries.hashes(0, 0n, 256)).reduce((sum, tile) => sum + tile.length / 32, 0);
});
