import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { FactDefaults, Role } from '#libs/identity';
import type { LimitReset } from '#libs/kernel';
import { amountTransformer } from './amount.transformer.js';

@Entity({ schema: 'control', name: 'api_key' })
export class ApiKeyEntity {
  @PrimaryColumn({ type: 'text' })
  id!: string;

  @Column({ type: 'text', name: 'workspace_id' })
  workspaceId!: string;

  @Column({ type: 'text' })
  label!: string;

  @Column({ type: 'text', name: 'secret_sha256' })
  secretSha256!: string;

  @Column({ type: 'text', array: true })
  roles!: Role[];

  @Column({ type: 'jsonb' })
  defaults!: FactDefaults;

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

  @Column({ type: 'boolean' })
  disabled!: boolean;

  @Column({ type: 'timestamptz', name: 'created_at' })
  createdAt!: Date;
}
