// A log of 777 entries as other programs make it: tree, proofs and note by golang.org/x/mod v0.42.0 (sumdb/tlog, sumdb/note),
// the tlog-proof and one cosignature by filippo.io/torchwood v0.9.0, the other one by transparency-dev/formats v0.1.2
// (20260710124811). Seeds of the keys: 32 bytes 9, 10 and 11. In turn torchwood, formats and x/mod have read an export and a
// receipt of ours.
import { expect, test } from '@jest/globals';
import {
  addSignatures,
  CompactRange,
  consistencyProof,
  cosign,
  formatCheckpoint,
  formatTlogProof,
  inclusionProof,
  leafHash,
  nodeHash,
  parseNote,
  parsePolicy,
  parseSignerKey,
  parseTlogProof,
  parseVerifierKey,
  signNote,
  verifyConsistency,
  verifyTlogProof,
  type TreeNode,
} from './index.js';

const LOG = 'log.example/interop+1e198481+Af0XJDhaoMdbZPt4zWAvodmR/ev3axPFjtcC6sg16fYY';
const TORCHWOOD = 'witness.example/torchwood+7372b447+BEOnLnFEAXYt9mtowm373yaCquyfJHTspGE+QkoPuv08';
const FORMATS = 'witness.example/formats+c024e88e+BGa+fjMsekUzMr2dCn99sFX1xe8aBq2mbZizn7aBDEc6';
const POLICY = `log ${LOG}\nwitness a ${TORCHWOOD}\nwitness b ${FORMATS}\ngroup both all a b\nquorum both\n`;
const INDEX = 300n;
const SIZE = 777n;
const OLD_SIZE = 301n;
const OLD_ROOT = 'ap49nta4knYZXI+SnOM+ticOKEgP3/QCjkhxwTimm4Q=';

const PROOF = [
  'c2sp.org/tlog-proof@v1',
  'extra c3BpY3k=',
  'index 300',
  'qbKraFCT72DrwOF++OBavR4dLCnD0gIKmrfqM3e2lwQ=',
  'huDzQ4Nup0CRsp4ljENFaCs5evOqykIxdZvGmx1uj8E=',
  'hdaXI3Hpu46sbw66WPqu67hTEa0IKLiQG+nZ414zd1k=',
  'DSBEUTY5hE0/elclREuBapll+q6i4hRmDohxDI6axb4=',
  'gJy/fLUJ3PiwP6bdLRaNrxU5gINO/xiht26Po7XUGwg=',
  'R6PPvsyXR0xVU54IJQIfiQiuEQthLz8fb5CIAjIj3dQ=',
  '35gS6rZI52JFzolF1+xmLE+EjX3wtgiX2pjiJtt9/MM=',
  'X0lwc1GelAdJL11LxsgRPBuAYkJOTDaPqahSU7oHGMA=',
  '2mWW2VNp9f7zIquOTg2jsLUCNqqcijsdJG90Ecni4y4=',
  'OaLBwipfeY4hCanFtcySas6nfBIQab6KUeYUfjDqZA4=',
  '',
  'log.example/interop',
  '777',
  'GC3e/RK4Ym8qZSsUhqfUX21Yw/lHObuL6dcvGU0Zx4o=',
  '',
  '— log.example/interop HhmEgagmX2v9iH92PkuiUTaT0/k39DSvl9LQruoIAXSS3AwWmRwjirbrH0RzqpwrqrsYR7QsPlsE0RghzgA/nAf/6AQ=',
  '— witness.example/torchwood c3K0RwAAAABrAhf5bDxUTCybhl0HY2jZ7D8k403IxBA/VUHC3t/MjNlmYozbm5p5zXM+ZCrtsYaKMfvGQZLPNIkLnT0oLGitKt0hDQ==',
  '— witness.example/formats wCTojgAAAABrAhf5XmlGsYlevvZf9uMMHKnLRIuLgg2KVgAQtQ3HLNCbSSg+Gj4OFJWl5jK30VYzApqQM5gZc7EWDltlPohQEwgIAA==',
  '',
].join('\n');

const entryOf = (index: number): Buffer => Buffer.from(`entry ${index}`);
const hashes = Array.from({ length: Number(SIZE) }, (_, index) => leafHash(entryOf(index)));
const nodeOf = ({ level, index }: TreeNode): Buffer =>
  level === 0
    ? hashes[Number(index)]!
    : nodeHash(
        nodeOf({ level: level - 1, index: index * 2n }),
        nodeOf({ level: level - 1, index: index * 2n + 1n }),
      );
const read = async (nodes: readonly TreeNode[]): Promise<Buffer[]> => nodes.map(nodeOf);

function rootOfAll(): Buffer {
  const range = new CompactRange();
  for (const hash of hashes) range.append(hash);
  return range.root();
}

const signerOf = (vkey: string, seed: number) => {
  const { name, purpose } = parseVerifierKey(vkey);
  const material = Buffer.concat([
    Buffer.from([purpose === 'note' ? 1 : 4]),
    Buffer.alloc(32, seed),
  ]);
  return parseSignerKey(
    `PRIVATE+KEY+${name}+${vkey.split('+')[1]!}+${material.toString('base64')}`,
  );
};

test('their proof proves, under a policy that asks for both of their witnesses', () => {
  const proved = verifyTlogProof(PROOF, leafHash(entryOf(300)), parsePolicy(POLICY));
  expect(proved).toMatchObject({ index: INDEX, checkpoint: { size: SIZE } });
  expect(proved.cosignatures.map(({ name }) => name)).toEqual([
    'witness.example/torchwood',
    'witness.example/formats',
  ]);
  expect(parseTlogProof(PROOF).extra?.toString()).toBe('spicy');
  expect(() => verifyTlogProof(PROOF, leafHash(entryOf(301)), parsePolicy(POLICY))).toThrow();
});

test('ours is theirs, to the byte: root, path, note, cosignatures and text', async () => {
  const { name: origin } = parseVerifierKey(LOG);
  const body = formatCheckpoint({ origin, size: SIZE, rootHash: rootOfAll() });
  const theirs = parseTlogProof(PROOF);
  const times = [TORCHWOOD, FORMATS].map((vkey) => {
    const { name } = parseVerifierKey(vkey);
    const line = parseNote(theirs.checkpoint).signatures.find((s) => s.name === name)!;
    return line.signature.readBigUInt64BE();
  });
  const checkpoint = addSignatures(signNote(body, [signerOf(LOG, 9)]), [
    cosign(body, signerOf(TORCHWOOD, 10), times[0]!),
    cosign(body, signerOf(FORMATS, 11), times[1]!),
  ]);
  expect(checkpoint).toBe(theirs.checkpoint);
  const proof = await inclusionProof(INDEX, SIZE, read);
  expect(formatTlogProof({ index: INDEX, proof, checkpoint, extra: Buffer.from('spicy') })).toBe(
    PROOF,
  );
});

test('their consistency proof is ours', async () => {
  // The smaller tree ends with the entry that the proof above is about: one hash more, and the same path.
  const path = ['6XfT7Qus1tJQxe+pCAw34Im2yko02Amxbmz/c1biy2M=', ...PROOF.split('\n').slice(3, 13)];
  const proof = await consistencyProof(OLD_SIZE, SIZE, read);
  expect(proof.map((hash) => hash.toString('base64'))).toEqual(path);
  const [toRoot, fromRoot] = [rootOfAll(), Buffer.from(OLD_ROOT, 'base64')];
  expect(verifyConsistency({ from: OLD_SIZE, to: SIZE, fromRoot, toRoot, proof })).toBe(true);
});
