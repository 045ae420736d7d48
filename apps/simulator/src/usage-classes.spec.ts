import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Dialect, Price } from '#libs/catalog';
import { rate } from '#libs/ledger';
import {
  parseChatRequest,
  UndiciDispatcher,
  type AttemptEnd,
  type ReportedUsage,
} from '#libs/providers';
import { startSimulator, type Simulator } from './simulator.js';

const PRICE: Price = {
  inputPicoUsdPerToken: 1_000n,
  cacheReadPicoUsdPerToken: 100n,
  cacheWritePicoUsdPerToken: 1_250n,
  cacheWrite1hPicoUsdPerToken: 2_000n,
  inputImagePicoUsdPerToken: 1_100n,
  inputAudioPicoUsdPerToken: 7_000n,
  outputPicoUsdPerToken: 5_000n,
  reasoningPicoUsdPerToken: 5_500n,
  outputImagePicoUsdPerToken: 30_000n,
  outputAudioPicoUsdPerToken: 20_000n,
  toolCallPicoUsd: { web_search: 10_000_000_000n },
};
const INPUT_TOKENS = 250;
const OUTPUT_TOKENS = 40;

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
  rmSync(stateDir, { recursive: true, force: true });
});

const usageOf = async (dialect: Dialect, stream: boolean): Promise<ReportedUsage | undefined> =>
  (await ask(dialect, stream)).usage;

/** How the attempt ended, whole or not. */
function ask(dialect: Dialect, stream: boolean): Promise<AttemptEnd> {
  const words = Array.from({ length: OUTPUT_TOKENS }, () => 'w').join(' ');
  const content = `Echo: ${words}`;
  const system = 'x'.repeat(4 * INPUT_TOKENS - content.length);
  const body = {
    model: 'm',
    stream,
    messages: [
      { role: 'system', content: system },
      { role: 'user', content },
    ],
  };
  const parsed = parseChatRequest(Buffer.from(JSON.stringify(body)));
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
  const timeouts = {
    connectMs: 5_000,
    firstContentMs: 20_000,
    idleMs: 20_000,
    totalMs: 60_000,
  };
  return new Promise((resolve) => {
    dispatcher.dispatch(target, parsed.request, 'gen-1.1', timeouts, {
      onDispatched: () => undefined,
      onAnswer: () => undefined,
      onEvents: () => true,
      onEnd: resolve,
      onFailure: (_, partial) => resolve(partial),
    });
  });
}

async function report(usage: object, dieAfterChunks?: number): Promise<void> {
  const answer = await fetch(`${simulator.url}/__sim/faults`, {
    method: 'PUT',
    body: JSON.stringify({ endpoint: '*', chunkIntervalMs: 0, usage, dieAfterChunks }),
  });
  if (!answer.ok) throw new Error(await answer.text());
}

const classes = fc.record({
  cacheRead: fc.nat(80),
  cacheWrite5m: fc.nat(50),
  cacheWrite1h: fc.nat(50),
  inputImage: fc.nat(30),
  inputAudio: fc.nat(30),
  reasoning: fc.nat(15),
  outputImage: fc.nat(10),
  outputAudio: fc.nat(10),
  webSearches: fc.nat(5),
});

describe.each<Dialect>(['openai-chat', 'anthropic-messages'])('%s', (dialect) => {
  it('the same usage costs the same, streamed or whole, and its parts stay within their whole', async () => {
    await fc.assert(
      fc.asyncProperty(classes, async (asked) => {
        await report(asked);
        const [streamed, whole] = [await usageOf(dialect, true), await usageOf(dialect, false)];
        expect(streamed).toEqual(whole);
        expect(whole).toMatchObject({
          inputTokens: INPUT_TOKENS,
          outputTokens: OUTPUT_TOKENS,
          cacheReadTokens: asked.cacheRead,
        });
        expect(whole?.cacheWriteTokens ?? 0).toBe(asked.cacheWrite5m + asked.cacheWrite1h);
        expect(whole?.toolCalls?.['web_search'] ?? 0).toBe(asked.webSearches);
        const cost = (u: ReportedUsage) => rate({ ...u, basis: 'reported' }, PRICE);
        const { lines, totalPicoUsd } = cost(whole!);
        expect(cost(streamed!).totalPicoUsd).toBe(totalPicoUsd);
        const tokens = lines.filter((l) => !l.class.startsWith('tool:'));
        expect(tokens.reduce((sum, l) => sum + l.tokens, 0)).toBe(INPUT_TOKENS + OUTPUT_TOKENS);
      }),
      { numRuns: 25 },
    );
  }, 120_000);
});

it('each dialect tells the classes that it knows', async () => {
  await report({
    cacheRead: 10,
    cacheWrite5m: 3,
    cacheWrite1h: 2,
    inputAudio: 4,
    inputImage: 5,
    reasoning: 6,
    outputAudio: 7,
    outputImage: 8,
    webSearches: 2,
    costUsd: 0.0125,
  });
  expect(await usageOf('openai-chat', true)).toEqual({
    inputTokens: INPUT_TOKENS,
    outputTokens: OUTPUT_TOKENS,
    cacheReadTokens: 10,
    cacheWriteTokens: 5,
    inputAudioTokens: 4,
    inputImageTokens: 5,
    reasoningTokens: 6,
    outputAudioTokens: 7,
    outputImageTokens: 8,
    toolCalls: { web_search: 2 },
    costUsd: '0.0125',
  });
  expect(await usageOf('anthropic-messages', true)).toEqual({
    inputTokens: INPUT_TOKENS,
    outputTokens: OUTPUT_TOKENS,
    cacheReadTokens: 10,
    cacheWriteTokens: 5,
    cacheWrite1hTokens: 2,
    toolCalls: { web_search: 2 },
  });
}, 60_000);

it('of an answer that broke off the output count is nobody’s last word', async () => {
  await report({ cacheRead: 100 }, 10);
  const { usage, usageSoFar, contentDeltas } = await ask('anthropic-messages', true);
  expect([usage, contentDeltas]).toEqual([undefined, 10]);
  expect(usageSoFar).toMatchObject({ inputTokens: INPUT_TOKENS, cacheReadTokens: 100 });
  expect(await ask('openai-chat', true)).not.toHaveProperty('usage');
}, 60_000);
