// Whether a policy cannot match this request whatever the endpoint is: its scope names somebody else, or
// its leading conditions, which read only the context, already fail. Only used to find out what is read;
// cedar-wasm still evaluates every policy.
import type { CedarValueJson, PolicyJson } from './cedar.js';
import { isNode, literalOf, operatorOf } from './reads.js';
import type { PrincipalProfile } from './types.js';

type Context = Readonly<Record<string, CedarValueJson>>;

export function isInert(policy: PolicyJson, profile: PrincipalProfile, context: Context): boolean {
  if (bindsAnother(policy, profile)) return true;
  for (const { kind, body } of policy.conditions) {
    const held = evaluate(body, context);
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
function evaluate(expr: unknown, context: Context): boolean | undefined {
  const [name, body] = operatorOf(expr);
  if (name === 'Value') return typeof body === 'boolean' ? body : undefined;
  if (!isNode(body)) return undefined;
  const { left, right } = body;
  switch (name) {
    case '&&':
    case '||': {
      const first = evaluate(left, context);
      if (first === undefined || first === (name === '||')) return first;
      return evaluate(right, context);
    }
    case '!': {
      const held = evaluate(body['arg'], context);
      return held === undefined ? undefined : !held;
    }
    case '.': {
      const found = contextValue(expr, context);
      return typeof found === 'boolean' ? found : undefined;
    }
    case 'has': {
      const record = contextValue(left, context);
      const { attr } = body;
      return isNode(record) && typeof attr === 'string' ? Object.hasOwn(record, attr) : undefined;
    }
    case '==':
    case '!=': {
      const value = contextValue(left, context);
      const literal = literalString(right);
      if (typeof value !== 'string' || literal === undefined) return undefined;
      return (value === literal) === (name === '==');
    }
    case 'contains': {
      const set = contextValue(left, context);
      const literal = literalString(right);
      return Array.isArray(set) && literal !== undefined ? set.includes(literal) : undefined;
    }
    case 'isEmpty': {
      const set = contextValue(body['arg'], context);
      return Array.isArray(set) ? set.length === 0 : undefined;
    }
    default:
      return undefined;
  }
}

function contextValue(expr: unknown, context: Context): unknown {
  const [name, body] = operatorOf(expr);
  if (name === 'Var') return body === 'context' ? context : undefined;
  if (name !== '.' || !isNode(body)) return undefined;
  const record = contextValue(body['left'], context);
  const { attr } = body;
  return isNode(record) && typeof attr === 'string' && Object.hasOwn(record, attr)
    ? record[attr]
    : undefined;
}

function literalString(expr: unknown): string | undefined {
  const [name, body] = operatorOf(expr);
  return name === 'Value' && typeof body === 'string' ? body : undefined;
}
