import { createRequire } from 'node:module';
import { crc32c } from './crc32c.js';

/** Long enough for every step of both, and no multiple of eight. */
const SAMPLE = Buffer.from('a record batch that both must give the same checksum');

/**
 * kafkajs 2.2.4 takes the checksum of a batch byte by byte, which was the ingress's dearest single function on Kafka (ADR
 * 0033). Ours takes its place before kafkajs reads it; where kafkajs has no such module any more, or one that says otherwise
 * of the sample, it keeps its own. Loaded for this effect, before kafkajs.
 */
function replaceChecksum(): void {
  const require = createRequire(import.meta.url);
  try {
    const path = require.resolve('kafkajs/src/protocol/recordBatch/crc32C');
    const theirs: unknown = require(path);
    const loaded = require.cache[path];
    if (loaded === undefined || typeof theirs !== 'function') return;
    if (theirs(SAMPLE) === crc32c(SAMPLE)) loaded.exports = crc32c;
  } catch {
    // Another version, laid out otherwise: slower, and no less right.
  }
}

replaceChecksum();
