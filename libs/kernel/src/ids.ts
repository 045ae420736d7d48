import { randomFillSync } from 'node:crypto';

declare const brand: unique symbol;
type Branded<T, B extends string> = T & { readonly [brand]: B };

export type OrganisationId = Branded<string, 'OrganisationId'>;
export type WorkspaceId = Branded<string, 'WorkspaceId'>;
export type KeyId = Branded<string, 'KeyId'>;
export type EndpointId = Branded<string, 'EndpointId'>;
export type GenerationId = Branded<string, 'GenerationId'>;
export type WriterId = Branded<string, 'WriterId'>;

const ID = /^[A-Za-z0-9][A-Za-z0-9._~:@-]{0,199}$/;
const GENERATION = /^gen-[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

function checked<B extends string>(kind: string, value: string, shape: RegExp): Branded<string, B> {
  if (!shape.test(value)) throw new TypeError(`not a ${kind}`);
  return value as Branded<string, B>;
}

export const organisationId = (v: string): OrganisationId => checked('organisation id', v, ID);
export const workspaceId = (v: string): WorkspaceId => checked('workspace id', v, ID);
export const keyId = (v: string): KeyId => checked('key id', v, ID);
export const endpointId = (v: string): EndpointId => checked('endpoint id', v, ID);
export const writerId = (v: string): WriterId => checked('writer id', v, ID);
export const generationId = (v: string): GenerationId => checked('generation id', v, GENERATION);

export const isGenerationId = (v: unknown): v is GenerationId =>
  typeof v === 'string' && GENERATION.test(v);

const RANDOM_POOL_BYTES = 16 * 256;
const pool = Buffer.allocUnsafe(RANDOM_POOL_BYTES);
let poolAt = RANDOM_POOL_BYTES;

/** A UUIDv7 (RFC 9562 section 5.7): 48 bits of Unix milliseconds, then 74 random bits. */
export function uuidV7(unixMs: number): string {
  if (poolAt + 16 > RANDOM_POOL_BYTES) {
    randomFillSync(pool);
    poolAt = 0;
  }
  const b = pool.subarray(poolAt, poolAt + 16);
  poolAt += 16;
  b.writeUIntBE(unixMs, 0, 6);
  b[6] = (b[6]! & 0x0f) | 0x70;
  b[8] = (b[8]! & 0x3f) | 0x80;
  const h = b.toString('hex');
  return `${h.slice(0, 8)}-${h.slice(8, 12)}-${h.slice(12, 16)}-${h.slice(16, 20)}-${h.slice(20)}`;
}

/** Minted by the server only: a billing identity is never taken from a caller. */
export const mintGenerationId = (unixMs: number): GenerationId =>
  `gen-${uuidV7(unixMs)}` as GenerationId;
