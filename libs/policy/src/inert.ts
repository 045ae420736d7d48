// Whether a policy cannot match this request whatever the endpoint is: its scope names somebody else, or
// its leading conditions, which read only the context and the asker, already fail. Only used to find out what is read;
// cedar-wasm still evaluates every policy.
import type { CedarValueJson, PolicyJson } from './cedar.js';
import { jurisdictionOf } from './places.js';
import { isNode, literalOf, operatorOf } from './reads.js';
import type { PrincipalProfile } from './types.js';

type Context = Readonly<Record<string, CedarValueJson>>;

/** What is known before any endpoint is looked at. */
interface Known {
  readonly context: Context;
  readonly principal: Readonly<Record<string, unknown>>;
}

export function isInert(policy: PolicyJson, profile: PrincipalProfile, context: Context): boolean {
  if (bindsAnother(policy, profile)) return true;
  const { sector, environment } = profile;
  const organisation = { sector, jurisdiction: jurisdictionOf(profile.jurisdiction) };
  const known = { context, principal: { organisation, workspace: { environment } } };
  for (const { kind, body } of policy.conditions) {
    const held = evaluate(body, known);
    if (held === undefined) return false;
    if (held === (kind === 'unless')) return true;
  }
  return false;
}

/** True where the scope names somebody else than this principal. */
export function bindsAnother({ principal }: PolicyJson, profile: PrincipalProfile): boolean {
  if (principal.op !== '==' && principal.op !== 'in') return false;
  const literal = 'entity' in principal ? literalOf(principal.entity) : undefined;
  if (literal?.type === 'Key') return literal.id !== profile.keyId;
  if (principal.op === '==' || literal === undefined) return false;
  if (literal.type === 'Workspace') return literal.id !== profile.workspaceId;
  return literal.type === 'Organisation' && literal.id !== profile.organisationId;
}

/**
 * Three-valued: undefined = not known from the context alone. Stops at the first unknown from the left, as
 * what follows would be reached only after something that reads the endpoint and might fail.
 */
function evaluate(expr: unknown, known: Known): boolean | undefined {
  const [name, body] = operatorOf(expr);
  if (name === 'Value') return typeof body === 'boolean' ? body : undefined;
  if (!isNode(body)) return undefined;
  const { left, right } = body;
  switch (name) {
    case '&&':
    case '||': {
      const first = evaluate(left, known);
      if (first === undefined || first === (name === '||')) return first;
      return evaluate(right, known);
    }
    case '!': {
      const held = evaluate(body['arg'], known);
      return held === undefined ? undefined : !held;
    }
    case '.': {
      const found = knownValue(expr, known);
      return typeof found === 'boolean' ? found : undefined;
    }
    case 'has': {
      const record = knownValue(left, known);
      const { attr } = body;
      return isNode(record) && typeof attr === 'string' ? Object.hasOwn(record, attr) : undefined;
    }
    case '==':
    case '!=': {
      const value = knownValue(left, known);
      const literal = literalString(right);
      if (typeof value !== 'string' || literal === undefined) return undefined;
      return (value === literal) === (name === '==');
    }
    case 'contains': {
      const set = knownValue(left, known) ?? literalStrings(left);
      const one = literalString(right) ?? knownValue(right, known);
      return Array.isArray(set) && typeof one === 'string' ? set.includes(one) : undefined;
    }
    case 'isEmpty': {
      const set = knownValue(body['arg'], known);
      return Array.isArray(set) ? set.length === 0 : undefined;
    }
    default:
      return undefined;
  }
}

function knownValue(expr: unknown, known: Known): unknown {
  const [name, body] = operatorOf(expr);
  if (name === 'Var') return body === 'context' || body === 'principal' ? known[body] : undefined;
  if (name !== '.' || !isNode(body)) return undefined;
  const record = knownValue(body['left'], known);
  const { attr } = body;
  return isNode(record) && typeof attr === 'string' && Object.hasOwn(record, attr)
    ? record[attr]
    : undefined;
}

function literalString(expr: unknown): string | undefined {
  const [name, body] = operatorOf(expr);
  return name === 'Value' && typeof body === 'string' ? body : undefined;
}

function literalStrings(expr: unknown): string[] | undefined {
  const [name, body] = operatorOf(expr);
  if (name !== 'Set' || !Array.isArray(body)) return undefined;
  const all = body.map((e) => literalString(e));
  return all.every((s) => s !== undefined) ? all : undefined;
}
