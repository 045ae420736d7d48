import type { Preferences, Strategy } from './types.js';

/** The model that stands for "choose among all that fit". */
export const AUTO_MODEL = 'custos/auto';
const AUTO_ALIASES: ReadonlySet<string> = new Set([AUTO_MODEL, 'openrouter/auto']);

interface Variant {
  readonly strategy?: Strategy;
  readonly sort?: NonNullable<Preferences['sort']>;
}

/** Suffixes that say how to choose. All others (`:free`, `:thinking`, …) are part of a model's name. */
const VARIANTS: ReadonlyMap<string, Variant> = new Map<string, Variant>([
  ['cost-first', { strategy: 'cost-first' }],
  ['quality-first', { strategy: 'quality-first' }],
  ['balanced', { strategy: 'balanced' }],
  ['floor', { strategy: 'cost-first', sort: 'price' }],
  ['nitro', { sort: 'throughput' }],
  ['exacto', { strategy: 'quality-first' }],
]);

export interface ModelRequest {
  /** The name to look up in the catalog; `custos/auto` for each of its aliases. */
  readonly model: string;
  /** Rank across all models that fit, rather than the named one's endpoints. */
  readonly acrossModels: boolean;
  readonly strategy?: Strategy;
  readonly sort?: NonNullable<Preferences['sort']>;
  /** The recognised suffix, without its colon. */
  readonly variant?: string;
}

/** Splits one known suffix off the `model` of a request. Never fails: an unknown name is found out at look-up. */
export function parseModelRequest(requested: string): ModelRequest {
  const colon = requested.lastIndexOf(':');
  const suffix = colon < 0 ? undefined : requested.slice(colon + 1);
  const variant = suffix === undefined ? undefined : VARIANTS.get(suffix);
  const name = variant === undefined ? requested : requested.slice(0, colon);
  const acrossModels = AUTO_ALIASES.has(name);
  const model = acrossModels ? AUTO_MODEL : name;
  return variant === undefined || suffix === undefined
    ? { model, acrossModels }
    : { model, acrossModels, ...variant, variant: suffix };
}
