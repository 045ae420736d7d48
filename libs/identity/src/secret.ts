import { hash, randomBytes } from 'node:crypto';

/** 256 bits: nothing to guess, so a plain hash is enough to store. */
const SECRET_BYTES = 32;
export const SECRET_PREFIX = 'sk-custos-';

/** A new bearer secret. Shown once, never stored. */
export const mintSecret = (prefix: string = SECRET_PREFIX): string =>
  `${prefix}${randomBytes(SECRET_BYTES).toString('base64url')}`;

/** Hex SHA-256 of a secret: what is stored and looked up. */
export const hashSecret = (secret: string): string => hash('sha256', secret, 'hex');
