import type { MigrationInterface, QueryRunner } from 'typeorm';
import { STAY_FOR_EVER, stayingFunction } from './1763800002200-cited-records-stay.js';

/** What proves that somebody's content was erased, or that two persons gave a signed head up, outlives its month too. */
export class ErasuresStay1763800008000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    const types = [...STAY_FOR_EVER, 'custos.erasure.executed.v1', 'custos.log.head_given_up.v1'];
    await runner.query(`create or replace ${stayingFunction(types)}`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`create or replace ${stayingFunction(STAY_FOR_EVER)}`);
  }
}
