import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import type { ActivationCause } from '../steps.js';

/** The last row is what is in force; the rows before it tell what was, and when. */
@Entity({ schema: 'policy', name: 'activation' })
export class ActivationEntity {
  @PrimaryGeneratedColumn('identity', { type: 'bigint', generatedIdentity: 'ALWAYS' })
  seq!: string;

  @Column({ type: 'text' })
  version!: string;

  @Column({ type: 'text', nullable: true })
  previous!: string | null;

  /** Where a rollback from here leads: never to a version that was itself rolled back from. */
  @Column({ type: 'text', name: 'roll_back_to', nullable: true })
  rollBackTo!: string | null;

  @Column({ type: 'text' })
  cause!: ActivationCause;

  @Column({ type: 'timestamptz' })
  at!: Date;

  @Column({ type: 'text' })
  actor!: string;
}
