import { createServer, type Server } from 'node:http';
import {
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { addSignatures, cosign, generateKey, parseNote, parseSignerKey } from '#libs/transparency';
import { checkpointOf, stageExport } from '../../../../test/support/export-stage.js';
import { newLogKey } from '../../../../test/support/memory-log.js';
import type { Report } from './report.js';
import { runVerify } from './verify.js';

const SIZE = 700;
const AUDITOR_KEY = 'auditor-secret';
const leaves = Array.from({ length: SIZE }, (_, i) => Buffer.from(`entry ${i}`));
const fork = leaves.with(3, Buffer.from('another story'));
const key = newLogKey();

let folder: string;
let said: string;
let server: Server | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'custos-verify-checkpoints-'));
  stageExport(join(folder, 'log'), { key, leaves });
  for (const stream of [process.stdout, process.stderr])
    jest.spyOn(stream, 'write').mockImplementation((text) => {
      said += String(text);
      return true;
    });
});
afterEach(async () => {
  jest.restoreAllMocks();
  server?.close();
  server?.closeAllConnections();
  if (server) await once(server, 'close');
  server = undefined;
  rmSync(folder, { recursive: true });
});

async function verify(...args: string[]): Promise<Report & { code: number }> {
  said = '';
  const code = await runVerify([...args, '--json']);
  return { code, ...(JSON.parse(said) as Report) };
}

function kept(name: string, note: string): string {
  writeFileSync(join(folder, name), note);
  return join(folder, name);
}

/** The folder as a read API: entries for auditors only. */
async function serve(): Promise<string> {
  const started = createServer((request, response) => {
    const path = join(folder, request.url ?? '');
    const isEntries = request.url?.includes('/tile/entries/') ?? false;
    if (isEntries && request.headers.authorization !== `Bearer ${AUDITOR_KEY}`)
      return response.writeHead(401).end();
    if (!existsSync(path) || !statSync(path).isFile()) return response.writeHead(404).end();
    return createReadStream(path).pipe(response);
  });
  server = started;
  started.listen(0, '127.0.0.1');
  await once(started, 'listening');
  return `http://127.0.0.1:${(started.address() as AddressInfo).port}/log`;
}

describe('custos verify consistency', () => {
  const consistency = (a: string, b: string, ...more: string[]) =>
    verify('consistency', a, b, '--key', key.verifierKey, ...more);

  it.each([0, 1, 255, 256, 512, 699, SIZE])('holds from %d leaves on', async (size) => {
    const a = kept('a', checkpointOf(leaves, key, size));
    expect(await consistency(a, join(folder, 'log'))).toMatchObject({ code: 0 });
    expect(await consistency(join(folder, 'log'), a)).toMatchObject({ code: 0 });
    expect(await consistency(a, join(folder, 'log', 'checkpoint'))).toMatchObject({ code: 0 });
    const tiles = join(folder, 'log');
    const b = kept('b', checkpointOf(leaves, key));
    expect(await consistency(a, b, '--tiles', tiles)).toMatchObject({ code: 0 });
  });

  it.each([4, 256, 600, SIZE])('names two histories: a fork of %d leaves', async (size) => {
    const a = kept('a', checkpointOf(fork, key, size));
    expect(await consistency(a, join(folder, 'log'))).toMatchObject({
      code: 1,
      reason: 'equivocated',
    });
  });

  it('names two histories, at whatever size the other one was signed', async () => {
    const parted = leaves.with(0, Buffer.from('another story'));
    const b = join(folder, 'log');
    for (let size = 1; size <= SIZE; size += size < 20 ? 1 : 17) {
      const a = kept('a', checkpointOf(parted, key, size));
      expect(await consistency(a, b)).toMatchObject({ code: 1, reason: 'equivocated' });
      expect(await consistency(b, a)).toMatchObject({ code: 1, reason: 'equivocated' });
      const last = leaves.slice(0, size).with(size - 1, Buffer.from('another end'));
      const end = kept('end', checkpointOf(last, key));
      expect(await consistency(end, b)).toMatchObject({ code: 1, reason: 'equivocated' });
    }
  });

  it('names what it lacks', async () => {
    const [a, b] = [kept('a', checkpointOf(leaves, key, 5)), kept('b', checkpointOf(leaves, key))];
    expect(await consistency(a, b)).toMatchObject({ code: 1, reason: 'incomplete' });
    // Tiles of another tree prove nothing, either way.
    stageExport(join(folder, 'fork'), { key, leaves: fork });
    const tiles = ['--tiles', join(folder, 'fork')] as const;
    expect(await consistency(a, b, ...tiles)).toMatchObject({ code: 1, reason: 'incomplete' });
    const unsigned = kept('c', checkpointOf(leaves, newLogKey(key.origin), 5));
    expect(await consistency(unsigned, b)).toMatchObject({ code: 1, reason: 'unsigned' });
  });

  it('never calls a broken tile a fork', async () => {
    const a = kept('a', checkpointOf(leaves, key, 300));
    writeFileSync(join(folder, 'log/tile/0/001'), Buffer.alloc(8192, 7));
    expect(await consistency(a, join(folder, 'log'))).toMatchObject({
      code: 1,
      reason: 'altered',
      place: { file: 'tile/0/001' },
    });
  });
});

