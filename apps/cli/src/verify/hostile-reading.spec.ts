// Whoever hands over an export, or answers at a URL, wants to be believed, or wants the verifier not to come to an end.
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  encodeEntryBundle,
  formatCheckpoint,
  nodeHash,
  parseSignerKey,
  parseVerifierKey,
  signNote,
} from '#libs/transparency';
import { journalsOf, stageExport } from '../../../../test/support/export-stage.js';
import { newLogKey } from '../../../../test/support/memory-log.js';
import { JournalMatch } from './books/match-journals.js';
import { PriceBookShelf } from './books/price-books.js';
import { LEDGER } from './books/verify-ledger.js';
import { LOG } from './log/verify-log.js';
import { walkLog } from './log/walk-log.js';
import { Findings, reportText, type Report } from './report.js';
import { DirectorySource } from './source/directory-source.js';
import { SourceFault, type ExportSource } from './source/export-source.js';
import { jsonLines } from './source/json-lines.js';
import { UrlSource } from './source/url-source.js';
import { Wait } from './source/wait.js';
import { BOOKS, honestDay } from './verify-stage.spec-support.js';
import { runVerify, verify } from './verify.js';

const key = newLogKey();
const verifier = parseVerifierKey(key.verifierKey);
const { leaves, ids } = honestDay(12);

let folder: string;
let server: Server | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'custos-hostile-reading-'));
  stageExport(folder, { key, leaves, priceBooks: BOOKS, history: [3] });
});
afterEach(async () => {
  server?.close();
  server?.closeAllConnections();
  if (server) await once(server, 'close');
  server = undefined;
  rmSync(folder, { recursive: true });
});

const run = (name: 'log' | 'ledger', input = folder) =>
  verify(name, name === 'log' ? LOG : LEDGER, {
    inputs: [input],
    json: true,
    key: verifier,
    silenceMs: 0,
  });

const edit = (file: string, change: (text: string) => string): void =>
  writeFileSync(join(folder, file), change(readFileSync(join(folder, file), 'utf8')));

async function serve(
  answer: (path: string, response: ServerResponse, request: IncomingMessage) => void,
): Promise<string> {
  const started = createServer((request, response) =>
    answer(request.url?.slice(1) ?? '', response, request),
  );
  server = started;
  started.listen(0, '127.0.0.1');
  await once(started, 'listening');
  return `http://127.0.0.1:${(started.address() as AddressInfo).port}`;
}

/** The export in the folder. */
function honestAnswer(path: string, response: ServerResponse): void {
  try {
    response.end(readFileSync(join(folder, path)));
  } catch {
    response.writeHead(404).end();
  }
}

/** An export in memory that answers whatever it likes. */
const sourceOf = (answer: (path: string) => Buffer | undefined): ExportSource => ({
  name: 'hostile',
  readAhead: 4,
  read: async (path) => answer(path),
  stream: async () => undefined,
});

describe('JSON that two readers read in two ways', () => {
  it.each(['manifest.json', 'checkpoints.jsonl', 'ledger/journals.jsonl'])(
    'is no JSON: a member is there twice in %s',
    async (file) => {
      // What comes last is what we would take, and it is the truth.
      edit(file, (text) =>
        text.replace('{', `{${file === 'ledger/journals.jsonl' ? '"id":"7",' : '"size":"7",'}`),
      );
      expect(await run('ledger')).toMatchObject({ holds: false, place: { file } });
    },
  );

  it('is no JSON: a size as a number', async () => {
    edit('manifest.json', (text) => text.replace(/"size":"(\d+)"/, '"size":$1'));
    expect(await run('log')).toMatchObject({ reason: 'altered', place: { file: 'manifest.json' } });
  });

  it.each([
    '{"a":{"b":1,"b":1}}',
    '{"a":1,"\\u0061":1}',
    '{"__proto__":1,"__proto__":2}',
    '[{"":1,"":2}]',
  ])('%s', async (text) => {
    const lines = [];
    for await (const line of jsonLines([Buffer.from(text)] as never, 'file', 9)) lines.push(line);
    expect(lines).toEqual([{ line: 1, value: undefined }]);
  });

  it.each([
    '{"a":"x:\\":\\\\","b":[":",{"a":1}]}',
    '{"__proto__":{"a":1}}',
    `${'['.repeat(1e5)}${']'.repeat(1e5)}`,
  ])('is not what this is %#', async (text) => {
    for await (const { value } of jsonLines([Buffer.from(text)] as never, 'file', 9))
      expect(value).toBeDefined();
  });
});

