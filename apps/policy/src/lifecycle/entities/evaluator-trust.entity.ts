import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import type { StepDetails } from '../steps.js';

/** A finding against the compiled evaluator under one bundle, or somebody's word that it is right again. */
@Entity({ schema: 'policy', name: 'evaluator_trust' })
export class EvaluatorTrustEntity {
  @PrimaryGeneratedColumn('identity', { type: 'bigint', generatedIdentity: 'ALWAYS' })
  seq!: string;

  @Column({ type: 'text' })
  version!: string;

  /** Of the product: another version is another evaluator. */
  @Column({ type: 'text' })
  software!: string;

  @Column({ type: 'boolean' })
  trusted!: boolean;

  @Column({ type: 'timestamptz' })
  at!: Date;

  @Column({ type: 'text' })
  actor!: string;

  @Column({ type: 'jsonb' })
  details!: StepDetails;
}
