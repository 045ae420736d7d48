import { z } from 'zod';

import { decodeBundle } from './bundle-codec.js';
import { exceptionsEpochOf } from './exceptions.js';
import type { PolicyException } from './exceptions.js';
import { DomainError } from '#libs/kernel';
import type { PolicyErrorCode } from './errors.js';
import { publicKeySchema, verifyBundle, verifyException } from './signature.js';
import type { PolicyPublicKey } from './signature.js';
import type { PolicyBundle } from './types.js';

/** What the data plane decides by: one bundle with its signature, and the exceptions to it. */
export interface PolicyInForce {
  readonly bundle: PolicyBundle;
  /** Compact JWS over the bundle's version. */
  readonly signature: string;
  readonly exceptions: readonly PolicyException[];
  /** Their compact JWS, in the same order. */
  readonly exceptionSignatures: readonly string[];
  readonly exceptionsEpoch: string;
  /**
   * The compiled evaluator once gave another answer under this bundle than cedar-wasm, in this version of the software,
   * and nobody has cleared it since: whoever decides by it decides by cedar-wasm alone.
   */
  readonly compiledDistrusted?: true;
  /** Keys that the owner says it signs with; a reader that was given keys believes those only. */
  readonly keys: readonly PolicyPublicKey[];
}

const published = z.object({
  signature: z.string(),
  exceptions: z.array(z.string()),
  exceptionsEpoch: z.string(),
  compiledDistrusted: z.literal(true).optional(),
  keys: z.array(publicKeySchema).min(1),
});

/** The version of the snapshot: of the bundle, of the exceptions where there are some, and whether it is distrusted. */
export const versionInForce = (inForce: PolicyInForce): string =>
  [
    inForce.bundle.version,
    ...(inForce.exceptionsEpoch === '' ? [] : [inForce.exceptionsEpoch]),
    ...(inForce.compiledDistrusted ? ['cedar-wasm'] : []),
  ].join(';');

/** JSON of a snapshot. Exceptions travel as what was signed, so that a reader reads nothing else. */
export const encodeInForce = (inForce: PolicyInForce): string => {
  const { version, policies, schema } = inForce.bundle;
  const { signature, exceptionSignatures: exceptions, exceptionsEpoch, keys } = inForce;
  const { compiledDistrusted } = inForce;
  return JSON.stringify({
    version,
    policies,
    schema,
    signature,
    exceptions,
    exceptionsEpoch,
    ...(compiledDistrusted && { compiledDistrusted }),
    keys,
  });
};

/**
 * Reads snapshots of one owner. With keys given it believes signatures by these only; else it keeps to the keys of
 * the first snapshot it read, as long as it lives.
 */
export class PolicyReader {
  #keys: readonly PolicyPublicKey[] | undefined;
  #bundle: PolicyBundle | undefined;

  constructor(keys?: readonly PolicyPublicKey[]) {
    this.#keys = keys;
  }

  /**
   * Built again from its texts, of the version it claims, signed, and so is every exception. Throws
   * `policy-bundle-unusable` or `policy-signature-invalid`. Takes tens of milliseconds for a new bundle.
   */
  async decode(json: unknown): Promise<PolicyInForce> {
    const parsed = published.safeParse(json);
    if (!parsed.success) throw unusable(z.prettifyError(parsed.error));
    const { signature, exceptions: signed, exceptionsEpoch, compiledDistrusted } = parsed.data;
    const keys = this.#keys ?? parsed.data.keys;
    const bundle = this.#same(json) ?? decodeBundle(json);
    await verifyBundle(signature, bundle.version, keys);
    const exceptions = await Promise.all(signed.map((jws) => verifyException(jws, keys)));
    if (exceptionsEpochOf(exceptions) !== exceptionsEpoch)
      throw unusable('exceptionsEpoch is not that of the exceptions');
    this.#keys = keys;
    this.#bundle = bundle;
    return {
      bundle,
      signature,
      exceptions,
      exceptionSignatures: signed,
      exceptionsEpoch,
      ...(compiledDistrusted && { compiledDistrusted }),
      keys,
    };
  }

  /** Where only the exceptions changed, the bundle read before: what is derived from it stays warm. */
  #same(json: unknown): PolicyBundle | undefined {
    const known = this.#bundle;
    if (known === undefined) return undefined;
    const { version, policies, schema } = json as Record<string, unknown>;
    const equal =
      version === known.version &&
      schema === known.schema &&
      JSON.stringify(policies) === JSON.stringify(known.policies);
    return equal ? known : undefined;
  }
}

const unusable = (message: string): DomainError<PolicyErrorCode> =>
  new DomainError('policy-bundle-unusable', message);