describe('what has no end', () => {
  const endless = (text: string) =>
    (async function* () {
      for (;;) yield Buffer.from(text);
    })();

  it.each([
    ['lines', '{}\n'],
    ['empty lines', '\n\n'],
    ['lines of nonsense', '{\n'],
    ['a line', '{"a":"'.padEnd(1e5)],
  ])('is not read for ever: %s', async (_, text) => {
    const read = async (): Promise<void> => {
      for await (const line of jsonLines(endless(text), 'file', 50_000))
        expect(line.line).toBeLessThan(50_001);
    };
    await expect(read()).rejects.toThrow(SourceFault);
  });

  it('is no list of what a manifest does not cover', async () => {
    const lies = Array.from({ length: 150_000 }, (_, i) => `lie ${i}`);
    edit('manifest.json', (text) =>
      text.replace('"notCovered":[]', `"notCovered":${JSON.stringify(lies)}`),
    );
    const report = await run('log');
    expect(report.notCovered.length).toBeLessThan(2_000);
    expect(report.notCovered[0]).toBe('manifest.json says: lie 0');
  });

  it('is no tree of 2^52 leaves that the log’s key signed, every tile of it there', async () => {
    const tile = Buffer.alloc(8_192, 7);
    const width = Number(2n ** 52n / 256n ** 6n);
    let root = [...Array(width)].map((_, at) => tile.subarray(at * 32, at * 32 + 32)) as Buffer[];
    while (root.length > 1)
      root = root.flatMap((left, at) => (at % 2 ? [] : [nodeHash(left, root[at + 1]!)]));
    const body = formatCheckpoint({ origin: key.origin, size: 2n ** 52n, rootHash: root[0]! });
    const note = Buffer.from(signNote(body, [parseSignerKey(key.signerKey)]));
    const source = sourceOf((path) => {
      if (path === 'checkpoint') return note;
      if (!path.startsWith('tile/')) return undefined;
      return path.endsWith(`.p/${width}`) ? tile.subarray(0, width * 32) : Buffer.from(tile);
    });
    const findings = new Findings();
    await walkLog({ source, key: verifier, findings });
    const { holds, notCovered } = findings.report('log');
    expect(holds).toBe(false);
    expect(notCovered.join()).toContain('too much is missing');
  });

  it('is no journal of a far leaf for which all others have to wait', () => {
    const findings = new Findings();
    const match = new JournalMatch(findings, 'file', undefined, undefined, 2);
    const [journal] = journalsOf(leaves, BOOKS);
    const kept = [2n, 4n, 6n].map((id) => match.expect({ ...journal!, id }));
    expect(kept).toEqual([true, true, false]);
    expect(findings.report('ledger')).toMatchObject({
      reason: 'removed',
      place: { journalId: '6' },
    });
  });
});

describe('a second reading with another answer', () => {
  it('is not what amounts are made of', async () => {
    const at = leaves.findIndex((b) => b.includes('.closed.') && b.includes(ids.adjusted));
    const lie = leaves.with(
      at,
      Buffer.from(leaves[at]!.toString().replace('"outputTokens":50', '"outputTokens":90')),
    );
    let asked = 0;
    const url = await serve((path, response) => {
      if (!path.startsWith('tile/entries/') || asked++ === 0) honestAnswer(path, response);
      else response.end(encodeEntryBundle(lie));
    });
    const { faults } = await run('ledger', url);
    expect(asked).toBeGreaterThan(1);
    expect(faults).toContainEqual({
      reason: 'altered',
      place: { leafIndex: String(at) },
      message: 'read once more, it was no longer the entry that it had been',
    });
  });

  it('does not make a price book that was there unnecessary', async () => {
    const findings = new Findings();
    const directory = new DirectorySource(folder);
    let gone = false;
    const shelf = new PriceBookShelf(
      {
        ...sourceOf(() => undefined),
        read: async (path, max) => (gone ? undefined : directory.read(path, max)),
      },
      'price-books/',
      findings,
    );
    await shelf.load(BOOKS[0].version);
    expect(findings.faultCount).toBe(0);
    gone = true;
    // Others put it out of memory.
    for (let i = 0; i < 40; i++) await shelf.load(`sha256:${i.toString(16).padStart(64, '0')}`);
    const before = findings.faultCount;
    await shelf.load(BOOKS[0].version);
    expect(findings.faultCount).toBe(before + 1);
  });
});

