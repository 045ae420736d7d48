import type { MigrationInterface, QueryRunner } from 'typeorm';
import { CITED_DIGEST, CITES_DIGEST } from '../cited-records.js';

/**
 * What replay and simulation look up: verdicts and slices of health by the digest that generations cite, and the
 * administrative changes in order. Both indexes hold a small share of all leaves, so that sealing hardly feels them.
 */
export class PolicyReads1763700008000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `create index entry_cited on ledger.entry ((${CITED_DIGEST})) where ${CITES_DIGEST}`,
    );
    await runner.query(
      `create index leaf_control_changed on ledger.leaf (leaf_index)
       where type = 'custos.control.changed.v1'`,
    );
  }

  async down(): Promise<void> {
    // Goes with the schema.
  }
}
