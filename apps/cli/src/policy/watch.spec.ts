import { EventEmitter } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { setTimeout as wait } from 'node:timers/promises';
import { runAndWatch } from './watch.js';

const DEADLINE_MS = 5_000;

describe('watching a folder', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'custos-watch-'));
    jest.spyOn(process.stdout, 'write').mockImplementation(() => true);
  });
  afterEach(() => {
    jest.restoreAllMocks();
    rmSync(folder, { recursive: true });
  });

  it('runs at once, again after a change, once for several, and ends with the last exit code', async () => {
    const signals = new EventEmitter() as unknown as NodeJS.Process;
    let runs = 0;
    const ended = runAndWatch(folder, () => (runs += 1) - 1, signals);
    expect(runs).toBe(1);
    for (let i = 0; i < 5; i += 1) writeFileSync(join(folder, 'a.cedar'), `${i}`);
    const until = Date.now() + DEADLINE_MS;
    while (runs < 2 && Date.now() < until) await wait(20);
    await wait(300);
    expect(runs).toBe(2);
    signals.emit('SIGINT');
    expect(await ended).toBe(1);
    expect([signals.listenerCount('SIGINT'), signals.listenerCount('SIGTERM')]).toEqual([0, 0]);
  });
});
