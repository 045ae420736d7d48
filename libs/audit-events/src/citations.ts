import { isUtf8 } from 'node:buffer';
import { canonicalJson, sha256, type Json } from '#libs/kernel';

/** Records that others cite by the digest of what they say: they are said once per writer, not with each generation. */
export const CITED_TYPES = ['custos.decision.recorded.v1', 'custos.health.recorded.v1'] as const;
export type CitedType = (typeof CITED_TYPES)[number];

/** Records that cite such a one. */
export const CITING_TYPES = [
  'custos.generation.opened.v1',
  'custos.generation.refused.v1',
] as const;

export interface Citation {
  readonly type: CitedType;
  /** `sha256:` and 64 hex digits. */
  readonly digest: string;
}

/** A record's type, and the beginning of its subject where that is a digest, lie within so many bytes of its first. */
export const ENVELOPE_BYTES = 400;

const BEFORE_SUBJECT = '","subject":"sha256:';
const NAME_BYTES = '","subject":"'.length;
const DIGEST_BYTES = 'sha256:'.length + 64;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
/** Records of ours nest five deep. What nests deeper was made to exhaust whoever reads it, and says nothing. */
const DEPTH_MAX = 32;

type Members = Readonly<Record<string, unknown>>;

/**
 * What a record cites. Told by these members alone, whatever else is in it, so that who makes an export and who verifies
 * it, in whatever language, count the same: docs/auditing.md has the rule.
 */
export function citationsIn(bytes: Uint8Array): readonly Citation[] {
  const record = recordOf(bytes, CITING_TYPES);
  if (record === undefined) return [];
  const cited: Citation[] = [];
  const cite = (type: CitedType, digest: unknown): void => {
    if (typeof digest === 'string' && DIGEST.test(digest)) cited.push({ type, digest });
  };
  cite('custos.decision.recorded.v1', membersOf(record.data['decision'])?.['digest']);
  cite('custos.health.recorded.v1', membersOf(record.data['versions'])?.['health']);
  return cited;
}

/**
 * The digest that a record may be cited by. It is worked out from what the record says: one that only claims a digest says
 * nothing under it.
 */
export function saidIn(bytes: Uint8Array): Citation | undefined {
  const record = recordOf(bytes, CITED_TYPES);
  if (record === undefined || !isCanonical(record.data)) return undefined;
  const { type, data } = record;
  const digest = sha256(canonicalJson(contentOf(type, data)));
  return digest === data['digest'] && digest === subjectOf(bytes) ? { type, digest } : undefined;
}

/** What the digest is over: of a slice of health not when it was taken, so that equal slices are one. */
function contentOf(type: CitedType, data: Members): Json {
  if (type === 'custos.health.recorded.v1')
    return { scope: data['scope'] as Json, rows: data['endpoints'] as Json };
  const { digest: _, ...body } = data;
  return body as Json;
}

function recordOf<T extends string>(
  bytes: Uint8Array,
  types: readonly T[],
): { readonly type: T; readonly data: Members } | undefined {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  // Most records are of other types: they are not parsed.
  const envelope = all.subarray(0, ENVELOPE_BYTES);
  if (!types.some((name) => envelope.includes(name)) || !isUtf8(all)) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(all.toString('utf8'));
  } catch {
    return undefined;
  }
  const record = membersOf(parsed);
  const data = membersOf(record?.['data']);
  const type = types.find((name) => record?.['type'] === name && envelope.includes(name));
  return type !== undefined && data && !isDeep(parsed) ? { type, data } : undefined;
}

/** In its place in the bytes, where indexes of them look for it. */
function subjectOf(bytes: Uint8Array): string | undefined {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const at = all.subarray(0, ENVELOPE_BYTES).indexOf(BEFORE_SUBJECT);
  return at < 0
    ? undefined
    : all.toString('latin1', at + NAME_BYTES, at + NAME_BYTES + DIGEST_BYTES);
}

const membersOf = (value: unknown): Members | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Members)
    : undefined;

/** Not by recursion: it may be nested very deep. */
function isDeep(value: unknown): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > DEPTH_MAX) return true;
    level = level.flatMap((one) =>
      typeof one === 'object' && one !== null ? (Object.values(one) as unknown[]) : [],
    );
  }
  return false;
}

/** Numbers beyond any double have no canonical form. */
const isCanonical = (value: unknown): boolean =>
  typeof value === 'object' && value !== null
    ? Object.values(value).every(isCanonical)
    : typeof value !== 'number' || Number.isFinite(value);
