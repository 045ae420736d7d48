// Break-glass: a rule is lifted for a while, for a few, by two people. Cedar cannot overrule a forbid with a permit,
// so only a rule that names the exception in its own text can be lifted; a statutory rule does not.
import { sha256 } from '#libs/kernel';

import { policyJson } from './cedar.js';
import type { PolicyJson } from './cedar.js';
import { isNode, operatorOf } from './reads.js';
import type { PolicyBundle, PrincipalProfile } from './types.js';

export const EXCEPTION_SCOPES = ['organisation', 'workspace', 'key'] as const;
export type ExceptionScope = (typeof EXCEPTION_SCOPES)[number];

/** An approved exception as it is signed and published. Never changed; revoked by being left out. */
export interface PolicyException {
  readonly id: string;
  /** Ids of the policies it lifts. */
  readonly policies: readonly string[];
  readonly scope: { readonly kind: ExceptionScope; readonly id: string };
  readonly requestedBy: string;
  /** Never who requested it. */
  readonly approvedBy: string;
  readonly ticket: string;
  /** ISO instant. */
  readonly expiresAt: string;
}

/** What rules see of all exceptions in force for one principal at one moment, as one record. */
export interface BreakGlass {
  /** Their ids, sorted: for the decision's record. */
  readonly exceptions: readonly string[];
  readonly policies: readonly string[];
  readonly approver: string;
  readonly ticket: string;
  /** Of the first that ends. */
  readonly expiresMs: number;
}

/**
 * The exceptions that may count for this principal now, under this bundle; undefined where there is none. What the
 * bundle does not let be lifted is left out, so that a bundle without such rules never meets the attribute.
 */
export function breakGlassFor(
  exceptions: readonly PolicyException[],
  bundle: PolicyBundle,
  profile: PrincipalProfile,
  nowMs: number,
): BreakGlass | undefined {
  if (exceptions.length === 0) return undefined;
  const liftable = liftablePolicies(bundle);
  const live = exceptions
    .filter((e) => nowMs < Date.parse(e.expiresAt) && covers(e, profile))
    .filter((e) => e.policies.some((id) => liftable.has(id)))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  return breakGlassOf(live, bundle);
}

/** These exceptions as the one record that rules see: for the record's own ids, when the past is decided again. */
export function breakGlassOf(
  live: readonly PolicyException[],
  bundle: PolicyBundle,
): BreakGlass | undefined {
  if (live.length === 0) return undefined;
  const liftable = liftablePolicies(bundle);
  const distinct = (words: readonly string[]): string[] => [...new Set(words)].toSorted();
  return {
    exceptions: live.map((e) => e.id).toSorted(),
    policies: distinct(live.flatMap((e) => e.policies).filter((id) => liftable.has(id))),
    approver: distinct(live.map((e) => e.approvedBy)).join(' '),
    ticket: distinct(live.map((e) => e.ticket)).join(' '),
    expiresMs: Math.min(...live.map((e) => Date.parse(e.expiresAt))),
  };
}

function covers({ scope }: PolicyException, profile: PrincipalProfile): boolean {
  const ids = {
    organisation: profile.organisationId,
    workspace: profile.workspaceId,
    key: profile.keyId,
  };
  return ids[scope.kind] === scope.id;
}

/** Changes with the set of exceptions; empty where there is none. */
export const exceptionsEpochOf = (exceptions: readonly PolicyException[]): string =>
  exceptions.length === 0
    ? ''
    : sha256(
        exceptions
          .map((e) => e.id)
          .toSorted()
          .join(' '),
      );

const liftables = new WeakMap<PolicyBundle, ReadonlySet<string>>();

/** Ids of the policies whose text asks `context.breakGlass.policies.contains("<own id>")`. */
export function liftablePolicies(bundle: PolicyBundle): ReadonlySet<string> {
  let found = liftables.get(bundle);
  if (found === undefined) {
    const named = Object.entries(bundle.policies).filter(([id, text]) => {
      const json = policyJson(text);
      return json.ok && isLiftable(id, json.value);
    });
    found = new Set(named.map(([id]) => id));
    liftables.set(bundle, found);
  }
  return found;
}

/** Whether a policy's text asks for an exception to itself. */
export const isLiftable = (id: string, { conditions }: PolicyJson): boolean =>
  conditions.some(({ body }) => asksFor(body, id));

function asksFor(expr: unknown, id: string): boolean {
  if (Array.isArray(expr)) return expr.some((e) => asksFor(e, id));
  if (!isNode(expr)) return false;
  const [name, body] = operatorOf(expr);
  if (name === 'contains' && isNode(body)) {
    const [literal, value] = operatorOf(body['right']);
    if (literal === 'Value' && value === id && isLiftedList(body['left'])) return true;
  }
  return Object.values(expr).some((e) => asksFor(e, id));
}

const isLiftedList = (expr: unknown): boolean =>
  attributeOf(attributeOf(expr, 'policies'), 'breakGlass', true) !== undefined;

/** The expression left of `.name`, where it is that; `ofContext` asks it to be the context itself. */
function attributeOf(expr: unknown, attribute: string, ofContext = false): unknown {
  const [name, body] = operatorOf(expr);
  if (name !== '.' || !isNode(body) || body['attr'] !== attribute) return undefined;
  const [left, variable] = operatorOf(body['left']);
  return ofContext && (left !== 'Var' || variable !== 'context') ? undefined : body['left'];
}
