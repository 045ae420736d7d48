// What strict validation lets pass and we do not: operators that the compiled evaluator lacks, and the
// empty-set trap.
import type { PolicyJson } from './cedar.js';
import { compilePolicies } from './compiled/compiled-set.js';
import { isNode, operatorOf } from './reads.js';

export interface ConditionFault {
  readonly code: 'operator' | 'empty-set';
  readonly message: string;
}

export function lintConditions(json: PolicyJson): ConditionFault[] {
  const compiled = compilePolicies({ policy: json });
  const faults: ConditionFault[] = compiled.ok
    ? []
    : compiled.unsupported.map(({ operator }) => ({
        code: 'operator',
        message: `not among the operators used here: ${operator}`,
      }));
  const unguarded = new Set<string>();
  let known: Known = NOTHING;
  for (const { kind, body } of json.conditions) {
    find(body, known, unguarded);
    // What a `when` demands holds for the clauses after it, and so does what an `unless` lets off.
    known = and(known, kind === 'when' ? nonEmptyIf(body, true) : nonEmptyIf(body, false));
  }
  for (const path of unguarded) {
    const message = `containsAll(${path}) holds for an empty set: ask !${path}.isEmpty() beside it`;
    faults.push({ code: 'empty-set', message });
  }
  return faults;
}

/** Paths known not to be empty. */
type Known = ReadonlySet<string>;
const NOTHING: Known = new Set();

const and = (known: Known, more: Known): Known => (more.size === 0 ? known : known.union(more));

/** Visits every expression with what is known not to be empty where it stands. */
function find(expr: unknown, known: Known, unguarded: Set<string>): void {
  const [name, body] = operatorOf(expr);
  if (Array.isArray(body)) {
    for (const element of body as readonly unknown[]) find(element, known, unguarded);
    return;
  }
  if (!isNode(body)) return;
  if (name === '&&' || name === '||') {
    // The other side is asked only where this one did not settle it; for a pure test the order is all one.
    const asks = name === '&&';
    find(body['left'], and(known, nonEmptyIf(body['right'], asks)), unguarded);
    find(body['right'], and(known, nonEmptyIf(body['left'], asks)), unguarded);
    return;
  }
  if (name === 'if-then-else') {
    find(body['if'], known, unguarded);
    find(body['then'], and(known, nonEmptyIf(body['if'], true)), unguarded);
    find(body['else'], and(known, nonEmptyIf(body['if'], false)), unguarded);
    return;
  }
  if (name === 'containsAll') {
    const path = resourcePath(body['right']);
    if (path !== undefined && !known.has(path)) unguarded.add(path);
  }
  for (const operand of Object.values(body)) find(operand, known, unguarded);
}

/** Paths that cannot be empty where `expr` came out as `outcome`. */
function nonEmptyIf(expr: unknown, outcome: boolean): Known {
  const [name, body] = operatorOf(expr);
  if (!isNode(body)) return NOTHING;
  if (name === '!') return nonEmptyIf(body['arg'], !outcome);
  if (name === (outcome ? '&&' : '||')) {
    return and(nonEmptyIf(body['left'], outcome), nonEmptyIf(body['right'], outcome));
  }
  const path = name === 'isEmpty' && !outcome ? resourcePath(body['arg']) : undefined;
  return path === undefined ? NOTHING : new Set([path]);
}

/** `resource.a.b`, where the expression is exactly that. */
function resourcePath(expr: unknown): string | undefined {
  const [name, body] = operatorOf(expr);
  if (name === 'Var') return body === 'resource' ? 'resource' : undefined;
  if (name !== '.' || !isNode(body)) return undefined;
  const left = resourcePath(body['left']);
  return left === undefined ? undefined : `${left}.${String(body['attr'])}`;
}
