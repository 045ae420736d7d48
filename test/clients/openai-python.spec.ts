// The official OpenAI SDK for Python, fetched from the package registry into a virtual environment of this run.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Gateway } from '../support/gateway.js';
import { runDirectory } from '../support/postgres.js';

const execute = promisify(execFile);
const PROGRAM = fileURLToPath(new URL('./python_client.py', import.meta.url));
/** Pinned: a new release must not turn our tests red by itself. */
const SDK = 'openai==3.54.0';
const MODEL = 'openai/gpt-4o-mini';
const INSTALL_MS = 180_000;

/** The interpreter of a fresh environment with the SDK, or why there is none. */
async function environment(): Promise<{ python: string } | { lacks: string }> {
  const folder = join(runDirectory(), 'python-client');
  const python = join(folder, 'bin', 'python');
  try {
    await execute('python3', ['-m', 'venv', folder], { timeout: INSTALL_MS });
    const quiet = ['--quiet', '--disable-pip-version-check', '--no-input'];
    await execute(python, ['-m', 'pip', 'install', ...quiet, SDK], { timeout: INSTALL_MS });
    return { python };
  } catch (error) {
    const { message, stderr = '' } = error as Error & { stderr?: string };
    return { lacks: `${message.split('\n')[0]} ${stderr.slice(-300)}` };
  }
}

const found = await environment();
const ready = 'python' in found;
if (!ready) console.warn(`The Python client did NOT run: ${found.lacks}`);
const inCi = process.env['CI'] === 'true';

(ready || inCi ? describe : describe.skip)('the OpenAI SDK for Python', () => {
  let gateway: Gateway;

  beforeAll(async () => {
    if (!ready) throw new Error(`CI must run the Python client: ${found.lacks}`);
    gateway = await Gateway.start();
  }, 120_000);
  afterAll(async () => {
    await gateway?.stop();
  });

  it('streams and does not stream, and understands refusals', async () => {
    if (!ready) throw new Error('unreachable: the set-up has thrown');
    const { stdout } = await execute(
      found.python,
      [PROGRAM, gateway.v1, gateway.bootstrap.apiKey, MODEL],
      { timeout: 60_000 },
    );
    const seen = JSON.parse(stdout) as {
      whole: { id: string; usage: Record<string, number> };
      stream: { ids: string[]; usages: Record<string, number>[] };
    };
    expect(seen).toMatchObject({
      whole: { headerId: seen.whole.id, text: 'the quick brown fox', finishReason: 'stop' },
      stream: { text: 'the quick brown fox' },
      badKey: 401,
      unknownModel: 404,
    });
    expect(seen.stream.ids).toHaveLength(1);
    expect(seen.stream.usages).toHaveLength(1);
    for (const usage of [seen.whole.usage, seen.stream.usages[0]!]) {
      expect(usage['completion_tokens']).toBe(4);
      expect(usage['cost']).toBeGreaterThan(0);
    }
    for (const id of [seen.whole.id, seen.stream.ids[0]!])
      expect(await gateway.trail(id)).toMatchObject({ status: 'completed' });
  });
});
