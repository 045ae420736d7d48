// G9: canaries in prompts, tools, images, names, credentials and refused input; afterwards every sink is searched.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { portsToKeep } from '#libs/platform';
import { AppProcess } from '../support/app-process.js';
import { completeOrNothing, type Asked, type Caller } from '../support/completions.js';
import { eventually, type Bootstrap } from '../support/gateway.js';
import { freshDatabase, runDirectory, type FreshDatabase } from '../support/postgres.js';
import { onDatabase } from '../support/stage.js';

/** Found nowhere by chance; lower case and without signs, so that no encoding of text hides it. */
const canary = (what: string): string => `canary${what}${randomBytes(8).toString('hex')}`;
const CANARIES = {
  prompt: canary('prompt'),
  system: canary('system'),
  toolName: canary('toolname'),
  toolText: canary('tooltext'),
  toolResult: canary('toolresult'),
  image: canary('image'),
  schema: canary('schema'),
  user: canary('user'),
  metadata: canary('metadata'),
  unknownMember: canary('unknownmember'),
  badHeader: canary('badheader'),
  badJson: canary('badjson'),
  badKey: `sk-custos-${canary('badkey')}`,
  oversized: canary('oversized'),
  path: canary('path'),
  query: canary('query'),
} as const;

const TOOLS = [
  {
    type: 'function',
    function: {
      name: CANARIES.toolName,
      description: CANARIES.toolText,
      parameters: { type: 'object', properties: { [CANARIES.schema]: { type: 'string' } } },
    },
  },
];
const FULL = {
  messages: [
    { role: 'system', content: CANARIES.system },
    { role: 'user', content: [{ type: 'text', text: `Echo: ${CANARIES.prompt}` }] },
    {
      role: 'assistant',
      content: null,
      tool_calls: [
        {
          id: 'call_1',
          type: 'function',
          function: {
            name: CANARIES.toolName,
            arguments: `{"${CANARIES.schema}":"${CANARIES.toolResult}"}`,
          },
        },
      ],
    },
    { role: 'tool', tool_call_id: 'call_1', content: CANARIES.toolResult },
    { role: 'user', content: `Echo: ${CANARIES.prompt} ${CANARIES.prompt}` },
  ],
  tools: TOOLS,
  user: CANARIES.user,
  metadata: { note: CANARIES.metadata },
};
const IMAGE = {
  messages: [
    {
      role: 'user',
      content: [
        { type: 'text', text: CANARIES.prompt },
        { type: 'image_url', image_url: { url: `data:image/png;base64,${CANARIES.image}` } },
      ],
    },
  ],
};

