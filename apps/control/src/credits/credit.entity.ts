import { Column, Entity, PrimaryColumn } from 'typeorm';
import { amountTransformer } from '../entities/amount.transformer.js';

/** A purchase of credit whose record is in the log. Never changed, never deleted. */
@Entity({ schema: 'control', name: 'credit' })
export class CreditEntity {
  @PrimaryColumn({ type: 'text' })
  id!: string;

  @Column({ type: 'text', name: 'organisation_id' })
  organisationId!: string;

  /** The buyer's own name for the purchase: asked again, it is the same one. */
  @Column({ type: 'text', name: 'idempotency_key' })
  idempotencyKey!: string;

  @Column({ type: 'numeric', name: 'amount_pico_usd', transformer: amountTransformer })
  amountPicoUsd!: bigint;

  @Column({ type: 'numeric', name: 'fee_pico_usd', transformer: amountTransformer })
  feePicoUsd!: bigint;

  @Column({ type: 'text', nullable: true })
  reference!: string | null;

  @Column({ type: 'text' })
  author!: string;

  @Column({ type: 'timestamptz', name: 'bought_at' })
  boughtAt!: Date;
}
