import type { EntityManager } from 'typeorm';
import { applyStep, type Procedure, type Said } from '../dual-control/procedure.js';
import { ContentReadingEntity } from './content-reading.entity.js';

export interface NewReading {
  readonly generationId: string;
  readonly organisationId: string;
  readonly ledgerId: string;
  readonly subjectKeyId: string;
  readonly reason: string;
  readonly ticket?: string;
}

/** How the leave to read changes. Each reading has a record of its own besides. */
export type ReadingChange =
  | (Said & NewReading & { readonly kind: 'reading.proposed' })
  | (Said & {
      readonly kind: 'reading.approved' | 'reading.withdrawn';
      readonly generationId: string;
      readonly ledgerId: string;
    });

/** Content is read by who asked for it, once a second person agreed. */
export const READINGS: Procedure<ContentReadingEntity, NewReading, ReadingChange> = {
  what: 'reading',
  entity: ContentReadingEntity,
  steps: [
    {
      decision: 'approve',
      from: 'proposed',
      to: 'approved',
      kind: 'reading.approved',
      notBy: (reading) => reading.author,
      change: (reading, said) => ({ kind: 'reading.approved', ...ofReading(reading, said) }),
      sets: ({ by, at }) => ({ decidedBy: by, decidedAt: at }),
    },
    {
      decision: 'withdraw',
      from: 'proposed',
      to: 'withdrawn',
      kind: 'reading.withdrawn',
      change: (reading, said) => ({ kind: 'reading.withdrawn', ...ofReading(reading, said) }),
      sets: ({ by, at }) => ({ decidedBy: by, decidedAt: at }),
    },
  ],
  propose: async (reading, said) => ({ kind: 'reading.proposed', ...reading, ...said }),
};

const ofReading = ({ generationId, ledgerId }: ContentReadingEntity, said: Said) => ({
  ...said,
  generationId,
  ledgerId,
});

export async function applyReadingChange(
  manager: EntityManager,
  change: ReadingChange,
): Promise<void> {
  if (change.kind !== 'reading.proposed') return applyStep(manager, READINGS, change);
  const { id, by, at, kind: _, ...reading } = change;
  await manager.insert(ContentReadingEntity, {
    ...reading,
    id,
    status: 'proposed',
    author: by,
    proposedAt: new Date(at),
  });
}
