import type { ControlChange } from '#libs/audit-events';
import type { DecidedChange } from '#libs/audit-log';
import type { ExceptionScope } from '#libs/policy';
import type { ActivationCause, StepDetails } from './steps.js';

/** Every way in which the policy engine's state can change. Lies in the outbox until its record is in the log. */
export type Change =
  | {
      readonly kind: 'policy.drafted';
      readonly version: string;
      readonly policies: Readonly<Record<string, string>>;
      readonly schema: string;
      readonly comment: string;
    }
  | {
      readonly kind:
        'policy.validated' | 'policy.simulated' | 'policy.proposed' | 'policy.rejected';
      readonly version: string;
      readonly details: StepDetails;
    }
  | {
      readonly kind: 'policy.approved';
      readonly version: string;
      readonly details: StepDetails;
      readonly signature: string;
    }
  | {
      readonly kind: 'policy.activated';
      readonly version: string;
      readonly previous: string | null;
      readonly rollBackTo: string | null;
      readonly cause: ActivationCause;
      readonly details: StepDetails;
      /** Where no approval has signed it: the first bundle. */
      readonly signature?: string;
    }
  | {
      readonly kind: 'exception.requested';
      readonly id: string;
      readonly policies: readonly string[];
      readonly scopeKind: ExceptionScope;
      readonly scopeId: string;
      readonly ticket: string;
      readonly reason: string;
      readonly expiresAt: string;
    }
  | { readonly kind: 'exception.approved'; readonly id: string; readonly signature: string }
  | {
      readonly kind: 'evaluator.distrusted' | 'evaluator.trusted';
      readonly version: string;
      readonly software: string;
      readonly details: StepDetails;
    }
  | { readonly kind: 'exception.revoked'; readonly id: string; readonly reason: string };

/** What the log is told: of a bundle its version, which is the digest of its text, never the text. */
export function recordOf({ seq, decidedAt, actor, change }: DecidedChange<Change>): {
  readonly type: 'custos.control.changed.v1' | 'custos.policy.activated.v1';
  readonly data: ControlChange;
} {
  const { kind } = change;
  return {
    type: kind === 'policy.activated' ? 'custos.policy.activated.v1' : 'custos.control.changed.v1',
    data: {
      at: decidedAt.toISOString(),
      actor,
      change: kind,
      subject: 'version' in change ? change.version : change.id,
      values: { ...valuesOf(change), changeId: seq },
    },
  };
}

function valuesOf(change: Change): Readonly<Record<string, unknown>> {
  switch (change.kind) {
    case 'policy.drafted':
      return { policies: Object.keys(change.policies).length, comment: change.comment };
    case 'policy.activated': {
      const { version, previous, cause, details } = change;
      return { version, previous, cause, ...details };
    }
    case 'evaluator.distrusted':
    case 'evaluator.trusted':
      return { software: change.software, ...change.details };
    case 'exception.requested': {
      const { kind: _, id: __, ...asked } = change;
      return asked;
    }
    case 'exception.approved':
      return {};
    case 'exception.revoked':
      return { reason: change.reason };
    default:
      return change.details;
  }
}
