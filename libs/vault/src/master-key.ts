import { createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { DomainError } from '#libs/kernel';
import type { VaultErrorCode } from './errors.js';
import { named } from './sealed-content.js';
import {
  GCM_TAG_BYTES,
  XAES_KEY_BYTES,
  XAES_NONCE_BYTES,
  xaesDecryption,
  xaesEncryption,
} from './xaes.js';

export const MASTER_KEY_BYTES = 32;
const KEY_ID_BYTES = 8;
/** First byte of a wrap that names its key. Those of before have neither, and are told by their length. */
const NAMED_WRAP = 1;
const HEAD_BYTES = 1 + KEY_ID_BYTES;
const UNNAMED_BYTES = XAES_NONCE_BYTES + XAES_KEY_BYTES + GCM_TAG_BYTES;

/** Who content is about: whom the caller named, else the key that called. The word itself is never stored. */
export interface Subject {
  readonly organisationId: string;
  readonly kind: 'named' | 'key';
  readonly word: string;
}

interface Wrapping {
  /** 16 hex digits, derived from the key: says which it is and nothing of it. */
  readonly id: string;
  readonly key: Buffer;
}

/**
 * The keys that are in no database: one wraps, and it and the others open. Without them a copy of the vault's database is
 * noise. A wrap names its key, so that one that is not at hand is said to be missing and never taken for damage.
 */
export class MasterKey {
  readonly #current: Wrapping;
  readonly #all: readonly Wrapping[];

  /** `others`: keys before this one, or after it, that open what they wrapped. */
  constructor(bytes: Uint8Array, others: readonly Uint8Array[] = []) {
    this.#current = wrappingOf(bytes);
    this.#all = [this.#current, ...others.map(wrappingOf)];
  }

  /** Of the key that wraps. */
  get id(): string {
    return this.#current.id;
  }

  /** Of all that open. */
  get ids(): readonly string[] {
    return this.#all.map((w) => w.id);
  }

  /** A data key for a subject, as it may be stored. Bound to its own id and its organisation. */
  wrapSubjectKey(dataKey: Uint8Array, organisationId: string, subjectKeyId: string): Buffer {
    return this.#wrap(dataKey, subjectKeyNames(organisationId, subjectKeyId));
  }

  /**
   * Throws `vault_key_unknown` where it is wrapped under a key that is not at hand, `content_damaged` where it is not that
   * subject key.
   */
  unwrapSubjectKey(wrapped: Uint8Array, organisationId: string, subjectKeyId: string): Buffer {
    const opened = this.#unwrap(wrapped, subjectKeyNames(organisationId, subjectKeyId));
    if (opened !== undefined) return opened.secret;
    this.#demandKnown(wrapped, 'vault_key_unknown');
    throw new DomainError<VaultErrorCode>('content_damaged', 'This is not the key of that name.');
  }

  /** What makes pseudonyms of a new vault, as it is stored. */
  newPseudonymSecret(): Buffer {
    return this.#wrap(randomBytes(XAES_KEY_BYTES), PSEUDONYM_NAMES);
  }

  /** Throws `vault_key_changed` where the vault's identity is wrapped under a key that is not at hand. */
  pseudonyms(wrapped: Uint8Array): Pseudonyms {
    const opened = this.#unwrap(wrapped, PSEUDONYM_NAMES);
    if (opened !== undefined) return new Pseudonyms(opened.secret);
    this.#demandKnown(wrapped, 'vault_key_changed');
    throw new DomainError<VaultErrorCode>(
      'vault_key_changed',
      'The vault was begun with another master key than CUSTOS_VAULT_KEY.',
    );
  }

  /** The same under the key that wraps, and the id of the key it was under; undefined where it does not open here. */
  rewrapSubjectKey(
    wrapped: Uint8Array,
    organisationId: string,
    subjectKeyId: string,
  ): Rewrapped | undefined {
    return this.#rewrap(wrapped, subjectKeyNames(organisationId, subjectKeyId));
  }

  rewrapPseudonymSecret(wrapped: Uint8Array): Rewrapped | undefined {
    return this.#rewrap(wrapped, PSEUDONYM_NAMES);
  }

  #rewrap(wrapped: Uint8Array, names: Uint8Array): Rewrapped | undefined {
    const opened = this.#unwrap(wrapped, names);
    if (opened === undefined) return undefined;
    const anew = this.#wrap(opened.secret, names);
    // It takes the place of the only other wrap: what does not open must not get there.
    const again = this.#unwrap(anew, names);
    if (again === undefined || !again.secret.equals(opened.secret))
      throw new DomainError<VaultErrorCode>('content_damaged', 'A new wrap does not open.');
    again.secret.fill(0);
    opened.secret.fill(0);
    return { from: opened.id, wrapped: anew };
  }

  #wrap(secret: Uint8Array, names: Uint8Array): Buffer {
    const { id, key } = this.#current;
    const head = Buffer.concat([Buffer.from([NAMED_WRAP]), Buffer.from(id, 'hex')]);
    const nonce = randomBytes(XAES_NONCE_BYTES);
    const cipher = xaesEncryption(key, nonce, Buffer.concat([head, names]));
    return Buffer.concat([head, nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
  }

  #unwrap(
    wrapped: Uint8Array,
    names: Uint8Array,
  ): { readonly id: string; readonly secret: Buffer } | undefined {
    const under = wrappedUnder(wrapped);
    const head = under === undefined ? 0 : HEAD_BYTES;
    if (wrapped.length !== head + UNNAMED_BYTES) return undefined;
    const bound = Buffer.concat([wrapped.subarray(0, head), names]);
    for (const { id, key } of this.#all) {
      if (under !== undefined && under !== id) continue;
      const secret = opened(key, wrapped.subarray(head), bound);
      if (secret !== undefined) return { id, secret };
    }
    return undefined;
  }

  #demandKnown(wrapped: Uint8Array, code: 'vault_key_changed' | 'vault_key_unknown'): void {
    const keyId = wrappedUnder(wrapped);
    if (keyId === undefined || this.ids.includes(keyId)) return;
    throw new DomainError<VaultErrorCode>(
      code,
      `This is under the master key ${keyId}, which this process was not given: nothing is lost, add it to CUSTOS_VAULT_OTHER_KEYS.`,
      { keyId },
    );
  }
}

