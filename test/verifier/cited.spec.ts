// Records that a range cites, under the second verifier: each fault by its name, and what both readers make of odd records.
import { createHash } from 'node:crypto';
import { afterAll, expect, test } from '@jest/globals';
import { citationsIn, saidIn } from '#libs/audit-events';
import { generateKey } from '#libs/transparency';
import { citedStage } from '../../apps/cli/src/verify/cited-stage.spec-support.js';
import { citedFile, citedRow, verdictOf, type CitedRow } from '../support/cited-file.js';
import { newGenerationId } from '../support/ledger-events.js';
import { ORIGIN, checkpointOf, logFiles, type Files } from './log-directory.js';
import { PythonVerifier, describeWithPython, runPython } from './python-verifier.js';

const log = generateKey(ORIGIN);
const { leaves, range, uncited } = citedStage(newGenerationId);
const whole = logFiles(leaves, log);
const note = whole.get('checkpoint')!.toString();
const { content } = citedFile(leaves, range, note);
const honest = content
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as CitedRow);

function exportOf(rows: readonly CitedRow[], cited: object | undefined = countsOf(rows)): Files {
  const files = new Map(whole);
  files.delete('tile/entries/000');
  const manifest = {
    format: 'custos-export-v1',
    ledgerId: 'main',
    origin: ORIGIN,
    verifierKey: log.verifierKey,
    size: String(leaves.length),
    firstLeaf: String(range.firstLeaf),
    endLeaf: String(range.endLeaf),
    from: null,
    to: null,
    priceBooks: [],
    books: { journals: 0 },
    ...(cited && { cited }),
    notCovered: [],
  };
  return files
    .set('manifest.json', Buffer.from(JSON.stringify(manifest)))
    .set('cited.jsonl', Buffer.from(textOf(rows)));
}

const textOf = (rows: readonly CitedRow[]): string =>
  rows.map((row) => `${JSON.stringify(row)}\n`).join('');

function countsOf(rows: readonly CitedRow[]) {
  const records = rows.filter((row) => row.bytes !== undefined).length;
  const sha256 = createHash('sha256').update(textOf(rows)).digest('hex');
  return { records, absent: rows.length - records, sha256 };
}

function without(files: Files, path: string): Files {
  files.delete(path);
  return files;
}

const first = honest[0]!;
const flipped = (base64: string): string => {
  const bytes = Buffer.from(base64, 'base64');
  bytes[300]! ^= 1;
  return bytes.toString('base64');
};
const [index, before] = [Number(first.leafIndex), leaves.slice(0, 200)];
const gone = (digest: string): CitedRow => ({ type: 'custos.decision.recorded.v1', digest });

const faults: readonly (readonly [string, string, () => Files])[] = [
  [
    'a byte of a record',
    'unproven',
    () => exportOf(honest.with(0, { ...first, bytes: flipped(first.bytes!) })),
  ],
  [
    'another leaf',
    'unproven',
    () => exportOf(honest.with(0, { ...first, leafIndex: String(index - 1) })),
  ],
  [
    'a proof under an earlier checkpoint',
    'unproven',
    () => exportOf(honest.with(0, citedRow(before, index, checkpointOf(before, log)))),
  ],
  [
    'another digest that is cited',
    'unexpected',
    () => exportOf(honest.with(0, { ...first, digest: honest[1]!.digest })),
  ],
  [
    'a record that nothing cites',
    'unexpected',
    () => exportOf([citedRow(leaves, uncited, note), ...honest]),
  ],
  ['a line twice', 'unexpected', () => exportOf([first, ...honest])],
  ['a line taken out', 'missing', () => exportOf(honest.slice(1))],
  ['lines in another order', 'reordered', () => exportOf([honest[1]!, first, ...honest.slice(2)])],
  [
    'more lines than are counted',
    'inconsistent',
    () => exportOf(honest, countsOf(honest.slice(1))),
  ],
  [
    'another digest of the file',
    'altered',
    () => exportOf(honest, { ...countsOf(honest), sha256: 'a'.repeat(64) }),
  ],
  ['no file', 'missing', () => without(exportOf(honest), 'cited.jsonl')],
  [
    'a file that is not listed',
    'unexpected',
    () =>
      exportOf(honest, {}).set(
        'manifest.json',
        Buffer.from(
          exportOf(honest)
            .get('manifest.json')!
            .toString()
            .replace(/"cited":{[^}]*},/, ''),
        ),
      ),
  ],
  [
    'no file and no word of it',
    'missing',
    () =>
      without(
        exportOf(honest).set(
          'manifest.json',
          Buffer.from(
            exportOf(honest)
              .get('manifest.json')!
              .toString()
              .replace(/"cited":{[^}]*},/, ''),
          ),
        ),
        'cited.jsonl',
      ),
  ],
  ['a word of it that is none', 'malformed', () => exportOf(honest, { records: 2 })],
];

