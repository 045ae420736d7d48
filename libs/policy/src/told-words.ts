// Which words of a request a policy can tell from each other. A word that is held against literals only, and is none of
// them, gives the same answer as any other such word.
import type { PolicyJson } from './cedar.js';
import { isNode, operatorOf } from './reads.js';

/** Words that are told from all others, or `all` where some policy reads them in another way. */
export type ToldWords = ReadonlySet<string> | 'all';

/** `context.purpose` is one word, `context.tags` a set of them. */
export interface ToldInContext {
  readonly purpose: ToldWords;
  readonly tags: ToldWords;
}

type Member = keyof ToldInContext;

export function toldInContext(policies: readonly PolicyJson[]): ToldInContext {
  const found = { purpose: new Told(), tags: new Told() };
  for (const { conditions } of policies) for (const { body } of conditions) walk(body, found);
  return { purpose: found.purpose.words, tags: found.tags.words };
}

class Told {
  words: Set<string> | 'all' = new Set();

  add(words: readonly string[]): void {
    if (this.words !== 'all') for (const word of words) this.words.add(word);
  }

  all(): void {
    this.words = 'all';
  }
}

function walk(expr: unknown, found: Readonly<Record<Member, Told>>): void {
  if (Array.isArray(expr)) {
    for (const e of expr) walk(e, found);
    return;
  }
  if (!isNode(expr)) return;
  const member = memberOf(expr);
  // Not as a side of one of the comparisons below, so it is read as a whole.
  if (member !== undefined) return found[member].all();
  const [name, body] = operatorOf(expr);
  if (name === 'Var' && body === 'context') {
    found.purpose.all();
    found.tags.all();
    return;
  }
  // A way through the context that is no member of it by name: `context.want.zdr`, `context has breakGlass`.
  if ((name === '.' || name === 'has') && isNode(body) && isContext(body['left'])) return;
  if (isNode(body) && 'left' in body && 'right' in body) {
    const { left, right } = body;
    if (compared(name, left, right, found) || compared(name, right, left, found, true)) return;
  }
  for (const value of Object.values(expr)) walk(value, found);
}

/** True where this is one of the comparisons with literals that tell only these. */
function compared(
  operator: string,
  side: unknown,
  other: unknown,
  found: Readonly<Record<Member, Told>>,
  flipped = false,
): boolean {
  const member = memberOf(side);
  const words = member === undefined ? undefined : wordsIn(other);
  if (member === undefined || words === undefined) return false;
  const tells =
    member === 'purpose'
      ? operator === '==' || operator === '!=' || (flipped && operator === 'contains')
      : !flipped &&
        (operator === 'contains' || operator === 'containsAny' || operator === 'containsAll');
  if (tells || (member === 'tags' && flipped && operator === 'containsAny'))
    found[member].add(words);
  else found[member].all();
  return true;
}

function memberOf(expr: unknown): Member | undefined {
  const [name, body] = operatorOf(expr);
  if (name !== '.' || !isNode(body) || !isContext(body['left'])) return undefined;
  return body['attr'] === 'purpose' || body['attr'] === 'tags' ? body['attr'] : undefined;
}

function isContext(expr: unknown): boolean {
  const [name, variable] = operatorOf(expr);
  return name === 'Var' && variable === 'context';
}

/** Strings of a literal, or of a set of literals; undefined for anything else. */
function wordsIn(expr: unknown): readonly string[] | undefined {
  const [name, body] = operatorOf(expr);
  if (name === 'Value' && typeof body === 'string') return [body];
  if ((name !== 'Set' && name !== 'Value') || !Array.isArray(body)) return undefined;
  const words = body.map((e) => (typeof e === 'string' ? [e] : wordsIn(e)));
  return words.every((w) => w !== undefined) ? words.flat() : undefined;
}
