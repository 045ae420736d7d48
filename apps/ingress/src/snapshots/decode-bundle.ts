import { DomainError } from '#libs/kernel';
import { openBundle, type PolicyBundle } from '#libs/policy';

/** A served bundle, re-validated and its version recomputed: the reader believes the content, not the sender. */
export function decodeBundle(json: unknown): PolicyBundle {
  const opened = openBundle(json as PolicyBundle);
  if (!opened.ok)
    throw new DomainError('invalid_bundle', opened.faults[0]?.message ?? 'not a policy bundle');
  return opened.bundle;
}
