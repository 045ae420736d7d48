import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { LegalHoldScope } from '#libs/audit-events';

/** `lifting`: in force, and somebody has proposed to lift it. */
export type LegalHoldStatus = 'proposed' | 'in-force' | 'lifting' | 'lifted' | 'withdrawn';

/** A legal hold. Never deleted: who proposed and approved its beginning and its end stays. */
@Entity({ schema: 'control', name: 'legal_hold' })
export class LegalHoldEntity {
  @PrimaryColumn({ type: 'text' })
  id!: string;

  /** The ledger whose records it keeps. */
  @Column({ type: 'text', name: 'ledger_id' })
  ledgerId!: string;

  @Column({ type: 'jsonb' })
  scope!: LegalHoldScope;

  @Column({ type: 'text' })
  matter!: string;

  @Column({ type: 'text' })
  reason!: string;

  @Column({ type: 'text' })
  status!: LegalHoldStatus;

  @Column({ type: 'text' })
  author!: string;

  @Column({ type: 'timestamptz', name: 'proposed_at' })
  proposedAt!: Date;

  /** Who approved or withdrew it. */
  @Column({ type: 'text', name: 'decided_by', nullable: true })
  decidedBy!: string | null;

  @Column({ type: 'timestamptz', name: 'decided_at', nullable: true })
  decidedAt!: Date | null;

  @Column({ type: 'text', name: 'lift_author', nullable: true })
  liftAuthor!: string | null;

  @Column({ type: 'text', name: 'lift_reason', nullable: true })
  liftReason!: string | null;

  @Column({ type: 'text', name: 'lifted_by', nullable: true })
  liftedBy!: string | null;

  @Column({ type: 'timestamptz', name: 'lifted_at', nullable: true })
  liftedAt!: Date | null;
}
