import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import type { BundleStep, StepDetails } from '../steps.js';

/** What happened to a version, in order; the last row is where it stands. */
@Entity({ schema: 'policy', name: 'bundle_step' })
export class BundleStepEntity {
  @PrimaryGeneratedColumn('identity', { type: 'bigint', generatedIdentity: 'ALWAYS' })
  seq!: string;

  @Column({ type: 'text' })
  version!: string;

  @Column({ type: 'text' })
  step!: BundleStep;

  @Column({ type: 'timestamptz' })
  at!: Date;

  @Column({ type: 'text' })
  actor!: string;

  @Column({ type: 'jsonb' })
  details!: StepDetails;
}
