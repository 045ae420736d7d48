// The content vault from end to end: who asked for it has content kept, as ciphertext alone; it is read and erased by two
// persons; a process that ends in between leaves nothing half done.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openItem, readVaultKey } from '#libs/vault';
import { portsToKeep } from '#libs/platform';
import { AppProcess } from '../support/app-process.js';
import { complete, type Answered, type Asked } from '../support/completions.js';
import { eventually, type Bootstrap } from '../support/gateway.js';
import { freshDatabase, runDirectory, type FreshDatabase } from '../support/postgres.js';
import { onDatabase } from '../support/stage.js';

const canary = (what: string): string => `canary${what}${randomBytes(8).toString('hex')}`;
const CANARIES = {
  prompt: canary('prompt'),
  before: canary('before'),
  stranger: canary('stranger'),
  subject: canary('subject'),
  user: canary('user'),
} as const;

interface Item {
  readonly part: 'request' | 'response';
  readonly organisation_id: string;
  readonly subject_key_id: string;
  readonly sealed: Buffer | null;
  readonly recorded_in: string | null;
}

describe('the content vault', () => {
  let database: FreshDatabase;
  let gateway: AppProcess;
  let keys: Bootstrap & { readonly metricsUrl: string };
  let dataDir: string;
  let pool: pg.Pool;
  /** Of an organisation that did not ask for it. */
  let strangersKey: string;

  beforeAll(async () => {
    database = await freshDatabase();
    dataDir = mkdtempSync(join(runDirectory(), 'vault-'));
    const [port] = await portsToKeep(1);
    gateway = AppProcess.launch('standalone', port!, {
      ...onDatabase(database),
      CUSTOS_DATA_DIR: dataDir,
      CUSTOS_PROVIDERS: 'simulated',
      CUSTOS_LOG_LEVEL: 'debug',
      CUSTOS_VAULT_DATABASE_URL: 'embedded',
    });
    await gateway.ready();
    keys = JSON.parse(readFileSync(join(dataDir, 'bootstrap.json'), 'utf8')) as typeof keys;
    pool = new pg.Pool({ connectionString: database.superuserUrl, max: 2 });
    pool.on('error', () => undefined);
    strangersKey = await makeStranger();
  }, 180_000);
  afterAll(async () => {
    await gateway?.stop();
    await pool?.end();
    await database?.drop();
  }, 60_000);

  const sql = async <Row extends object>(text: string, values: readonly unknown[] = []) =>
    (await pool.query<Row>(text, [...values])).rows;

  async function administer(
    method: string,
    path: string,
    body?: unknown,
    key: string = keys.adminKey,
  ): Promise<{ status: number; body: Record<string, unknown> }> {
    const response = await fetch(`${gateway.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  async function makeStranger(): Promise<string> {
    const organisation = { name: 'Another', jurisdiction: 'EEA' };
    const { body: org } = await administer('POST', '/admin/v1/organizations', organisation);
    const { body: ws } = await administer('POST', '/admin/v1/workspaces', {
      organizationId: org['id'],
      name: 'Another',
    });
    const { body: key } = await administer('POST', '/admin/v1/keys', {
      workspaceId: ws['id'],
      label: 'another',
    });
    return String(key['secret']);
  }

  const keepFor = (contentVault: object) =>
    administer('PUT', '/admin/v1/organizations/org-default/content-vault', contentVault);

  async function ask(asked: Asked, apiKey: string = keys.apiKey): Promise<Answered> {
    const answer = await complete({ v1: `${gateway.url}/v1`, apiKey }, asked);
    expect(answer.status).toBe(200);
    return answer;
  }

  const itemsOf = (id: string | undefined): Promise<Item[]> =>
    sql<Item>('select * from vault.item where generation_id = $1 order by part', [id]);

  /** Once it is stored, and in the log. */
  const kept = (id: string | undefined): Promise<Item[]> =>
    eventually(async () => {
      const items = await itemsOf(id);
      return items.length === 2 && items.every((i) => i.recorded_in !== null) ? items : undefined;
    });

  async function proposeErasure(subject: string) {
    const { body } = await administer('POST', '/admin/v1/erasures', {
      organizationId: 'org-default',
      subject,
      reason: 'the subject asked for it',
    });
    return body as { id: string; subjectKeyId: string };
  }

  const approve = (path: string) =>
    administer('POST', `/admin/v1/${path}/approve`, undefined, keys.approverKey);

  async function read(generationId: string | undefined) {
    const why = { generationId, reason: 'a complaint is looked into' };
    const { body } = await administer('POST', '/admin/v1/content-readings', why);
    await approve(`content-readings/${String(body['id'])}`);
    return administer('GET', `/admin/v1/content-readings/${String(body['id'])}/content`);
  }

  it('keeps nothing before an organisation asks for it, and of nobody who does not', async () => {
    await ask({ content: `Echo: ${CANARIES.before}` });
    expect((await keepFor({ enabled: true, keepDays: 30 })).status).toBe(200);
    await ask({ content: `Echo: ${CANARIES.stranger}` }, strangersKey);
    const { generationId } = await ask({ content: `Echo: ${CANARIES.prompt}` });
    const items = await kept(generationId);
    expect(items.map((i) => i.organisation_id)).toEqual(['org-default', 'org-default']);
    expect(await sql('select distinct generation_id from vault.item')).toEqual([
      { generation_id: generationId },
    ]);
  }, 120_000);

  it('gives back what was sent and what was answered, to two persons, and the receipt names its digest', async () => {
    for (const stream of [false, true]) {
      const headers = { 'x-custos-subject': CANARIES.subject };
      const asked = { content: `Echo: ${CANARIES.prompt} é`, stream, headers };
      const { generationId, raw } = await ask(asked);
      const items = await kept(generationId);
      const { status, body } = await read(generationId);
      expect(status).toBe(200);
      const parts = body['parts'] as Record<Item['part'], { content: string; digest: string }>;
      expect(JSON.parse(parts.request.content)).toMatchObject({
        stream,
        messages: [{ role: 'user', content: asked.content }],
      });
      expect(parts.response.content).toBe(raw);
      const digests = items.map(
        ({ sealed }) => `sha256:${createHash('sha256').update(sealed!).digest('hex')}`,
      );
      expect([parts.request.digest, parts.response.digest]).toEqual(digests);

      const events = await eventually(async () => {
        const answer = await administer(
          'GET',
          `/audit/v1/receipts/${generationId}`,
          undefined,
          keys.auditorKey,
        );
        if (answer.status !== 200) return undefined;
        const said = (answer.body['events'] as { bytes: string }[]).map(
          ({ bytes }) => JSON.parse(Buffer.from(bytes, 'base64').toString('utf8')) as Said,
        );
        return said.some((e) => e.type === 'custos.content.read.v1') ? said : undefined;
      });
      const said = events.find((e) => e.type === 'custos.content.kept.v1');
      expect(said?.data.parts?.map((p) => p.digest)).toEqual(digests);
      expect(said?.data.subjectKeyId).toBe(items[0]!.subject_key_id);
    }
  }, 180_000);

  it('holds one key for each subject: by header, by the body’s word, by the calling key', async () => {
    const header = { 'x-custos-subject': CANARIES.subject };
    const ids = [
      await ask({ headers: header }),
      await ask({ more: { user: CANARIES.subject } }),
      await ask({ more: { safety_identifier: CANARIES.user, user: 'other' } }),
      await ask({}),
    ].map((answer) => answer.generationId);
    const subjects: (string | undefined)[] = [];
    for (const id of ids) subjects.push((await kept(id))[0]?.subject_key_id);
    expect(subjects[0]).toBe(subjects[1]);
    expect(new Set(subjects).size).toBe(3);
    const refused = await complete(
      { v1: `${gateway.url}/v1`, apiKey: keys.apiKey },
      { headers: { 'x-custos-subject': 'a, b' } },
    );
    expect([refused.status, refused.error?.metadata.custos_code]).toEqual([400, 'invalid_header']);
  }, 120_000);

  it('shows no word of content and no subject in any table, log line, metric or file', async () => {
    const found = (text: string): readonly string[] => {
      const lower = text.toLowerCase();
      return Object.entries(CANARIES).flatMap(([name, secret]) => {
        const hex = Buffer.from(secret, 'utf8').toString('hex');
        const base64 = Buffer.from(secret, 'utf8').toString('base64').replace(/=+$/, '');
        return lower.includes(secret) || lower.includes(hex) || text.includes(base64) ? [name] : [];
      });
    };
    const tables = await sql<{ name: string; bytes: string[] }>(
      `select format('%I.%I', n.nspname, c.relname) as name, array(
         select quote_ident(attname)::text from pg_attribute
         where attrelid = c.oid and atttypid = 'bytea'::regtype and attnum > 0 and not attisdropped) as bytes
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema')`,
    );
    expect(tables.map((t) => t.name)).toEqual(
      expect.arrayContaining(['vault.item', 'control.erasure']),
    );
    const faults: string[] = [];
    for (const { name, bytes } of tables) {
      const columns = bytes.map((c) => `|| ' ' || coalesce(encode(${c}, 'escape'), '')`).join(' ');
      for (const { text } of await sql<{ text: string }>(
        `select t::text ${columns} as text from ${name} t`,
      ))
        faults.push(...found(text).map((what) => `${name}: ${what}`));
    }
    expect(faults).toEqual([]);
    expect(gateway.output).toContain('"level":"debug"');
    expect(found(gateway.output)).toEqual([]);
    expect(found(await (await fetch(keys.metricsUrl)).text())).toEqual([]);
    const files = readdirSync(dataDir, { withFileTypes: true }).filter((entry) => entry.isFile());
    for (const { name } of files)
      expect(found(readFileSync(join(dataDir, name), 'latin1'))).toEqual([]);
    expect(statSync(join(dataDir, 'vault.key')).mode & 0o777).toBe(0o600);
  });

  it('erases a subject: not with a copy of the ciphertext, the database and the master key does it open again', async () => {
    const { generationId } = await ask({ headers: { 'x-custos-subject': CANARIES.subject } });
    const other = await ask({ headers: { 'x-custos-subject': CANARIES.user } });
    const copy = await kept(generationId);
    const master = readVaultKey({ CUSTOS_VAULT_KEY_FILE: join(dataDir, 'vault.key') });
    /** With whatever keys the database has now. */
    const opens = async (): Promise<number> => {
      const there = await sql<{ id: string; organisation_id: string; wrapped: Buffer }>(
        'select * from vault.subject_key where wrapped is not null',
      );
      return copy.filter(({ part, sealed }) =>
        there.some(({ id: subjectKeyId, organisation_id: organisationId, wrapped }) => {
          const dataKey = master.unwrapSubjectKey(wrapped, organisationId, subjectKeyId);
          const names = { organisationId, subjectKeyId, generationId: generationId!, part };
          return openItem(dataKey, names, sealed!) !== undefined;
        }),
      ).length;
    };
    expect(await opens()).toBe(2);
    const { id, subjectKeyId } = await proposeErasure(CANARIES.subject);
    expect(subjectKeyId).toBe(copy[0]!.subject_key_id);
    expect((await approve(`erasures/${id}`)).body).toMatchObject({ erasure: 'executed' });
    expect(await opens()).toBe(0);
    const gone = await administer('GET', `/admin/v1/contents/${generationId}`);
    expect([gone.status, codeOf(gone.body)]).toEqual([410, 'content_erased']);
    // Its ciphertext goes after it; others keep theirs.
    await eventually(async () =>
      (await itemsOf(generationId)).every((i) => i.sealed === null) ? true : undefined,
    );
    await kept(other.generationId);
    expect((await read(other.generationId)).status).toBe(200);
    // Whoever was erased may come again, as somebody new; seconds after, clocks do not tell what came before.
    const anew = await eventually(async () => {
      const again = await ask({ headers: { 'x-custos-subject': CANARIES.subject } });
      await eventually(async () => {
        const said = await sql(
          `select from ledger.leaf where generation_id = $1 and type like 'custos.content.%'`,
          [again.generationId],
        );
        return said.length > 0 ? true : undefined;
      });
      return (await itemsOf(again.generationId))[0]?.subject_key_id;
    });
    expect(anew).not.toBe(subjectKeyId);
  }, 180_000);

  it('destroys after a crash what was recorded before it, once', async () => {
    await ask({ headers: { 'x-custos-subject': CANARIES.subject } }).then((a) =>
      kept(a.generationId),
    );
    const { id, subjectKeyId } = await proposeErasure(CANARIES.subject);
    await sql('alter function vault.erase_key rename to erase_key_away');
    expect((await approve(`erasures/${id}`)).body).toMatchObject({ erasure: 'approved' });
    await gateway.kill9();
    await sql('alter function vault.erase_key_away rename to erase_key');
    const isThere = async () =>
      (
        await sql('select from vault.subject_key where id = $1 and wrapped is not null', [
          subjectKeyId,
        ])
      ).length === 1;
    expect(await isThere()).toBe(true);
    gateway.launch();
    await gateway.ready();
    await eventually(async () => ((await isThere()) ? undefined : true));
    const records = await sql(
      `select from ledger.leaf l join ledger.entry e using (leaf_index)
       where l.type = 'custos.erasure.executed.v1' and convert_from(e.bytes, 'UTF8') like '%' || $1 || '%'`,
      [id],
    );
    expect(records).toHaveLength(1);
    const [erasure] = await sql('select status from control.erasure where id = $1', [id]);
    expect(erasure).toEqual({ status: 'executed' });
  }, 240_000);

  it('keeps nothing any more once the organisation has had enough', async () => {
    expect((await keepFor({ enabled: false })).status).toBe(200);
    const { generationId } = await ask({});
    await keepFor({ enabled: true, keepDays: 1 });
    await kept((await ask({})).generationId);
    expect(await itemsOf(generationId)).toEqual([]);
  }, 120_000);
});

interface Said {
  readonly type: string;
  readonly data: {
    readonly subjectKeyId?: string;
    readonly parts?: readonly { readonly digest: string }[];
  };
}

const codeOf = (body: Record<string, unknown>): unknown =>
  (body['error'] as { metadata: { custos_code: string } }).metadata.custos_code;
