import type { Endpoint } from '#libs/catalog';
import { figuresOf, rateFor } from './endpoint-figures.js';
import type { PlanExclusionReason, PlanInputs } from './types.js';

/** `provider.max_price` as numbers; a ceiling that is absent is infinite. */
interface Ceilings {
  readonly prompt: number;
  readonly completion: number;
}

/** The hard filters of one request, read once and then asked per endpoint. */
export class Qualification {
  readonly #inputs: PlanInputs;
  readonly #ceilings: Ceilings | undefined;
  readonly #totalTokens: number;
  /** Capabilities are a hard filter across models; on a named model only if the caller says so. */
  readonly #capabilitiesAreHard: boolean;

  constructor(inputs: PlanInputs) {
    const { requirements, preferences, acrossModels } = inputs;
    const ceiling = preferences.maxPrice;
    this.#inputs = inputs;
    this.#ceilings = ceiling && {
      prompt: numberOr(ceiling.promptPicoUsdPerToken, Infinity),
      completion: numberOr(ceiling.completionPicoUsdPerToken, Infinity),
    };
    this.#totalTokens = requirements.inputTokensEstimate + (requirements.maxOutputTokens ?? 0);
    this.#capabilitiesAreHard = acrossModels || requirements.requireParameters;
  }

  /** Why this endpoint cannot serve the request, the first reason that holds; undefined = it can. */
  objection(endpoint: Endpoint): PlanExclusionReason | undefined {
    const { requirements, preferences, disabled, budgeted } = this.#inputs;
    if (disabled !== undefined && disabled.has(endpoint.id)) return 'disabled';
    const figures = figuresOf(endpoint);
    if (!figures.answersText) return 'modality';
    for (const modality of requirements.inputModalities)
      if (!endpoint.inputModalities.includes(modality)) return 'modality';
    if (this.#totalTokens > endpoint.contextTokens) return 'context_length';
    if (requirements.inputTokensEstimate > (endpoint.maxInputTokens ?? Infinity))
      return 'context_length';
    if ((requirements.maxOutputTokens ?? 0) > endpoint.maxOutputTokens) return 'max_output';
    if (this.#capabilitiesAreHard && this.lacksCapability(endpoint)) return 'require_parameters';
    const rate = rateFor(figures, requirements.inputTokensEstimate);
    if (rate === undefined && budgeted) return 'unpriced_under_budget';
    if (this.#ceilings !== undefined) {
      // An unknown price is the worst price: it cannot be shown to hold the ceiling.
      if (rate === undefined) return 'max_price';
      if (rate.input > this.#ceilings.prompt || rate.output > this.#ceilings.completion)
        return 'max_price';
    }
    const order = preferences.order;
    if (
      order !== undefined &&
      !preferences.allowFallbacks &&
      orderPosition(endpoint, order) === order.length
    )
      return 'not_in_order';
    return undefined;
  }

  /** True where tools or structured output are asked for and not established for the endpoint. */
  lacksCapability(endpoint: Endpoint): boolean {
    const { tools, structuredOutput } = this.#inputs.requirements;
    return (tools && !endpoint.tools) || (structuredOutput && endpoint.structuredOutput !== true);
  }
}

/**
 * Place of an endpoint in `provider.order`; `order.length` where it is not named. A bare slug names all of a provider's
 * endpoints, `provider/region` only those of one region.
 */
export function orderPosition(endpoint: Endpoint, order: readonly string[]): number {
  const figures = figuresOf(endpoint);
  for (let i = 0; i < order.length; i++)
    if (order[i] === endpoint.providerId || order[i] === figures.regionSlug) return i;
  return order.length;
}

function numberOr(text: string | undefined, otherwise: number): number {
  return text === undefined ? otherwise : Number(text);
}
