import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A version of the law, content-addressed, never changed, never deleted. */
@Entity({ schema: 'policy', name: 'bundle' })
export class BundleEntity {
  @PrimaryColumn({ type: 'text' })
  version!: string;

  /** Cedar text by policy id. */
  @Column({ type: 'jsonb' })
  policies!: Record<string, string>;

  @Column({ type: 'text' })
  schema!: string;

  /** Compact JWS; null until somebody has approved it: what is not approved is not signed. */
  @Column({ type: 'text', nullable: true })
  signature!: string | null;

  @Column({ type: 'text' })
  author!: string;

  @Column({ type: 'text' })
  comment!: string;

  @Column({ type: 'timestamptz', name: 'created_at' })
  createdAt!: Date;
}
