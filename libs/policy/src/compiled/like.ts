import { FAULT } from './values.js';
import type { Value } from './values.js';

/** Cedar's `like`: wildcards stand for any characters, none included. Undefined: not a pattern. */
export function likePattern(pattern: unknown): ((value: Value) => boolean) | undefined {
  if (!Array.isArray(pattern)) return undefined;
  // Texts between wildcards: always one more than there are wildcards.
  const texts = [''];
  for (const element of pattern as readonly unknown[]) {
    if (element === 'Wildcard') texts.push('');
    else if (isLiteral(element)) texts[texts.length - 1] += element.Literal;
    else return undefined;
  }
  const first = texts[0] ?? '';
  const last = texts.at(-1) ?? '';
  const between = texts.slice(1, -1);
  return (value) => {
    if (typeof value !== 'string') throw FAULT;
    if (texts.length === 1) return value === first;
    if (!value.startsWith(first) || !value.endsWith(last)) return false;
    // Leftmost matches leave the most room for what follows.
    let at = first.length;
    for (const text of between) {
      const found = value.indexOf(text, at);
      if (found < 0) return false;
      at = found + text.length;
    }
    return at + last.length <= value.length;
  };
}

const isLiteral = (element: unknown): element is { readonly Literal: string } =>
  typeof element === 'object' &&
  element !== null &&
  'Literal' in element &&
  typeof element.Literal === 'string';
