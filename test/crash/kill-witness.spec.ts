// A witness under SIGKILL, as a process: what it has answered it must still know, whenever it died.
import { mkdtempSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openCheckpoint, parsePolicy } from '#libs/transparency';
import { portsToKeep } from '#libs/platform';
import { AppProcess } from '../support/app-process.js';
import { MemoryLog, newLogKey } from '../support/memory-log.js';
import { runDirectory } from '../support/postgres.js';

const KILLS = 12;
/** A request takes some milliseconds: kills fall before, within and after the write. */
const KILL_WITHIN_MS = 25;
const LEAVES = 600;

describe('a witness that is killed', () => {
  const key = newLogKey();
  const log = MemoryLog.grown(key, LEAVES);
  let witness: AppProcess;
  let stateDir: string;

  beforeAll(async () => {
    stateDir = mkdtempSync(join(runDirectory(), 'witness-'));
    const [port] = await portsToKeep(1);
    witness = AppProcess.launch('witness', port!, {
      CUSTOS_WITNESS_STATE_DIR: stateDir,
      CUSTOS_WITNESS_NAME: 'witness.example/killed',
      CUSTOS_WITNESS_LOGS: key.verifierKey,
    });
    await witness.ready();
  });

  afterAll(() => witness.stop());

  const post = async (body: string): Promise<number | undefined> =>
    (await fetch(`${witness.url}/add-checkpoint`, { method: 'POST', body }).catch(() => undefined))
      ?.status;

  /** The size of the newest checkpoint that it serves, under its own key and the log's. */
  async function remembered(): Promise<number> {
    const ready = await fetch(`${witness.url}/health/ready`);
    const { verifierKey } = (await ready.json()) as { verifierKey: string };
    const response = await fetch(`${witness.url}/checkpoint`);
    if (response.status === 404) return 0;
    const policy = parsePolicy(`log ${key.verifierKey}\nwitness w ${verifierKey}\nquorum w\n`);
    return Number(openCheckpoint(await response.text(), policy).checkpoint.size);
  }

  test('knows after each start what it has answered, and cosigns no fork of it', async () => {
    let answered = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      let asked = answered;
      const dying = new Promise<void>((resolve) =>
        setTimeout(() => void witness.kill9().then(resolve), Math.random() * KILL_WITHIN_MS),
      );
      for (;;) {
        const next = asked + 1;
        const status = await post(await log.request(asked, next));
        if (status === undefined) break;
        expect(status).toBe(200);
        answered = asked = next;
      }
      await dying;
      witness.launch();
      await witness.ready();
      const known = await remembered();
      // The one that was cut off may have been kept; nothing that was answered may be lost.
      expect([answered, answered + 1]).toContain(known);
      answered = known;
      if (known < 2) continue;
      const fork = MemoryLog.grown(key, known + 1, { at: known - 1, name: `fork ${kill}` });
      expect(await post(await fork.request(known - 1, known + 1))).toBe(409);
      expect(await post(await fork.request(known, known + 1))).toBe(422);
      expect(await post(await fork.request(known, known))).toBe(409);
    }
    expect(answered).toBeGreaterThan(0);
    expect(readdirSync(stateDir).filter((name) => name.endsWith('.checkpoint'))).toHaveLength(1);
  });
});
