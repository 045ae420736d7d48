import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';

/**
 * An operator's wish to switch an endpoint on or off. The table is the outbox and the history at once: a row takes
 * effect when `recordedAt` is set, that is when its record is in the audit log; the latest such row of an endpoint
 * holds.
 */
@Entity({ schema: 'routing', name: 'endpoint_switch_change' })
export class EndpointSwitchChange {
  /** Decimal text of a bigint; ascending in the order of the wishes. */
  @PrimaryGeneratedColumn('identity', { type: 'bigint', generatedIdentity: 'ALWAYS' })
  readonly seq!: string;

  @Column('text', { name: 'endpoint_id' })
  readonly endpointId!: string;

  @Column('boolean')
  readonly enabled!: boolean;

  /** Id of the key that asked. */
  @Column('text')
  readonly actor!: string;

  @Column('timestamptz', { name: 'changed_at' })
  readonly changedAt!: Date;

  @Column('timestamptz', { name: 'recorded_at', nullable: true })
  readonly recordedAt!: Date | null;
}
