import { DomainError } from '#libs/kernel';
import type { PolicyAppErrorCode } from '../policy.errors.js';

export const BUNDLE_STEPS = [
  'draft',
  'validated',
  'simulated',
  'proposed',
  'approved',
  'active',
  'superseded',
  'rejected',
] as const;
export type BundleStep = (typeof BUNDLE_STEPS)[number];

/** Free of secrets and small: it stands in the log. */
export type StepDetails = Readonly<Record<string, string | number | boolean>>;

/** How a version comes into force. */
export type ActivationCause = 'first-start' | 'activation' | 'rollback';

/** What may be done to a version, and where it must stand for that. */
const ALLOWED_FROM = {
  // Superseded and rejected ones begin anew: nothing is proposed twice on one approval.
  validate: ['draft', 'validated', 'superseded', 'rejected'],
  simulate: ['validated', 'simulated'],
  propose: ['validated', 'simulated'],
  approve: ['proposed'],
  reject: ['proposed', 'approved'],
  activate: ['approved'],
} as const satisfies Readonly<Record<string, readonly BundleStep[]>>;
export type BundleAction = keyof typeof ALLOWED_FROM;

/** Throws `wrong_step`. */
export function requireStep(action: BundleAction, step: BundleStep): void {
  const from: readonly BundleStep[] = ALLOWED_FROM[action];
  if (from.includes(step)) return;
  throw new DomainError<PolicyAppErrorCode>(
    'wrong_step',
    `A bundle that is ${step} cannot be taken to ${action}; it must be ${from.join(' or ')}.`,
    { step, action },
  );
}
