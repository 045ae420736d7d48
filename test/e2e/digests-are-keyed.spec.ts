// A digest of few words can be guessed: none of content stands in the log but under the deployment's own key.
import { createHash, getHashes } from 'node:crypto';
import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { portsToKeep } from '#libs/platform';
import { AppProcess } from '../support/app-process.js';
import { type Bootstrap } from '../support/gateway.js';
import { freshDatabase, runDirectory, type FreshDatabase } from '../support/postgres.js';
import { onDatabase } from '../support/stage.js';

const MODEL = 'openai/gpt-4o-mini';
/** What somebody who holds the log would try first. */
const WORDS = ['yes', 'Is John Doe HIV positive?', 'be brief'] as const;
const BODY = JSON.stringify({
  model: MODEL,
  max_tokens: 16,
  messages: [
    { role: 'system', content: WORDS[2] },
    { role: 'user', content: WORDS[1] },
    { role: 'assistant', content: WORDS[0] },
    { role: 'user', content: WORDS[0] },
  ],
});

interface Deployment {
  readonly database: FreshDatabase;
  readonly gateway: AppProcess;
  readonly apiKey: string;
}
const deployments: Deployment[] = [];

async function deploy(): Promise<Deployment> {
  const database = await freshDatabase();
  const dataDir = mkdtempSync(join(runDirectory(), 'digests-'));
  const [port] = await portsToKeep(1);
  const gateway = AppProcess.launch('standalone', port!, {
    ...onDatabase(database),
    CUSTOS_DATA_DIR: dataDir,
    CUSTOS_PROVIDERS: 'simulated',
  });
  await gateway.ready();
  const path = join(dataDir, 'bootstrap.json');
  const { apiKey } = JSON.parse(readFileSync(path, 'utf8')) as Bootstrap;
  const deployment = { database, gateway, apiKey };
  deployments.push(deployment);
  return deployment;
}

beforeAll(async () => {
  await deploy();
  await deploy();
  for (const { gateway, apiKey } of deployments)
    for (let i = 0; i < 2; i++) {
      const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
        body: BODY,
      });
      expect(answer.status).toBe(200);
      await answer.text();
    }
}, 180_000);
afterAll(async () => {
  for (const { gateway, database } of deployments) {
    await gateway.stop();
    await database.drop();
  }
}, 60_000);

async function recordsOf({ database }: Deployment): Promise<readonly string[]> {
  const client = new pg.Client({ connectionString: database.superuserUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ value: Buffer }>('select value from log.record');
    return rows.map((r) => r.value.toString());
  } finally {
    await client.end();
  }
}

const requestDigests = (records: readonly string[]): readonly string[] =>
  records
    .map((r) => JSON.parse(r) as { data?: { requestDigest?: string } })
    .flatMap((e) => e.data?.requestDigest ?? []);

it('no record has a digest of content that somebody without the key could make', async () => {
  const { messages } = JSON.parse(BODY) as { messages: { content: string }[] };
  const contents = [
    BODY,
    JSON.stringify(messages),
    ...messages.map((m) => JSON.stringify(m)),
    ...WORDS,
    ...WORDS.map((w) => w.toLowerCase()),
    WORDS.join('\n'),
    messages.map((m) => m.content).join('\n'),
    messages.map((m) => m.content).join(''),
  ];
  const guesses = new Set<string>();
  for (const algorithm of getHashes().filter((name) => /^(md5|sha|blake)/i.test(name)))
    for (const content of contents)
      for (const encoding of ['hex', 'base64', 'base64url'] as const)
        try {
          // The beginning of a digest gives as much away.
          guesses.add(createHash(algorithm).update(content).digest(encoding).slice(0, 16));
        } catch {
          // Of no fixed length, or not allowed by the host's policy.
        }
  guesses.delete('');
  expect(guesses.size).toBeGreaterThan(300);
  for (const deployment of deployments) {
    const records = await recordsOf(deployment);
    expect(records.length).toBeGreaterThan(4);
    for (const record of records)
      expect([...guesses].filter((guess) => record.includes(guess))).toEqual([]);
  }
}, 60_000);

it('the same request is told again by one deployment, and by no other', async () => {
  const [ours, theirs] = await Promise.all(
    deployments.map(async (d) => requestDigests(await recordsOf(d))),
  );
  expect(ours).toHaveLength(2);
  expect(new Set(ours).size).toBe(1);
  expect(ours![0]).toMatch(/^hmac-sha256:/);
  expect(theirs).toHaveLength(2);
  expect(ours![0]).not.toBe(theirs![0]);
}, 60_000);
