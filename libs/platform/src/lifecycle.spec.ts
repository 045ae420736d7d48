import { describe, expect, it } from '@jest/globals';
import { ConfigError } from './errors.js';
import { Lifecycle, runMain, type ProcessControl } from './lifecycle.js';
import { Logger } from './logger.js';

const quiet = () => new Logger({ app: 'test', level: 'error', write: () => undefined });

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
});
