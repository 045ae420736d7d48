import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { LimitReset } from '#libs/kernel';
import { amountTransformer } from './amount.transformer.js';

@Entity({ schema: 'control', name: 'organisation' })
export class OrganisationEntity {
  @PrimaryColumn({ type: 'text' })
  id!: string;

  @Column({ type: 'text' })
  name!: string;

  @Column({ type: 'text' })
  sector!: string;

  @Column({ type: 'text' })
  jurisdiction!: string;

  /** The ledger that keeps its records and books. */
  @Column({ type: 'text', name: 'ledger_id' })
  ledgerId!: string;

  /** Null = unlimited. */
  @Column({
    type: 'numeric',
    name: 'limit_pico_usd',
    nullable: true,
    transformer: amountTransformer,
  })
  limitPicoUsd!: bigint | null;

  /** Null = never: the limit is for the lifetime. */
  @Column({ type: 'text', name: 'limit_reset', nullable: true })
  limitReset!: LimitReset | null;

  /** What it has bought in advance is its limit, beside the one above. */
  @Column({ type: 'boolean' })
  prepaid!: boolean;
}
