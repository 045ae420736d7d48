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

/** Who content is about: whom the caller named, else the key that called. The word itself is never stored. */
export interface Subject {
  readonly organisationId: string;
  readonly kind: 'named' | 'key';
  readonly word: string;
}

/** The key that is in no database. Without it a copy of the vault's database is noise. */
export class MasterKey {
  readonly #wrapping: Buffer;

  constructor(bytes: Uint8Array) {
    if (bytes.length !== MASTER_KEY_BYTES)
      throw new TypeError(`a master key has ${MASTER_KEY_BYTES} bytes`);
    this.#wrapping = Buffer.from(
      hkdfSync('sha256', bytes, Buffer.alloc(0), 'custos-vault-wrapping-v1', XAES_KEY_BYTES),
    );
  }

  /** A data key for a subject, as it may be stored. Bound to its own id and its organisation. */
  wrapSubjectKey(dataKey: Uint8Array, organisationId: string, subjectKeyId: string): Buffer {
    return this.#wrap(dataKey, subjectKeyNames(organisationId, subjectKeyId));
  }

  /** Throws `content_damaged` where it is not that subject key, or was wrapped by another master key. */
  unwrapSubjectKey(wrapped: Uint8Array, organisationId: string, subjectKeyId: string): Buffer {
    const dataKey = this.#unwrap(wrapped, subjectKeyNames(organisationId, subjectKeyId));
    if (dataKey?.length === XAES_KEY_BYTES) return dataKey;
    throw new DomainError<VaultErrorCode>('content_damaged', 'This is not the key of that name.');
  }

  /** What makes pseudonyms of a new vault, as it is stored. */
  newPseudonymSecret(): Buffer {
    return this.#wrap(randomBytes(XAES_KEY_BYTES), PSEUDONYM_NAMES);
  }

  /** Throws `vault_key_changed` where the vault was begun with another master key. */
  pseudonyms(wrapped: Uint8Array): Pseudonyms {
    const secret = this.#unwrap(wrapped, PSEUDONYM_NAMES);
    if (secret?.length === XAES_KEY_BYTES) return new Pseudonyms(secret);
    throw new DomainError<VaultErrorCode>(
      'vault_key_changed',
      'The vault was begun with another master key than CUSTOS_VAULT_KEY.',
    );
  }

  #wrap(secret: Uint8Array, names: Uint8Array): Buffer {
    const nonce = randomBytes(XAES_NONCE_BYTES);
    const cipher = xaesEncryption(this.#wrapping, nonce, names);
    return Buffer.concat([nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
  }

  #unwrap(wrapped: Uint8Array, names: Uint8Array): Buffer | undefined {
    if (wrapped.length < XAES_NONCE_BYTES + GCM_TAG_BYTES) return undefined;
    const end = wrapped.length - GCM_TAG_BYTES;
    const nonce = wrapped.subarray(0, XAES_NONCE_BYTES);
    const decipher = xaesDecryption(this.#wrapping, nonce, names, wrapped.subarray(end));
    try {
      const secret = decipher.update(wrapped.subarray(XAES_NONCE_BYTES, end));
      return Buffer.concat([secret, decipher.final()]);
    } catch {
      return undefined;
    }
  }
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

const PSEUDONYM_NAMES = named('custos-vault-pseudonym-secret-v1', []);

const subjectKeyNames = (organisationId: string, subjectKeyId: string): Buffer =>
  named('custos-vault-subject-key-v1', [organisationId, subjectKeyId]);
