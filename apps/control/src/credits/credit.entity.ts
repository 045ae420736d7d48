import { Column, Entity, PrimaryColumn } from 'typeorm';
import { amountTransformer } from '../entities/amount.transformer.js';

export type CreditStatus = 'proposed' | 'bought' | 'withdrawn';

/** A purchase of credit; once bought its record is in the log, and the row stays as it is. Never deleted. */
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

  /** The terms that the fee follows from; null in rows of before they were kept. */
  @Column({ type: 'jsonb', nullable: true })
  fee!: CreditFeeSaid | null;

  @Column({ type: 'text', nullable: true })
  reference!: string | null;

  @Column({ type: 'text' })
  status!: CreditStatus;

  /** Given by its author, without a second person. */
  @Column({ type: 'boolean' })
  alone!: boolean;

  @Column({ type: 'text' })
  author!: string;

  @Column({ type: 'timestamptz', name: 'proposed_at' })
  proposedAt!: Date;

  /** Who approved or withdrew it. */
  @Column({ type: 'text', name: 'decided_by', nullable: true })
  decidedBy!: string | null;

  @Column({ type: 'timestamptz', name: 'decided_at', nullable: true })
  decidedAt!: Date | null;

  @Column({ type: 'timestamptz', name: 'bought_at', nullable: true })
  boughtAt!: Date | null;
}

/** As the record says it. */
export interface CreditFeeSaid {
  readonly basisPoints: number;
  readonly minimumPicoUsd: string;
}
