import { z } from 'zod';
import {
  canonicalJson,
  DomainError,
  keyId,
  LIMIT_RESETS,
  organisationId,
  sha256,
  workspaceId,
  type Json,
} from '#libs/kernel';
import { PrincipalDirectory } from './principal-directory.js';
import { ROLES, type PrincipalsSnapshot } from './types.js';

const id = z.string().min(1).max(200);
const name = z.string().min(1).max(200);
const words = z.array(z.string().min(1).max(64)).max(64);
const amount = z
  .string()
  .regex(/^\d{1,30}$/)
  .transform((digits) => BigInt(digits));

/** Ten years. */
const KEEP_DAYS_MAX = 3_660;

const limit = {
  limitPicoUsd: amount.exactOptional(),
  limitReset: z.enum(LIMIT_RESETS).exactOptional(),
};

const factDefaults = z.strictObject({
  dataClass: z.enum(['public', 'internal', 'confidential', 'secret']),
  dataTags: words,
  subjectRegions: words,
  purpose: z.string().min(1).max(64),
});

const snapshotSchema = z.strictObject({
  version: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  organisations: z.array(
    z.strictObject({
      id: id.transform(organisationId),
      name,
      sector: z.string().max(64),
      jurisdiction: z.string().max(64),
      ledgerId: z.string().min(1).max(32).exactOptional(),
      ...limit,
      prepaid: z.literal(true).exactOptional(),
      contentVault: z
        .strictObject({
          keepDays: z.int().min(1).max(KEEP_DAYS_MAX),
          required: z.literal(true).exactOptional(),
        })
        .exactOptional(),
    }),
  ),
  workspaces: z.array(
    z.strictObject({
      id: id.transform(workspaceId),
      organisationId: id.transform(organisationId),
      name,
      environment: z.string().max(64),
      strategy: z.enum(['cost-first', 'quality-first', 'balanced']),
      ...limit,
    }),
  ),
  keys: z.array(
    z.strictObject({
      id: id.transform(keyId),
      workspaceId: id.transform(workspaceId),
      label: z.string().max(200),
      secretSha256: z.string().regex(/^[0-9a-f]{64}$/),
      roles: z.array(z.enum(ROLES)).max(ROLES.length),
      defaults: factDefaults,
      ...limit,
      disabled: z.boolean(),
      createdAt: z.iso.datetime(),
    }),
  ),
});

type SnapshotParts = Omit<PrincipalsSnapshot, 'version'>;

/** A snapshot whose version is the digest of what it says: equal content, equal version, in any order of rows. */
export function principalsSnapshot(parts: SnapshotParts): PrincipalsSnapshot {
  const ordered: SnapshotParts = {
    organisations: parts.organisations.toSorted(ascending),
    workspaces: parts.workspaces.toSorted(ascending),
    keys: parts.keys.toSorted(ascending),
  };
  return { version: versionOf(ordered), ...ordered };
}

const ascending = (a: { readonly id: string }, b: { readonly id: string }): number =>
  a.id < b.id ? -1 : 1;

const versionOf = (parts: SnapshotParts): string => sha256(canonicalJson(plain(parts)));

/** JSON text; amounts as decimal strings. */
export const encodePrincipals = (snapshot: PrincipalsSnapshot): string =>
  JSON.stringify(snapshot, bigintAsString);

/** The value of a parsed JSON text. Throws `principals_invalid` on anything that is not exactly a snapshot. */
export function decodePrincipals(json: unknown): PrincipalsSnapshot {
  const parsed = safely(() => snapshotSchema.safeParse(json));
  if (!parsed?.success) {
    const where = parsed?.error.issues[0]?.path.map(String).join('.') ?? 'id';
    throw new DomainError('principals_invalid', `not a principals snapshot, at ${where}`);
  }
  const { version, ...parts } = parsed.data;
  if (versionOf(parts) !== version)
    throw new DomainError('principals_invalid', 'the version is not the digest of the content');
  // Its constructor checks references and duplicates.
  void new PrincipalDirectory(parsed.data);
  return parsed.data;
}

/** The id constructors throw TypeErrors inside zod's transforms. */
function safely<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}

const plain = (value: unknown): Json => JSON.parse(JSON.stringify(value, bigintAsString)) as Json;

const bigintAsString = (_key: string, value: unknown): unknown =>
  typeof value === 'bigint' ? value.toString() : value;
