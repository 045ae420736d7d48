// Signatures over bundles and exceptions: compact JWS (RFC 7515) with Ed25519 keys. A bundle's version is the digest
// of its text, so a signature over the version is one over the text. The two kinds of statement differ in `typ`, so
// that none can be taken for the other.
import { CompactSign, compactVerify, importJWK } from 'jose';
import { z } from 'zod';

import { canonicalJson, DomainError, type Json } from '#libs/kernel';

import type { PolicyErrorCode } from './errors.js';
import { EXCEPTION_SCOPES } from './exceptions.js';
import type { PolicyException } from './exceptions.js';

const ALGORITHM = 'EdDSA';
const BUNDLE_TYPE = 'custos-policy-bundle+jws';
const EXCEPTION_TYPE = 'custos-policy-exception+jws';

const words = z.string().min(1).max(200);
const base64url = z.string().regex(/^[A-Za-z0-9_-]{43}$/);

export const publicKeySchema = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: base64url,
  kid: words.exactOptional(),
});
/** An Ed25519 public key as a JWK (RFC 8037). */
export type PolicyPublicKey = z.output<typeof publicKeySchema>;

export interface PolicySigningKey extends PolicyPublicKey {
  /** The private part. */
  readonly d: string;
}

/** Who let a version come into force. */
export interface BundleStatement {
  readonly version: string;
  readonly approvedBy: string;
  /** ISO instant. */
  readonly approvedAt: string;
}

const bundleStatement = z.strictObject({ version: words, approvedBy: words, approvedAt: words });
const exceptionStatement = z.strictObject({
  id: words,
  policies: z.array(words),
  scope: z.strictObject({ kind: z.enum(EXCEPTION_SCOPES), id: words }),
  requestedBy: words,
  approvedBy: words,
  ticket: words,
  expiresAt: z.iso.datetime(),
});

export const signBundle = (statement: BundleStatement, key: PolicySigningKey): Promise<string> =>
  sign({ ...statement }, BUNDLE_TYPE, key);

export const signException = (exception: PolicyException, key: PolicySigningKey): Promise<string> =>
  sign(
    { ...exception, policies: [...exception.policies], scope: { ...exception.scope } },
    EXCEPTION_TYPE,
    key,
  );

/** Throws `policy-signature-invalid` unless one of the keys signed this version. */
export async function verifyBundle(
  jws: string,
  version: string,
  keys: readonly PolicyPublicKey[],
): Promise<BundleStatement> {
  const statement = read(bundleStatement, await verified(jws, BUNDLE_TYPE, keys));
  if (statement.version !== version) throw invalid('the signature is over another version');
  return statement;
}

/** The exception as it was signed. Throws `policy-signature-invalid`. */
export async function verifyException(
  jws: string,
  keys: readonly PolicyPublicKey[],
): Promise<PolicyException> {
  const exception = read(exceptionStatement, await verified(jws, EXCEPTION_TYPE, keys));
  if (exception.approvedBy === exception.requestedBy) throw invalid('approved by its requester');
  return exception;
}

async function sign(payload: Json, typ: string, key: PolicySigningKey): Promise<string> {
  const { kty, crv, x, d, kid } = key;
  const header = { alg: ALGORITHM, typ, ...(kid === undefined ? {} : { kid }) };
  return new CompactSign(new TextEncoder().encode(canonicalJson(payload)))
    .setProtectedHeader(header)
    .sign(await importJWK({ kty, crv, x, d }, ALGORITHM));
}

/** Keys are few (the present one and those retired): each is tried, whatever the header names. */
async function verified(
  jws: string,
  typ: string,
  keys: readonly PolicyPublicKey[],
): Promise<unknown> {
  for (const { kty, crv, x } of keys) {
    try {
      const key = await importJWK({ kty, crv, x }, ALGORITHM);
      const { payload, protectedHeader } = await compactVerify(jws, key, {
        algorithms: [ALGORITHM],
      });
      if (protectedHeader.typ === typ)
        return JSON.parse(new TextDecoder().decode(payload)) as unknown;
    } catch {
      // Not by this key.
    }
  }
  throw invalid('no known key made this signature');
}

function read<S extends z.ZodType>(schema: S, statement: unknown): z.output<S> {
  const parsed = schema.safeParse(statement);
  if (!parsed.success) throw invalid('the signed statement has the wrong shape');
  return parsed.data;
}

const invalid = (message: string): DomainError<PolicyErrorCode> =>
  new DomainError('policy-signature-invalid', message);