describe('a server', () => {
  const patience = { answerMs: 300, retryAfterMs: [10] };

  it('that does not answer, or in the middle of a file no more, is given up', async () => {
    const url = await serve((path, response) => {
      if (path.endsWith('begun')) response.write('{"a":1}\n');
    });
    const source = new UrlSource(url, undefined, patience);
    await expect(source.read('silent', 100)).rejects.toThrow(SourceFault);
    await expect(source.read('begun', 100)).rejects.toThrow(SourceFault);
    await expect(source.stream('silent')).rejects.toThrow(SourceFault);
    const read = async (): Promise<void> => {
      const parts = await source.stream('begun');
      for await (const { value } of jsonLines(parts!, 'begun', 9)) expect(value).toEqual({ a: 1 });
    };
    await expect(read()).rejects.toThrow(SourceFault);
  });

  it('is waited for only while we wait', () => {
    jest.useFakeTimers();
    try {
      const wait = new Wait(1_000);
      const signal = wait.begin();
      for (let piece = 0; piece < 20; piece++) {
        jest.advanceTimersByTime(900);
        wait.end(64 * 900);
        // The reader takes its time.
        jest.advanceTimersByTime(100_000);
        wait.go();
      }
      expect(signal.aborted).toBe(false);
      wait.end();
      // A byte each 900 ms is no pace.
      for (let piece = 0; piece < 2; piece++) {
        wait.go();
        jest.advanceTimersByTime(900);
        wait.end(1);
      }
      expect(signal.aborted).toBe(true);
    } finally {
      jest.useRealTimers();
    }
  });

  it('that sends for ever is read to the limit', async () => {
    const url = await serve((_, response) => {
      const more = (): void => {
        while (response.write(Buffer.alloc(65_536, 'x')));
        response.once('drain', more);
      };
      more();
    });
    const source = new UrlSource(url, undefined, { ...patience, answerMs: 60_000 });
    await expect(source.read('file', 1_000_000)).rejects.toThrow('over 1000000 bytes');
  });

  it('that sends us elsewhere does not get our key there', async () => {
    const elsewhere: (string | undefined)[] = [];
    const url = await serve((_, response, request) => {
      elsewhere.push(request.headers.authorization);
      response.end('x');
    });
    const first = createServer((_, response) =>
      response.writeHead(302, { location: `${url}/there` }).end(),
    );
    first.listen(0, '127.0.0.1');
    await once(first, 'listening');
    try {
      const source = new UrlSource(
        `http://127.0.0.1:${(first.address() as AddressInfo).port}`,
        'secret',
      );
      expect(String(await source.read('checkpoint', 10))).toBe('x');
      expect(elsewhere).toEqual([undefined]);
    } finally {
      first.close();
      first.closeAllConnections();
      await once(first, 'close');
    }
  });
});

describe('the log’s own key', () => {
  it('does not let an older head pass for the newest', async () => {
    const history = readFileSync(join(folder, 'checkpoints.jsonl'));
    rmSync(join(folder, 'tile'), { recursive: true });
    stageExport(folder, { key, leaves: leaves.slice(0, -4), priceBooks: BOOKS });
    expect(await run('log')).toMatchObject({ holds: true });
    writeFileSync(join(folder, 'checkpoints.jsonl'), history);
    expect(await run('log')).toMatchObject({
      reason: 'incomplete',
      place: { file: 'checkpoints.jsonl', size: String(leaves.length) },
    });
  });

  it('is not taken for a witness that is not looked at', async () => {
    edit(
      'checkpoint',
      (note) => `${note}— some.example/witness ${Buffer.alloc(76, 1).toString('base64')}\n`,
    );
    const report = await run('log');
    expect(report.notCovered).toContain('cosignatures of the checkpoint (1): verify witness');
  });

  it.each(['tile/0/000', 'tile/0/001.p/1', 'tile/entries/001', 'tile/x', 'tile/1/000.p/1'])(
    'leaves nothing in an export that is no part of its tree: %s',
    async (file) => {
      rmSync(join(folder, 'tile'), { recursive: true });
      stageExport(folder, { key, leaves: leaves.slice(0, 5), priceBooks: BOOKS });
      expect(await run('log')).toMatchObject({ holds: true });
      const path = join(folder, file);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, 'x');
      expect(await run('log')).toMatchObject({ reason: 'altered', place: { file } });
    },
  );
});

it('words of an export do not steer a terminal, and fill no page', async () => {
  edit('manifest.json', (text) =>
    text.replace('"main"', JSON.stringify(`\u001b[2J\u202eniam\u2028${'x'.repeat(1e6)}`)),
  );
  const text = reportText(await run('log'));
  expect(text).toContain('ledger: ?[2J?niam?xxx');
  expect(text.length).toBeLessThan(10_000);
});

it('words of an export do not steer a terminal on the line for machines either', async () => {
  const words = '\u009b2J\u007f\u202eniam\u2028\u{e0001}\u2066é𐍈';
  edit('manifest.json', (text) => text.replace('"main"', JSON.stringify(words)));
  let said = '';
  const spy = jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
  try {
    await runVerify(['log', folder, '--key', key.verifierKey, '--json']);
  } finally {
    spy.mockRestore();
  }
  expect(said.trimEnd()).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  expect(Object.values((JSON.parse(said) as Report).claimed).join()).toContain(words);
});
