import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Dialect } from '#libs/catalog';
import { parseChatRequest, UndiciDispatcher } from '#libs/providers';
import type { AttemptEnd, AttemptObserver } from '#libs/providers';
import { startSimulator } from './simulator.js';
import type { Simulator } from './simulator.js';

// The gateway's dialects and the simulator's were written apart: what one says, the other must understand.
let simulator: Simulator;
let stateDir: string;
const dispatcher = new UndiciDispatcher();

beforeAll(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'simulator-'));
  simulator = await startSimulator({ port: 0, host: '127.0.0.1', stateDir });
});

afterAll(async () => {
  await dispatcher.close(0);
  await simulator.close();
  rmSync(stateDir, { recursive: true });
});

function ask(dialect: Dialect, body: object): Promise<{ text: string; end: AttemptEnd }> {
  const parsed = parseChatRequest(Buffer.from(JSON.stringify({ model: 'm', ...body })));
  if (!parsed.ok) throw new Error(parsed.message);
  const target = {
    endpointId: 'ep',
    providerId: 'p',
    dialect,
    baseUrl: simulator.baseUrlFor('ep', dialect),
    upstreamModel: 'up',
    simulated: true,
    maxOutputTokens: 100,
    unaskedOutputTokens: 100,
  };
  const timeouts = { connectMs: 1000, firstContentMs: 5000, idleMs: 5000, totalMs: 10_000 };
  return new Promise((resolve, reject) => {
    let text = '';
    const observer: AttemptObserver = {
      onDispatched: () => undefined,
      onAnswer: (answer) => (text = JSON.stringify(answer.body['choices'])),
      onEvents: ({ latin1 }) => {
        for (const event of latin1.split('\n\n')) {
          if (event === '') continue;
          const chunk = JSON.parse(event.slice(6)) as { choices: [{ delta: object }] };
          text += JSON.stringify(chunk.choices[0].delta);
        }
        return true;
      },
      onEnd: (end) => resolve({ text, end }),
      onFailure: (failure) => reject(new Error(failure.message)),
    };
    dispatcher.dispatch(target, parsed.request, 'gen-1.1', timeouts, observer);
  });
}

const dialects: Dialect[] = ['openai-chat', 'anthropic-messages'];
const cases = dialects.flatMap((d) => [true, false].map((stream) => [d, stream] as const));

test.each(cases)('%s, streamed %s: text and usage', async (dialect, stream) => {
  const messages = [{ role: 'user', content: 'Echo: one two "three" vier' }];
  const { text, end } = await ask(dialect, { messages, stream });
  expect(text).toContain('one');
  expect(text).toContain('vier');
  expect(end).toMatchObject({
    finishReason: 'stop',
    usage: { inputTokens: Math.ceil(26 / 4), outputTokens: 4 },
    upstreamStatus: 200,
  });
});

test.each(cases)('%s, streamed %s: a tool call', async (dialect, stream) => {
  const { text, end } = await ask(dialect, {
    messages: [{ role: 'user', content: 'hi' }],
    stream,
    tools: [{ type: 'function', function: { name: 'weather', parameters: { type: 'object' } } }],
    tool_choice: 'required',
  });
  expect(text).toContain('"name":"weather"');
  expect(text).toContain('"arguments":"{}"');
  expect(end.finishReason).toBe('tool_calls');
});
