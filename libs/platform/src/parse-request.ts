import type { z } from 'zod';
import { DomainError } from '#libs/kernel';

/** A body with a thousand faults is answered with the first twenty. */
const FAULTS_MAX = 20;

/** A body or query as its schema says. Throws `invalid_request` that names every fault by its place, never its value. */
export function parseRequest<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues
    .slice(0, FAULTS_MAX)
    .map((issue) => `${issue.path.map(String).join('.') || 'body'}: ${issue.message}`);
  throw new DomainError('invalid_request', faults.join('; '), {
    faults: parsed.error.issues.length,
  });
}
