import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { Workspace } from '#libs/identity';
import type { LimitReset } from '#libs/kernel';
import { amountTransformer } from './amount.transformer.js';

@Entity({ schema: 'control', name: 'workspace' })
export class WorkspaceEntity {
  @PrimaryColumn({ type: 'text' })
  id!: string;

  @Column({ type: 'text', name: 'organisation_id' })
  organisationId!: string;

  @Column({ type: 'text' })
  name!: string;

  @Column({ type: 'text' })
  environment!: string;

  @Column({ type: 'text' })
  strategy!: Workspace['strategy'];

  @Column({
    type: 'numeric',
    name: 'limit_pico_usd',
    nullable: true,
    transformer: amountTransformer,
  })
  limitPicoUsd!: bigint | null;

  /** Null = never: the limit is for the lifetime. */
  @Column({ type: 'text', name: 'limit_reset', nullable: true })
  limitReset!: LimitReset | null;
}