export interface Rewrapped {
  readonly from: string;
  readonly wrapped: Buffer;
}

/** The id of its master key; undefined where the wrap names none. */
export function wrappedUnder(wrapped: Uint8Array): string | undefined {
  if (wrapped.length !== HEAD_BYTES + UNNAMED_BYTES || wrapped[0] !== NAMED_WRAP) return undefined;
  return Buffer.from(wrapped.subarray(1, HEAD_BYTES)).toString('hex');
}

/** Subjects' names as the store knows them: 32 bytes that only who holds the secret can make of a name. */
export class Pseudonyms {
  readonly #secret: Buffer;

  constructor(secret: Uint8Array) {
    this.#secret = Buffer.from(secret);
  }

  of({ organisationId, kind, word }: Subject): Buffer {
    const names = named('custos-vault-subject-v1', [organisationId, kind, word]);
    return createHmac('sha256', this.#secret).update(names).digest();
  }
}

function wrappingOf(bytes: Uint8Array): Wrapping {
  if (bytes.length !== MASTER_KEY_BYTES)
    throw new TypeError(`a master key has ${MASTER_KEY_BYTES} bytes`);
  const derived = (what: string, length: number): Buffer =>
    Buffer.from(hkdfSync('sha256', bytes, Buffer.alloc(0), what, length));
  return {
    id: derived('custos-vault-key-id-v1', KEY_ID_BYTES).toString('hex'),
    key: derived('custos-vault-wrapping-v1', XAES_KEY_BYTES),
  };
}

function opened(key: Buffer, wrapped: Uint8Array, names: Uint8Array): Buffer | undefined {
  const end = wrapped.length - GCM_TAG_BYTES;
  const nonce = wrapped.subarray(0, XAES_NONCE_BYTES);
  const decipher = xaesDecryption(key, nonce, names, wrapped.subarray(end));
  try {
    const secret = decipher.update(wrapped.subarray(XAES_NONCE_BYTES, end));
    return Buffer.concat([secret, decipher.final()]);
  } catch {
    return undefined;
  }
}

const PSEUDONYM_NAMES = named('custos-vault-pseudonym-secret-v1', []);

const subjectKeyNames = (organisationId: string, subjectKeyId: string): Buffer =>
  named('custos-vault-subject-key-v1', [organisationId, subjectKeyId]);
