import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { CustomerStatement } from '#libs/catalog';

export type FactStatus = 'proposed' | 'in-force' | 'suspended' | 'revoked';

/** What an organisation states of a provider's offers to it, on the strength of a document. Never deleted. */
@Entity({ schema: 'control', name: 'customer_fact' })
export class CustomerFactEntity {
  @PrimaryColumn({ type: 'text' })
  id!: string;

  @Column({ type: 'text', name: 'organisation_id' })
  organisationId!: string;

  @Column({ type: 'jsonb' })
  statement!: CustomerStatement;

  @Column({ type: 'text' })
  status!: FactStatus;

  /** Who entered it, as the log names actors. */
  @Column({ type: 'text' })
  author!: string;

  @Column({ type: 'timestamptz', name: 'proposed_at' })
  proposedAt!: Date;

  @Column({ type: 'text', nullable: true })
  approver!: string | null;

  @Column({ type: 'timestamptz', name: 'approved_at', nullable: true })
  approvedAt!: Date | null;

  /** Who took it out of use alone; whoever lets it go after that is another person. */
  @Column({ type: 'text', name: 'suspended_by', nullable: true })
  suspendedBy!: string | null;

  @Column({ type: 'timestamptz', name: 'suspended_at', nullable: true })
  suspendedAt!: Date | null;

  @Column({ type: 'text', name: 'revoked_by', nullable: true })
  revokedBy!: string | null;

  @Column({ type: 'timestamptz', name: 'revoked_at', nullable: true })
  revokedAt!: Date | null;
}
