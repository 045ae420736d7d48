import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import type { Change } from '../changes.js';

/** A change that was decided: first it goes to the log, then it takes effect. Never deleted. */
@Entity({ schema: 'control', name: 'outbox' })
export class OutboxRowEntity {
  @PrimaryGeneratedColumn('identity', { type: 'bigint', generatedIdentity: 'ALWAYS' })
  seq!: string;

  @Column({ type: 'timestamptz', name: 'decided_at' })
  decidedAt!: Date;

  @Column({ type: 'text' })
  actor!: string;

  @Column({ type: 'jsonb' })
  change!: Change;

  @Column({ type: 'timestamptz', name: 'applied_at', nullable: true })
  appliedAt!: Date | null;

  /** Where its record lies: `topic/partition/offset`. */
  @Column({ type: 'text', name: 'recorded_in', nullable: true })
  recordedIn!: string | null;
}
