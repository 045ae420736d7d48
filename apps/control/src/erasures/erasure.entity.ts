import { Column, Entity, PrimaryColumn } from 'typeorm';

/** `approved`: recorded, and the key is destroyed as soon as the vault answers; `executed`: it is. */
export type ErasureStatus = 'proposed' | 'withdrawn' | 'approved' | 'executed';

/** An erasure: of what is kept of one subject. The subject is not here, only the id of its key, which names nobody. */
@Entity({ schema: 'control', name: 'erasure' })
export class ErasureEntity {
  @PrimaryColumn({ type: 'text' })
  id!: string;

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
  status!: ErasureStatus;

  @Column({ type: 'text' })
  author!: string;

  @Column({ type: 'timestamptz', name: 'proposed_at' })
  proposedAt!: Date;

  @Column({ type: 'text', name: 'decided_by', nullable: true })
  decidedBy!: string | null;

  @Column({ type: 'timestamptz', name: 'decided_at', nullable: true })
  decidedAt!: Date | null;

  @Column({ type: 'timestamptz', name: 'destroyed_at', nullable: true })
  destroyedAt!: Date | null;
}
