import { Column, Entity, PrimaryColumn } from 'typeorm';

/** That somebody may read one generation's content. Never deleted: who asked and who agreed stays. */
@Entity({ schema: 'control', name: 'content_reading' })
export class ContentReadingEntity {
  @PrimaryColumn({ type: 'text' })
  id!: string;

  @Column({ type: 'text', name: 'generation_id' })
  generationId!: string;

  @Column({ type: 'text', name: 'organisation_id' })
  organisationId!: string;

  @Column({ type: 'text', name: 'ledger_id' })
  ledgerId!: string;

  @Column({ type: 'text', name: 'subject_key_id' })
  subjectKeyId!: string;

  @Column({ type: 'text' })
  reason!: string;

  @Column({ type: 'text', nullable: true })
  ticket!: string | null;

  @Column({ type: 'text' })
  status!: 'proposed' | 'withdrawn' | 'approved';

  /** Who reads, once another person agreed. */
  @Column({ type: 'text' })
  author!: string;

  @Column({ type: 'timestamptz', name: 'proposed_at' })
  proposedAt!: Date;

  @Column({ type: 'text', name: 'decided_by', nullable: true })
  decidedBy!: string | null;

  @Column({ type: 'timestamptz', name: 'decided_at', nullable: true })
  decidedAt!: Date | null;
}
