import { z } from 'zod';

import { DomainError } from '#libs/kernel';

import { openBundle } from './build-bundle.js';
import type { PolicyErrorCode } from './errors.js';
import type { PolicyBundle } from './types.js';

/** Citations are left out: they are derived from the texts, and a reader must not have to believe them. */
const published = z.object({
  version: z.string(),
  policies: z.record(z.string(), z.string()),
  schema: z.string(),
});

/** JSON of a snapshot or of a stored version. */
export const encodeBundle = ({ version, policies, schema }: PolicyBundle): string =>
  JSON.stringify({ version, policies, schema });

/**
 * A bundle from its parsed JSON: built again, linted, validated, and of the version it claims.
 * Throws `policy-bundle-unusable` with every fault. Takes tens of milliseconds.
 */
export function decodeBundle(json: unknown): PolicyBundle {
  const parsed = published.safeParse(json);
  if (!parsed.success) throw unusable(z.prettifyError(parsed.error));
  const opened = openBundle(parsed.data);
  if (opened.ok) return opened.bundle;
  throw unusable(opened.faults.map((f) => `${f.policyId ?? f.file}: ${f.message}`).join('; '));
}

const unusable = (message: string): DomainError<PolicyErrorCode> =>
  new DomainError('policy-bundle-unusable', message);
