import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { LimitReset } from '#libs/kernel';
import { amountTransformer } from './amount.transformer.js';

/** How long what comes is kept, and whether to be refused rather than not kept. */
export interface KeepsContent {
  readonly keepDays: number;
  readonly required?: true;
}

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

  /** Null = nothing of what it sends or is sent is kept. */
  @Column({ type: 'jsonb', name: 'content_vault', nullable: true })
  contentVault!: KeepsContent | null;
}
