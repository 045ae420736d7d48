import { createHash } from 'node:crypto';

/** The partition all records of a writer go to (ADR 0002): the first 32 bits of the id's SHA-256, modulo. */
export function partitionOf(writerId: string, partitionsPerTopic: number): number {
  return createHash('sha256').update(writerId).digest().readUInt32BE(0) % partitionsPerTopic;
}
