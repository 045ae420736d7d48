import { describe, expect, it } from '@jest/globals';
import { DomainError } from '#libs/kernel';
import { ConfigError } from './errors.js';
import { Lifecycle, runMain, type ProcessControl } from './lifecycle.js';
import { Logger } from './logger.js';
import { isServerAway } from './server-away.js';

const quiet = () => new Logger({ app: 'test', level: 'error', write: () => undefined });

/** Names of warnings and errors. */
const heard = (events: string[]) =>
  new Logger({
    app: 'test',
    level: 'warn',
    pretty: false,
    write: (line) => void events.push((JSON.parse(line) as { event: string }).event),
  });

class FakeProcess implements ProcessControl {
  readonly exits: number[] = [];
  readonly #listeners = new Map<string, (...args: never[]) => void>();
  readonly exited: Promise<void>;
  #tell: () => void = () => undefined;

  constructor(readonly env: Record<string, string> = {}) {
    this.exited = new Promise((resolve) => (this.#tell = resolve));
  }

  on(event: string, listener: (...args: never[]) => void): void {
    this.#listeners.set(event, listener);
  }

  has(event: string): boolean {
    return this.#listeners.has(event);
  }

  send(event: string, ...args: unknown[]): void {
    this.#listeners.get(event)?.(...(args as never[]));
  }

  exit(code: number): void {
    this.exits.push(code);
    this.#tell();
  }
}

describe('Lifecycle', () => {
  it('runs steps by order, later registrations first, once', async () => {
    const lifecycle = new Lifecycle(quiet());
    const ran: string[] = [];
    for (const [order, name] of [
      [90, 'database'],
      [10, 'a'],
      [10, 'b'],
      [50, 'work'],
    ] as const)
      lifecycle.onShutdown(order, name, () => void ran.push(name));
    await Promise.all([lifecycle.shutdown('x'), lifecycle.shutdown('y')]);
    expect(ran).toEqual(['b', 'a', 'work', 'database']);
    expect(lifecycle.signal.aborted).toBe(true);
  });

  it('goes on past a step that fails or hangs, and says so', async () => {
    const lifecycle = new Lifecycle(quiet());
    let last = false;
    lifecycle.onShutdown(1, 'fails', () => Promise.reject(new Error('no')));
    lifecycle.onShutdown(2, 'hangs', () => new Promise(() => undefined), 20);
    lifecycle.onShutdown(3, 'last', () => void (last = true));
    expect(await lifecycle.shutdown('x')).toBe(false);
    expect(last).toBe(true);
  });
});

describe('runMain', () => {
  it.each(['SIGINT', 'SIGTERM'])('ends with 0 after a clean %s', async (signal) => {
    const control = new FakeProcess();
    let closed = false;
    await runMain(async (lifecycle) => {
      lifecycle.logger = quiet();
      lifecycle.onShutdown(1, 'close', () => void (closed = true));
    }, control);
    control.send(signal);
    await control.exited;
    expect([closed, control.exits]).toEqual([true, [0]]);
  });

  it('exits at once on the second signal', async () => {
    const control = new FakeProcess();
    await runMain(async (lifecycle) => {
      lifecycle.logger = quiet();
      lifecycle.onShutdown(1, 'slow', () => new Promise(() => undefined), 200);
    }, control);
    control.send('SIGINT');
    control.send('SIGINT');
    expect(control.exits).toEqual([130]);
  });

  it('follows its parent only when told to', async () => {
    const alone = new FakeProcess();
    await runMain(async () => undefined, alone);
    expect(alone.has('disconnect')).toBe(false);
    const child = new FakeProcess({ CUSTOS_PARENT_IPC: '1' });
    await runMain(async (lifecycle) => void (lifecycle.logger = quiet()), child);
    child.send('disconnect');
    await child.exited;
    expect(child.exits).toEqual([0]);
  });

  it('undoes what had started and tells bad configuration (2) from a failed start (1)', async () => {
    for (const [error, code] of [
      [new ConfigError([{ variable: 'PORT', problem: 'expected a port' }]), 2],
      [new Error('no database'), 1],
    ] as const) {
      const control = new FakeProcess();
      let undone = false;
      await runMain(async (lifecycle) => {
        lifecycle.logger = quiet();
        lifecycle.onShutdown(1, 'undo', () => void (undone = true));
        throw error;
      }, control);
      expect([undone, control.exits]).toEqual([true, [code]]);
    }
  });

  describe('while a server is away', () => {
    const startingUp = Object.assign(new Error('the database system is starting up'), {
      code: '57P03',
    });
    const away = new DomainError('migration_failed', 'no', {}, { cause: startingUp });

    it('undoes what has started and starts again, until the server is there', async () => {
      const control = new FakeProcess({ CUSTOS_START_WAIT: '1m' });
      const seen: string[] = [];
      const lifecycles = new Set<Lifecycle>();
      await runMain(async (lifecycle) => {
        lifecycles.add(lifecycle);
        lifecycle.logger = heard(seen);
        lifecycle.onShutdown(1, 'undo', () => void seen.push('undone'));
        if (lifecycles.size < 3) throw away;
      }, control);
      expect(seen).toEqual(['start.waits', 'undone', 'start.waits', 'undone']);
      expect(lifecycles.size).toBe(3);
      expect(control.exits).toEqual([]);
      control.send('SIGTERM');
      await control.exited;
      expect([seen.at(-1), control.exits]).toEqual(['undone', [0]]);
    });

    it.each([
      ['the time is over', '1ms', away],
      ['it is told not to wait', '0', away],
      ['no wait would mend it', '1m', Object.assign(new Error('no password'), { code: '28P01' })],
    ])('ends with 1 and the reason where %s', async (_why, wait, error) => {
      const control = new FakeProcess({ CUSTOS_START_WAIT: wait });
      const seen: string[] = [];
      await runMain(async (lifecycle) => {
        lifecycle.logger = heard(seen);
        await new Promise((resolve) => setTimeout(resolve, 5));
        throw error;
      }, control);
      expect([seen, control.exits]).toEqual([['start.failed'], [1]]);
    });

    it('ends at once when it is asked to', async () => {
      const control = new FakeProcess({ CUSTOS_START_WAIT: '1h' });
      const seen: string[] = [];
      const ended = runMain(async (lifecycle) => {
        lifecycle.logger = heard(seen);
        lifecycle.onShutdown(1, 'ask', () => control.send('SIGTERM'));
        throw away;
      }, control);
      await ended;
      await control.exited;
      expect([seen, control.exits]).toEqual([['start.waits'], [0]]);
    });

    it('takes no time that is none', async () => {
      const control = new FakeProcess({ CUSTOS_START_WAIT: 'soon' });
      await runMain(() => Promise.reject(new Error('never asked')), control);
      expect(control.exits).toEqual([2]);
    });
  });
});

describe('isServerAway', () => {
  const coded = (code: string): Error => Object.assign(new Error('x'), { code });
  it.each<[string, unknown, boolean]>([
    ['a PostgreSQL that starts up', coded('57P03'), true],
    ['one that goes down', coded('57P01'), true],
    ['nobody listens', coded('ECONNREFUSED'), true],
    ['nobody listens at any address', new AggregateError([coded('ECONNREFUSED')]), true],
    ['pg without a code', new Error('Connection terminated unexpectedly'), true],
    [
      'the log, by a broken connection',
      new DomainError('log_unavailable', 'y', { sqlState: '' }),
      true,
    ],
    [
      'the log, while it starts up',
      new DomainError('log_unavailable', 'y', { sqlState: '57P03' }),
      true,
    ],
    ['the log, on brokers that do not answer', new DomainError('log_unavailable', 'y'), true],
    [
      'the log, without its tables',
      new DomainError('log_unavailable', 'y', { sqlState: '42P01' }),
      false,
    ],
    ['a wrong password', coded('28P01'), false],
    ['a database that is not there', coded('3D000'), false],
    ['a fault of ours', new TypeError('undefined is not a function'), false],
    ['no error at all', 'ECONNREFUSED', false],
  ])('%s', (_name, error, is) => {
    expect(isServerAway(error)).toBe(is);
    expect(isServerAway(new Error('outer', { cause: new Error('inner', { cause: error }) }))).toBe(
      is,
    );
  });

  it('comes to an end in a ring of causes', () => {
    const ring = new Error('a');
    ring.cause = new Error('b', { cause: ring });
    expect(isServerAway(ring)).toBe(false);
  });
});
