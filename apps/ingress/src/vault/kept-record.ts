import type { ContentKept } from '#libs/audit-events';
import type { ItemsOf, SealedItem } from '#libs/vault';

/** What the log is told of one generation's stored items. */
export const keptRecord = (
  { generationId, organisationId, subjectKeyId, expiresAt: keepUntil }: ItemsOf,
  items: readonly SealedItem[],
  { at, tooLarge }: { readonly at: string; readonly tooLarge: boolean },
): ContentKept => ({
  generationId,
  organisationId,
  at,
  subjectKeyId,
  keepUntil,
  parts: items.map(({ part, bytes, digest }) => ({
    part,
    bytes,
    digest: `sha256:${digest.toString('hex')}`,
  })),
  ...(tooLarge && { leftOut: [{ part: 'response' as const, why: 'too_large' }] }),
});
