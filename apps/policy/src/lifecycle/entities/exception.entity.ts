import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { ExceptionScope } from '#libs/policy';

/** A break-glass exception, asked for, perhaps approved, perhaps revoked; kept for ever. */
@Entity({ schema: 'policy', name: 'exception' })
export class ExceptionEntity {
  @PrimaryColumn({ type: 'text' })
  id!: string;

  @Column({ type: 'text', array: true })
  policies!: string[];

  @Column({ type: 'text', name: 'scope_kind' })
  scopeKind!: ExceptionScope;

  @Column({ type: 'text', name: 'scope_id' })
  scopeId!: string;

  @Column({ type: 'text' })
  ticket!: string;

  @Column({ type: 'text' })
  reason!: string;

  @Column({ type: 'text', name: 'requested_by' })
  requestedBy!: string;

  @Column({ type: 'timestamptz', name: 'requested_at' })
  requestedAt!: Date;

  @Column({ type: 'timestamptz', name: 'expires_at' })
  expiresAt!: Date;

  @Column({ type: 'text', name: 'approved_by', nullable: true })
  approvedBy!: string | null;

  @Column({ type: 'timestamptz', name: 'approved_at', nullable: true })
  approvedAt!: Date | null;

  /** Compact JWS over the approved exception. */
  @Column({ type: 'text', nullable: true })
  signature!: string | null;

  @Column({ type: 'text', name: 'revoked_by', nullable: true })
  revokedBy!: string | null;

  @Column({ type: 'timestamptz', name: 'revoked_at', nullable: true })
  revokedAt!: Date | null;
}