describe('content stays out', () => {
  let database: FreshDatabase;
  let gateway: AppProcess;
  let keys: Bootstrap & { readonly metricsUrl: string };
  let caller: Caller;
  let dataDir: string;
  /** Error bodies and heads that the gateway answered with. */
  const refusals: string[] = [];
  const statuses = new Map<number, number>();

  beforeAll(async () => {
    database = await freshDatabase();
    dataDir = mkdtempSync(join(runDirectory(), 'canaries-'));
    const [port] = await portsToKeep(1);
    gateway = AppProcess.launch('standalone', port!, {
      ...onDatabase(database),
      CUSTOS_DATA_DIR: dataDir,
      CUSTOS_PROVIDERS: 'simulated',
      CUSTOS_LOG_LEVEL: 'debug',
      CUSTOS_FIRST_CONTENT_TIMEOUT: '500ms',
      CUSTOS_BODY_BYTES_MAX: '200000',
    });
    await gateway.ready();
    const path = join(dataDir, 'bootstrap.json');
    keys = JSON.parse(readFileSync(path, 'utf8')) as typeof keys;
    caller = { v1: `${gateway.url}/v1`, apiKey: keys.apiKey };
    await tryEverything();
  }, 120_000);
  afterAll(async () => {
    await gateway?.stop();
    await database?.drop();
  });

  const fault = (what: object | undefined): Promise<Response> =>
    fetch(`${keys.simulatorUrl}/__sim/faults`, {
      method: what === undefined ? 'DELETE' : 'PUT',
      ...(what === undefined
        ? {}
        : {
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ endpoint: '*', ...what }),
          }),
    });

  async function ask(asked: Asked, from: Caller = caller): Promise<void> {
    const answer = await completeOrNothing(from, asked);
    if (answer === undefined) return;
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    const heads = JSON.stringify([...answer.headers]);
    refusals.push(answer.status === 200 ? heads : heads + answer.raw);
    if (answer.error !== undefined) refusals.push(JSON.stringify(answer.error));
  }

  async function tryEverything(): Promise<void> {
    const both = async (asked: Asked, from?: Caller): Promise<void> => {
      for (const stream of [true, false]) await ask({ ...asked, stream }, from);
    };
    await both({ more: FULL });
    await both({ more: IMAGE });
    await both({
      more: { ...FULL, tool_choice: { type: 'function', function: { name: CANARIES.toolName } } },
    });
    for (const failure of [
      { status: 500 },
      { status: 429 },
      { status: 400 },
      { reset: true },
      { malformed: true },
      { hang: true },
      { dieAfterChunks: 1 },
    ]) {
      await fault(failure);
      await both({ more: FULL });
    }
    await fault({ chunks: 200, chunkIntervalMs: 10 });
    for (let i = 0; i < 4; i += 1)
      await ask({ more: FULL, stream: true, signal: AbortSignal.timeout(100 + i * 50) });
    await fault(undefined);
    // Refused: by policy, by shape, by size, by key, by header, by model.
    await both({ more: FULL, headers: { 'x-custos-data-class': 'secret' } });
    await both({ more: { ...FULL, provider: { [CANARIES.unknownMember]: true } } });
    await both({ more: { ...FULL, messages: [{ role: CANARIES.prompt, content: 7 }] } });
    await both({ more: { ...FULL, temperature: CANARIES.prompt } });
    await both({ more: { ...FULL, response_format: { type: CANARIES.schema } } });
    await both({
      more: { messages: [{ role: 'user', content: CANARIES.oversized.repeat(20_000) }] },
    });
    await both({ more: FULL }, { ...caller, apiKey: CANARIES.badKey });
    for (const name of ['x-custos-data-class', 'x-custos-strategy'])
      await both({ more: FULL, headers: { [name]: CANARIES.badHeader } });
    await both({
      more: FULL,
      headers: { 'x-custos-purpose': `${CANARIES.badHeader} with a space` },
    });
    for (const body of [
      `{"model":"${CANARIES.badJson}"`,
      CANARIES.badJson,
      `{"messages":"${CANARIES.badJson}"}`,
    ])
      await raw(`${caller.v1}/chat/completions`, { method: 'POST', body });
    await raw(`${gateway.url}/${CANARIES.path}?q=${CANARIES.query}`, {});
    await raw(`${caller.v1}/generation?id=${CANARIES.query}`, {});
    await raw(`${gateway.url}/policy/v1/evaluate`, {
      method: 'POST',
      body: `{"${CANARIES.badJson}":1}`,
    });
  }

  async function raw(url: string, init: RequestInit): Promise<void> {
    const response = await fetch(url, {
      ...init,
      headers: {
        authorization: `Bearer ${caller.apiKey}`,
        ...(init.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
    });
    statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
    refusals.push(JSON.stringify([...response.headers]) + (await response.text()));
  }

  /** What must be found nowhere: the canaries, and the secrets of the real keys. */
  const forbidden = (): readonly (readonly [string, string])[] => [
    ...Object.entries(CANARIES),
    ...(['apiKey', 'adminKey', 'approverKey', 'auditorKey'] as const).map(
      (name) => [name, keys[name]] as const,
    ),
  ];
  const found = (text: string): readonly string[] => {
    const lower = text.toLowerCase();
    return forbidden().flatMap(([name, secret]) => {
      const hex = Buffer.from(secret, 'utf8').toString('hex');
      const base64 = Buffer.from(secret, 'utf8').toString('base64').replace(/=+$/, '');
      return lower.includes(secret.toLowerCase()) || lower.includes(hex) || text.includes(base64)
        ? [name]
        : [];
    });
  };

  it('the requests went every way there is', () => {
    expect([...statuses.keys()].toSorted((a, b) => a - b)).toEqual(
      expect.arrayContaining([200, 400, 401, 404, 413, 429, 502, 524]),
    );
  });

  it('not in the log lines, at level debug', () => {
    expect(gateway.output).toContain('"level":"debug"');
    // The keys are shown to the operator on stdout, once, and that is all.
    const shown = /api key {6}\S+\n.*admin key .*\n.*auditor key .*\n/;
    const lines = gateway.output.replace(shown, '').replace(/curl [^\n]*\n/, '');
    expect(found(lines)).toEqual([]);
  });

  it('not in metrics', async () => {
    const text = await (await fetch(keys.metricsUrl)).text();
    expect(text).toContain('custos');
    expect(found(text)).toEqual([]);
  });

  it('not in answers to refused and failed requests', () => {
    // The one thing that is named back to its own sender, so that the mistake can be found.
    const text = refusals.join('\n').replaceAll(`provider.${CANARIES.unknownMember}`, '');
    expect(refusals.length).toBeGreaterThan(40);
    expect(found(text)).toEqual([]);
  });

  it('not in any column of any table of PostgreSQL', async () => {
    const client = new pg.Client({ connectionString: database.superuserUrl });
    await client.connect();
    try {
      await eventually(async () => {
        const { rows } = await client.query<{ open: number }>(
          "select count(*)::int as open from ledger.generation where status = 'open'",
        );
        return rows[0]!.open === 0 ? true : undefined;
      });
      const { rows: tables } = await client.query<{ name: string }>(
        `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
         where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`,
      );
      expect(tables.length).toBeGreaterThan(15);
      const faults: string[] = [];
      let rowsSeen = 0;
      for (const { name } of tables) {
        // As text bytea is hex: the records are read as what they say.
        const bytes = await byteColumns(client, name);
        const { rows } = await client.query<{ text: string }>(
          `select t::text ${bytes.map((c) => `|| ' ' || coalesce(encode(${c}, 'escape'), '')`).join(' ')} as text from ${name} t`,
        );
        rowsSeen += rows.length;
        for (const { text } of rows) faults.push(...found(text).map((what) => `${name}: ${what}`));
      }
      expect(rowsSeen).toBeGreaterThan(100);
      expect(faults).toEqual([]);
    } finally {
      await client.end();
    }
  });

  it('not in any file of the data directory but bootstrap.json', () => {
    const faults: string[] = [];
    for (const path of filesOf(dataDir)) {
      const names = found(readFileSync(path, 'latin1'));
      if (!path.endsWith('/bootstrap.json'))
        faults.push(...names.map((name) => `${path}: ${name}`));
      else expect(names).toContain('apiKey');
    }
    expect(faults).toEqual([]);
    expect(statSync(join(dataDir, 'bootstrap.json')).mode & 0o777).toBe(0o600);
  });

  it('not in trails and account answers', async () => {
    const texts: string[] = [];
    for (const [path, key] of [
      ['/audit/v1/trails?limit=200', keys.auditorKey],
      ['/admin/v1/keys', keys.adminKey],
      ['/api/v1/key', keys.apiKey],
    ] as const) {
      const response = await fetch(`${gateway.url}${path}`, {
        headers: { authorization: `Bearer ${key}` },
      });
      expect(response.status).toBe(200);
      texts.push(await response.text());
    }
    expect(texts[0]!.length).toBeGreaterThan(10_000);
    expect(texts.flatMap(found)).toEqual([]);
  });

  it('and the search finds what is there', () => {
    expect(found(`x${CANARIES.prompt.toUpperCase()}x`)).toEqual(['prompt']);
    expect(found(Buffer.from(CANARIES.system).toString('hex'))).toEqual(['system']);
  });
});

async function byteColumns(client: pg.Client, table: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select quote_ident(attname) as name from pg_attribute
     where attrelid = $1::regclass and atttypid = 'bytea'::regtype and attnum > 0 and not attisdropped`,
    [table],
  );
  return rows.map(({ name }) => name);
}

function* filesOf(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesOf(path);
    else if (entry.isFile()) yield path;
  }
}
