import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { LedgerCorrection } from '#libs/audit-events';

export type CorrectionStatus = 'proposed' | 'approved' | 'withdrawn';
/** What a correction says of a generation: its usage, or its amounts. */
export type CorrectionContent = Pick<LedgerCorrection, 'usage' | 'amount'>;

/** An operator's correction of a generation. Never deleted: what was proposed and by whom stays. */
@Entity({ schema: 'control', name: 'correction' })
export class CorrectionEntity {
  @PrimaryColumn({ type: 'text' })
  id!: string;

  @Column({ type: 'text', name: 'organisation_id' })
  organisationId!: string;

  @Column({ type: 'text', name: 'generation_id' })
  generationId!: string;

  /** Given at approval: the highest of a generation is in force. */
  @Column({ type: 'integer', nullable: true })
  number!: number | null;

  @Column({ type: 'jsonb' })
  content!: CorrectionContent;

  @Column({ type: 'text' })
  reason!: string;

  @Column({ type: 'text' })
  status!: CorrectionStatus;

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
