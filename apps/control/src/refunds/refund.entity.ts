import { Column, Entity, PrimaryColumn } from 'typeorm';
import { amountTransformer } from '../entities/amount.transformer.js';

/** `approved`: its record is in the log. What becomes of it the ledger decides, and shows. */
export type RefundStatus = 'proposed' | 'approved' | 'withdrawn';

/** A refund of credit. Never deleted: what was asked for, by whom and why stays. */
@Entity({ schema: 'control', name: 'refund' })
export class RefundEntity {
  @PrimaryColumn({ type: 'text' })
  id!: string;

  @Column({ type: 'text', name: 'organisation_id' })
  organisationId!: string;

  /** The asker's own name for it: asked again, it is the same one. */
  @Column({ type: 'text', name: 'idempotency_key' })
  idempotencyKey!: string;

  /** Null where a whole purchase is to go back. */
  @Column({
    type: 'numeric',
    name: 'amount_pico_usd',
    nullable: true,
    transformer: amountTransformer,
  })
  amountPicoUsd!: bigint | null;

  /** The purchase that is to go back whole, with its fee. */
  @Column({ type: 'text', name: 'credit_id', nullable: true })
  creditId!: string | null;

  @Column({ type: 'text' })
  reason!: string;

  @Column({ type: 'text' })
  status!: RefundStatus;

  @Column({ type: 'text' })
  author!: string;

  @Column({ type: 'timestamptz', name: 'proposed_at' })
  proposedAt!: Date;

  /** Who approved or withdrew it. */
  @Column({ type: 'text', name: 'decided_by', nullable: true })
  decidedBy!: string | null;

  @Column({ type: 'timestamptz', name: 'decided_at', nullable: true })
  decidedAt!: Date | null;
}