describe('custos verify witness', () => {
  const witnesses = ['one', 'two', 'three'].map((name) => ({
    name,
    ...generateKey(`${name}.example/witness`, 'cosignature'),
  }));
  const policyText = [
    `log ${key.verifierKey}`,
    ...witnesses.map(({ name, verifierKey }) => `witness ${name} ${verifierKey}`),
    'group most 2 one two three',
    'quorum most',
    '',
  ].join('\n');
  const cosigned = (...names: string[]): string => {
    const note = checkpointOf(leaves, key);
    const chosen = witnesses.filter(({ name }) => names.includes(name));
    const lines = chosen.map(({ signerKey }) =>
      cosign(parseNote(note).body, parseSignerKey(signerKey), 1_795_000_000n),
    );
    return lines.length === 0 ? note : addSignatures(note, lines);
  };

  it('asks for the quorum of the policy', async () => {
    const policy = kept('policy', policyText);
    const quorum = (note: string) => verify('witness', kept('note', note), '--policy', policy);
    expect(await quorum(cosigned('one', 'three'))).toMatchObject({
      code: 0,
      checked: { quorum: 'most', size: String(SIZE) },
    });
    expect(await quorum(cosigned('two'))).toMatchObject({ code: 1, reason: 'unsigned' });
    expect(await quorum(cosigned())).toMatchObject({ code: 1, reason: 'unsigned' });
    const other = checkpointOf(leaves, newLogKey(key.origin));
    expect(await quorum(other)).toMatchObject({ code: 1, reason: 'unsigned' });
  });

  it('reads the checkpoint of an export', async () => {
    const policy = kept('policy', `log ${key.verifierKey}\nquorum none\n`);
    expect(await verify('witness', join(folder, 'log'), '--policy', policy)).toMatchObject({
      code: 0,
      checked: { cosignatures: 'none' },
    });
  });

  it('takes the policy of an export for what it is', async () => {
    const own = () => verify('witness', join(folder, 'log'), '--key', key.verifierKey);
    const report = await own();
    expect(report).toMatchObject({ code: 0 });
    expect(report.notCovered.join()).toContain('the policy is the log’s own');
    writeFileSync(join(folder, 'log/policy'), policyText);
    expect(await own()).toMatchObject({ code: 1, reason: 'unsigned' });
    writeFileSync(join(folder, 'log/policy'), `log ${newLogKey().verifierKey}\nquorum none\n`);
    expect(await own()).toMatchObject({ code: 1, reason: 'altered', place: { file: 'policy' } });
  });

  it('knows bad usage', async () => {
    expect(await runVerify(['witness', join(folder, 'log')])).toBe(2);
    const policy = kept('policy', 'quorum everyone\n');
    expect(await runVerify(['witness', join(folder, 'log'), '--policy', policy])).toBe(2);
  });
});

describe('custos verify over HTTP', () => {
  it('reads a running log, its entries with the auditor’s key', async () => {
    const url = await serve();
    const log = ['log', url, '--key', key.verifierKey];
    expect(await verify(...log, '--auditor-key', AUDITOR_KEY)).toMatchObject({
      code: 0,
      checked: { size: SIZE, entries: SIZE },
    });
    const open = await verify(...log);
    expect(open).toMatchObject({ code: 0, checked: { size: SIZE, entries: 0 } });
    expect(open.notCovered.join()).toContain('--auditor-key');
    expect(await verify('writers', url)).toMatchObject({ code: 1, reason: 'incomplete' });
  });

  it('does not hide that a second root under a time stamp is not looked for at a URL', async () => {
    mkdirSync(join(folder, 'log/time-stamps'));
    kept('log/time-stamps/300.note', checkpointOf(fork, key, 300));
    const log = (input: string) =>
      verify('log', input, '--key', key.verifierKey, '--auditor-key', AUDITOR_KEY);
    expect(await log(join(folder, 'log'))).toMatchObject({ code: 1, reason: 'equivocated' });
    const { code, notCovered } = await log(await serve());
    expect(code).toBe(0);
    expect(notCovered).toContain('time stamps: a URL cannot be listed');
  });

  it('does not hide that files beside the tree are not looked for at a URL', async () => {
    kept('log/tile/x', 'x');
    const log = (input: string) =>
      verify('log', input, '--key', key.verifierKey, '--auditor-key', AUDITOR_KEY);
    expect(await log(join(folder, 'log'))).toMatchObject({ code: 1, reason: 'altered' });
    const { code, notCovered } = await log(await serve());
    expect(code).toBe(0);
    expect(notCovered).toContain('files beside the tree: a URL cannot be listed');
  });

  it('reads the keys from files', async () => {
    const url = await serve();
    const bootstrap = kept('bootstrap.json', JSON.stringify({ logVerifierKey: key.verifierKey }));
    const secret = `@${kept('auditor-key', `${AUDITOR_KEY}\n`)}`;
    const report = await verify('log', url, '--key', bootstrap, '--auditor-key', secret);
    expect(report).toMatchObject({ code: 0, checked: { entries: SIZE } });
  });

  it('compares a kept checkpoint with the running log', async () => {
    const url = await serve();
    const checked = (note: string) =>
      verify('consistency', kept('a', note), url, '--key', key.verifierKey);
    expect(await checked(checkpointOf(leaves, key, 100))).toMatchObject({ code: 0 });
    expect(await checked(checkpointOf(fork, key, 100))).toMatchObject({ reason: 'equivocated' });
    const a = kept('a', checkpointOf(leaves, key, 300));
    const byName = ['consistency', a, `${url}/checkpoint`, '--key', key.verifierKey] as const;
    expect(await verify(...byName)).toMatchObject({ code: 0 });
  });
});
