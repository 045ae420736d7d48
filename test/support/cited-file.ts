// `cited.jsonl` as an honest ledger writes it: what a range cites by digest and was said before it.
import { createHash } from 'node:crypto';
import {
  citationsIn,
  saidIn,
  type Citation,
  type DecisionRecorded,
  type HealthRecorded,
} from '#libs/audit-events';
import { canonicalJson, sha256 } from '#libs/kernel';
import { formatTlogProof, leafHash, nodeHash } from '#libs/transparency';

/** A line; without the last three of a record that is gone. */
export interface CitedRow extends Citation {
  readonly leafIndex?: string;
  readonly bytes?: string;
  readonly proof?: string;
}

export interface CitedFile {
  readonly content: string;
  /** As in the manifest. */
  readonly cited: { readonly records: number; readonly absent: number; readonly sha256: string };
}

/** A verdict under its true digest; another for each scope. */
export function verdictOf(scope: string): DecisionRecorded {
  const body = {
    policyVersion: `sha256:${'1'.repeat(64)}`,
    catalogVersion: `sha256:${'2'.repeat(64)}`,
    profile: { sector: 'bank', jurisdiction: 'DE' },
    facts: { dataClass: 'internal', dataTags: [], subjectRegions: [], purpose: 'spec', want: {} },
    scope,
    permittedBy: ['base.permit'],
    permitted: { ids: ['acme.one.eu.default'] },
    excluded: [],
  };
  return { digest: sha256(canonicalJson(body)), ...body };
}

/** A slice of health under its true digest. */
export function healthOf(scope: string, takenAt: string): HealthRecorded {
  const rows = [{ endpoint: 'acme.one.eu.default', state: 'up', p50Ms: 120.25, share: 1e-7 }];
  const digest = sha256(canonicalJson({ scope, rows }));
  return { digest, version: `sha256:${'9'.repeat(64)}`, takenAt, scope, endpoints: rows };
}

const keyOf = ({ type, digest }: Citation): string => `${type} ${digest}`;

export function citedFile(
  leaves: readonly Buffer[],
  { firstLeaf, endLeaf }: { readonly firstLeaf: number; readonly endLeaf: number },
  checkpoint: string,
): CitedFile {
  const range = leaves.slice(firstLeaf, endLeaf);
  const open = new Map(range.flatMap(citationsIn).map((c) => [keyOf(c), c]));
  for (const said of range.map(saidIn)) if (said) open.delete(keyOf(said));
  const rows: CitedRow[] = [];
  for (let leaf = firstLeaf - 1; leaf >= 0; leaf--) {
    const said = saidIn(leaves[leaf]!);
    if (said && open.delete(keyOf(said))) rows.unshift(citedRow(leaves, leaf, checkpoint));
  }
  const absent = [...open].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, c]) => c);
  const content = [...rows, ...absent].map((row) => `${JSON.stringify(row)}\n`).join('');
  const sha256 = createHash('sha256').update(content).digest('hex');
  return { content, cited: { records: rows.length, absent: absent.length, sha256 } };
}

/** The line of any leaf that says a digest. */
export function citedRow(leaves: readonly Buffer[], leaf: number, checkpoint: string): CitedRow {
  const bytes = leaves[leaf]!;
  const hashes = leaves.map((entry) => leafHash(entry));
  const proof = formatTlogProof({ index: BigInt(leaf), proof: pathOf(hashes, leaf), checkpoint });
  return { leafIndex: String(leaf), ...saidIn(bytes)!, bytes: bytes.toString('base64'), proof };
}

/** PATH of RFC 6962, section 2.1.1, by its definition. */
function pathOf(hashes: readonly Buffer[], leaf: number): Buffer[] {
  if (hashes.length < 2) return [];
  const split = splitOf(hashes.length);
  const [left, right] = [hashes.slice(0, split), hashes.slice(split)];
  return leaf < split
    ? [...pathOf(left, leaf), rootOf(right)]
    : [...pathOf(right, leaf - split), rootOf(left)];
}

function rootOf(hashes: readonly Buffer[]): Buffer {
  if (hashes.length === 1) return hashes[0]!;
  const split = splitOf(hashes.length);
  return nodeHash(rootOf(hashes.slice(0, split)), rootOf(hashes.slice(split)));
}

/** The largest power of two below. */
const splitOf = (count: number): number => 2 ** (31 - Math.clz32(count - 1));
