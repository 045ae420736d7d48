// The harness's own checks, given what they are there to find: a check that cannot fail proves nothing.
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { AttemptOutcome, LogRecord } from '#libs/audit-events';
import { eventually, type SimulatedRequest } from '../support/gateway.js';
import { attemptRef, newGenerationId, Tape } from '../support/ledger-events.js';
import type { BookedGeneration } from './books.js';
import { compareTold, layBeside } from './meter.js';
import { examine } from './raw-log.js';
import { Tap, type Passing } from './tap.js';

const AT = '2026-11-21T10:00:01.000Z';
const id = newGenerationId();
const requestId = `${id}.1`;

const arrival = (changes: Partial<SimulatedRequest> = {}): SimulatedRequest => ({
  n: 1,
  receivedAt: AT,
  requestId,
  endpoint: 'acme:one:eu:default',
  stream: true,
  inputTokens: 100,
  outputTokens: 50,
  status: 'completed',
  ...changes,
});
const attempt = (changes: Partial<AttemptOutcome> = {}): AttemptOutcome => ({
  ...attemptRef(id, 1),
  outcome: 'completed',
  usage: { inputTokens: 100, outputTokens: 50, basis: 'reported' },
  ...changes,
});
const booked = (changes: Partial<BookedGeneration> = {}): BookedGeneration => ({
  id,
  status: 'completed',
  amount: '300000000',
  posted: true,
  journals: 1,
  attempts: [attempt()],
  authorised: [],
  ...changes,
});

describe('the meter', () => {
  const before = new Map([[requestId, Date.parse(AT) - 1]]);
  const faults = (
    arrived: readonly SimulatedRequest[],
    generation: BookedGeneration | undefined,
    authorised: ReadonlyMap<string, number> = before,
  ): readonly string[] =>
    layBeside(arrived, new Map(generation && [[id, generation]]), authorised).faults;

  it('finds nothing wrong where nothing is', () => {
    expect(faults([arrival()], booked())).toEqual([]);
    const cut = attempt({
      outcome: 'cancelled',
      usage: { inputTokens: 100, outputTokens: 20, basis: 'counted' },
    });
    expect(
      faults([arrival({ status: 'aborted' })], booked({ status: 'cancelled', attempts: [cut] })),
    ).toEqual([]);
  });

  it.each<[string, SimulatedRequest[], BookedGeneration | undefined, ReadonlyMap<string, number>]>([
    ['sent without a record', [arrival()], booked(), new Map()],
    ['sent before its record', [arrival()], booked(), new Map([[requestId, Date.parse(AT) + 1]])],
    ['sent twice', [arrival(), arrival({ n: 2 })], booked(), before],
    ['without a trail', [arrival()], undefined, before],
    ['still open', [arrival()], booked({ status: 'open' }), before],
    ['not posted', [arrival()], booked({ posted: false }), before],
    ['not in the close', [arrival()], booked({ attempts: [] }), before],
    ['a token too few', [arrival({ outputTokens: 51 })], booked(), before],
    ['a token too many', [arrival({ outputTokens: 49 })], booked(), before],
    ['other input', [arrival({ inputTokens: 99 })], booked(), before],
    [
      'said to be unsent',
      [arrival()],
      booked({ attempts: [attempt({ outcome: 'not_dispatched' })] }),
      before,
    ],
    ['completed from nowhere', [], booked(), before],
    [
      'cut short, and billed for more than was handed over',
      [arrival({ outputTokens: 10, status: 'aborted' })],
      booked({ status: 'cancelled', attempts: [attempt({ outcome: 'cancelled' })] }),
      before,
    ],
  ])('finds a request %s', (_name, arrived, generation, authorised) => {
    expect(faults(arrived, generation, authorised)).not.toEqual([]);
  });

  it('finds an answer that costs something else than told, has no trail, or is an internal error', () => {
    const told = {
      status: 200,
      generationId: id,
      whole: true,
      content: true,
      costUsd: 0.0003,
      code: undefined,
    };
    const books = new Map([[id, booked()]]);
    expect(compareTold([told], books)).toEqual([]);
    expect(compareTold([{ ...told, costUsd: 0.0002 }], books)).not.toEqual([]);
    expect(compareTold([told], new Map())).not.toEqual([]);
    expect(compareTold([{ ...told, status: 500 }], books)).not.toEqual([]);
  });
});