describeWithPython('the second verifier on what a range cites', () => {
  const verifier = new PythonVerifier();
  afterAll(() => verifier.close());

  test('accepts what is complete', async () => {
    expect(await verifier.ask({ files: exportOf(honest), key: log.verifierKey })).toMatch(
      /^accepted: .*, 2 cited records\n$/,
    );
  });

  test('accepts a line for what the range says itself', async () => {
    const files = exportOf([...honest, gone(verdictOf('late').digest)]);
    expect(await verifier.ask({ files, key: log.verifierKey })).toMatch(/^accepted: /);
  });

  test.each(faults)('rejects %s: %s', async (_, word, files) => {
    expect(await verifier.ask({ files: files(), key: log.verifierKey })).toMatch(
      new RegExp(`^rejected: ${word}: `),
    );
  });

  test('reads of a record what the first one reads', () => {
    const text = leaves[range.firstLeaf]!.toString();
    const said = leaves[index]!.toString();
    const odd = [
      text,
      said,
      leaves[5]!.toString(),
      // Twice: the last counts, whoever reads it.
      text.replace('"decision":{', '"decision":{"digest":"x",'),
      text.replace(/}$/, ',"more":NaN}'),
      text.replace(/}$/, `,"more":${'['.repeat(3_000)}${']'.repeat(3_000)}}`),
      text.replace(/}$/, `,"more":${'9'.repeat(6_000)}}`),
      text.replace('generation.opened', 'generation.\\u006fpened'),
      text.replace(/^/, '\ufeff'),
      text.replace(/^/, ' '.repeat(400)),
      said.replace('"permittedBy"', '"permittedby"'),
      said.replace('","subject"', '" ,"subject"'),
      ...['1e999', '1E-7', '0.10', '-0', '123456789012345680000', '5e-324', '1.0'].map((number) =>
        withDigest({ scope: 'odd' }, `"n":${number}`),
      ),
      withDigest(
        { scope: 'odd' },
        '"\\ud800":"\\ud83d\\ude00 \\u0007 é / \\u2028","\\uffff":1,"😀":2',
      ),
    ];
    const program = `
import base64, json
from cited import cited_by, said_by
for line in ${JSON.stringify(odd.map((one) => Buffer.from(one).toString('base64')))}:
    entry = base64.b64decode(line)
    print(json.dumps([cited_by(entry), said_by(entry)]))
`;
    const theirs = runPython(program)
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    const pair = (c: { type: string; digest: string } | undefined) => c && [c.type, c.digest];
    expect(theirs).toEqual(
      odd.map((one) => {
        const bytes = Buffer.from(one);
        return [citationsIn(bytes).map(pair), pair(saidIn(bytes)) ?? null];
      }),
    );
    // Not all of them nothing.
    expect(theirs.filter((one) => JSON.stringify(one) !== '[[],null]').length).toBeGreaterThan(9);
  });
});

/** A record of a verdict with a member of any spelling, under the digest that the first reader finds in it. */
function withDigest(changes: object, member: string): string {
  const of = (digest: string): string =>
    `{"type":"custos.decision.recorded.v1","subject":"${digest}","data":{${member},${JSON.stringify({ ...changes, digest }).slice(1)}}`;
  const { digest } = verdictOf('any');
  const { data } = JSON.parse(of(digest)) as { data: Record<string, unknown> };
  const { digest: _digest, ...body } = data;
  const sorted = Object.keys(body).sort();
  const canonical = `{${sorted.map((name) => `${JSON.stringify(name)}:${JSON.stringify(body[name])}`).join(',')}}`;
  return of(`sha256:${createHash('sha256').update(canonical).digest('hex')}`);
}