describe('the raw log', () => {
  const said = (): LogRecord[] => {
    const tape = new Tape();
    const at = AT;
    tape.say('ingress-1', 'custos.writer.started.v1', 'ingress-1', { app: 'ingress', at });
    tape.open('ingress-1', id);
    tape.close('ingress-1', id);
    tape.say('ingress-1', 'custos.writer.stopped.v1', 'ingress-1', { app: 'ingress', at });
    return tape.records;
  };
  const faultsOf = (records: readonly LogRecord[]): readonly string[] =>
    examine({ id: 'log-1', records }).faults;

  it('finds nothing wrong where nothing is, and a record said twice in the same bytes is no fault', () => {
    const records = said();
    expect(faultsOf(records)).toEqual([]);
    const twice = [...records.slice(0, 3), records[1]!, ...records.slice(3)];
    expect(examine({ id: 'log-1', records: twice })).toMatchObject({ faults: [], repeated: 1 });
  });

  it.each<[string, (records: LogRecord[]) => LogRecord[]]>([
    ['removed', (r) => r.toSpliced(1, 1)],
    ['swapped', (r) => [r[0]!, r[2]!, r[1]!, r[3]!]],
    ['cut off at the end', (r) => r.slice(0, 3)],
    [
      'altered',
      (r) =>
        r.with(1, {
          ...r[1]!,
          value: Buffer.from(r[1]!.value.toString().replace('"stream":true', '"stream":false')),
        }),
    ],
    ['unreadable', (r) => r.with(2, { ...r[2]!, value: Buffer.from('{') })],
    ['in two partitions', (r) => r.with(2, { ...r[2]!, partition: 1 })],
  ])('finds a record %s', (_name, change) => {
    expect(faultsOf(change(said()))).not.toEqual([]);
  });
});

describe('the relay', () => {
  const open: { close(): unknown }[] = [];
  afterEach(async () => {
    for (const each of open.splice(0)) await each.close();
  });

  /** A server that writes down what it gets and answers each piece with its length. */
  async function listen(): Promise<{ readonly got: string[]; readonly tap: Tap }> {
    const got: string[] = [];
    const sockets = new Set<Socket>();
    const server: Server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('data', (bytes) => {
        got.push(bytes.toString());
        socket.write(`${bytes.length}`);
      });
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const tap = await Tap.open(() => (server.address() as AddressInfo).port);
    open.push(tap, {
      close: () => {
        for (const socket of sockets) socket.destroy();
        server.close();
      },
    });
    return { got, tap };
  }

  async function say(tap: Tap): Promise<{ readonly client: Socket; readonly heard: string[] }> {
    const client = connect(tap.port, '127.0.0.1');
    const heard: string[] = [];
    client.on('error', () => undefined);
    client.on('data', (bytes) => heard.push(bytes.toString()));
    client.write('one');
    await eventually(() => heard.length > 0 || undefined);
    open.push({ close: () => client.destroy() });
    return { client, heard };
  }

  it.each(['delivered', 'lost'] as const)(
    'stops at the very message, which is then %s',
    async (held) => {
      const { got, tap } = await listen();
      const { client, heard } = await say(tap);
      let seenAtTheMoment: readonly string[] = [];
      const { sprung } = tap.stopAt(
        ({ direction, bytes }: Passing) => direction === 'up' && bytes.includes('two'),
        () => {
          seenAtTheMoment = [...got];
          client.destroy();
        },
        10_000,
      );
      client.write('two');
      expect(await sprung).toBe(true);
      expect(seenAtTheMoment).toEqual(['one']);
      expect(got).toEqual(['one']);
      tap.thaw(held);
      if (held === 'delivered') await eventually(() => got.length === 2 || undefined);
      expect(got).toEqual(held === 'delivered' ? ['one', 'two'] : ['one']);
      expect(heard).toEqual(['3']);
      // Whoever comes next is let through.
      await say(tap);
    },
  );

  it('says when the moment does not come', async () => {
    const { tap } = await listen();
    await say(tap);
    expect(
      await tap.stopAt(
        () => false,
        () => undefined,
        50,
      ).sprung,
    ).toBe(false);
    await say(tap);
  });
});
