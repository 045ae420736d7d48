import type { EndpointId, PicoUsd } from '#libs/kernel';

import type { Evidence } from './evidence.js';
import type { FactName, FactValue } from './fact-values.js';

/**
 * What one provider charges for one offer, in integer pico-USD per unit (USD 1 per million tokens = 1,000,000).
 * A class that is absent is unknown, never free; `input` and `output` are always there.
 */
export interface Price {
  readonly inputPicoUsdPerToken: PicoUsd;
  readonly outputPicoUsdPerToken: PicoUsd;
  readonly cacheReadPicoUsdPerToken?: PicoUsd;
  readonly cacheWritePicoUsdPerToken?: PicoUsd;
  /** Of a cache entry that is to live an hour; where absent, as any other cache write. */
  readonly cacheWrite1hPicoUsdPerToken?: PicoUsd;
  readonly inputImagePicoUsdPerToken?: PicoUsd;
  readonly inputAudioPicoUsdPerToken?: PicoUsd;
  readonly outputImagePicoUsdPerToken?: PicoUsd;
  readonly outputAudioPicoUsdPerToken?: PicoUsd;
  /** Where set, reasoning tokens are charged at this rate in place of the output rate. */
  readonly reasoningPicoUsdPerToken?: PicoUsd;
  readonly requestPicoUsd?: PicoUsd;
  /** Per call of a tool that the provider runs itself, by the tool's name in `UsageData.toolCalls`. */
  readonly toolCallPicoUsd?: Readonly<Record<string, PicoUsd>>;
  /** Ascending; the last tier whose threshold the input exceeds replaces the whole price. */
  readonly tiers?: readonly PriceTier[];
  /** `rounded-sub-pico`: the source's price is finer than a pico-USD and was rounded half-even. */
  readonly flags?: readonly 'rounded-sub-pico'[];
}

export interface PriceTier {
  readonly aboveInputTokens: number;
  readonly price: Omit<Price, 'tiers' | 'flags'>;
}

export type Dialect = 'openai-chat' | 'anthropic-messages';

/** One offer: model × provider × region × contract. Ordinals are dense, 0..n-1, within one catalog version. */
export interface Endpoint {
  readonly id: EndpointId;
  readonly ordinal: number;
  /** `author/slug` of our catalog, after the reviewed model-identity table. */
  readonly modelId: string;
  readonly providerId: string;
  /** What the provider calls the model: goes upstream as `model`. */
  readonly upstreamModel: string;
  /**
   * Region token of the id: `global` where the provider decides, `regional` where the customer's base URL does
   * (Bedrock without a prefix), else e.g. `eu`, `us`, `cn`.
   */
  readonly region: string;
  /** `default` | `subscription` (a coding or token plan) | later: customer contracts. */
  readonly contract: string;
  readonly dialect: Dialect;
  readonly contextTokens: number;
  readonly maxInputTokens?: number;
  readonly maxOutputTokens: number;
  readonly inputModalities: readonly string[];
  readonly outputModalities: readonly string[];
  readonly tools: boolean;
  readonly reasoning: boolean;
  readonly structuredOutput?: boolean;
  readonly status?: 'alpha' | 'beta' | 'deprecated';
  /** Absent: the source names no price. Refused under a budget, flagged otherwise. */
  readonly price?: Price;
}

export interface Model {
  /** `author/slug` */
  readonly id: string;
  readonly name: string;
  readonly author: string;
  readonly family?: string;
  readonly openWeights?: boolean;
  /** ISO 3166-1 alpha-2 of the lab's seat; absent = unknown. */
  readonly originCountry?: string;
  /** What the two rest on; a fact without evidence is unknown. */
  readonly evidence?: ModelEvidence;
  readonly releasedOn?: string;
  readonly contextTokens: number;
  /** 0..1, from the dated, sourced quality table; absent = unknown and ranks last. */
  readonly quality?: {
    readonly score: number;
    readonly benchmark: string;
    readonly source: string;
    readonly date: string;
  };
}

export interface Provider {
  readonly id: string;
  readonly name: string;
  readonly dialect: Dialect;
  /** Base of the API up to and without `/chat/completions` or `/messages`; absent = the customer must configure one. */
  readonly baseUrl?: string;
  readonly docUrl?: string;
  /** Usual environment variable that holds the credential, e.g. `OPENAI_API_KEY`. */
  readonly credentialVariable: string;
  /** Everything stated of its offers, each with its own evidence; `settleFacts` makes one answer of them. */
  readonly facts: readonly FactStatement[];
  /** Whether closing the connection stops upstream generation and billing; absent = unknown (billed in full). */
  readonly stopsBillingOnCancel?: boolean;
}

/** Which offers of a provider a statement is about; what it leaves out, it holds for all of. */
export interface FactScope {
  /** `author/slug`, or `author/*` for all of a lab's models. */
  readonly model?: string;
  readonly region?: string;
  /** Absent = the default contract, except for who owns the provider, which no contract changes. */
  readonly contract?: string;
  readonly api?: Dialect;
}

/** One fact about some offers of one provider, with what it rests on. */
export interface FactStatement {
  readonly fact: FactName;
  /** Null: it is established that the wider statement does not hold here, and not what holds instead. */
  readonly value: FactValue | null;
  readonly scope: FactScope;
  readonly evidence: Evidence;
  /** Unix ms: read from `fromMs` on and before `untilMs`. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** The more specific, the higher; see `settleFacts`. */
  readonly rank: number;
}

/** A model's origin is not its host's seat: these belong to the model, wherever it runs. */
export interface ModelEvidence {
  readonly originCountry?: Evidence;
  readonly openWeights?: Evidence;
}

/** Immutable, content-addressed view of the whole catalog with its indexes built at load. */
export interface Catalog {
  /** `sha256:…` over the catalog's canonical bytes. */
  readonly version: string;
  readonly priceBook: PriceBook;
  readonly endpoints: readonly Endpoint[];
  readonly models: ReadonlyMap<string, Model>;
  readonly providers: ReadonlyMap<string, Provider>;
  /** Endpoints of one model, in ordinal order. */
  endpointsOf(modelId: string): readonly Endpoint[];
  endpoint(id: string): Endpoint | undefined;
  /** Resolves `author/slug`, a reviewed alias (`gpt-4o-mini` → `openai/gpt-4o-mini`), or undefined. */
  resolveModel(requested: string): Model | undefined;
}

/** Prices by endpoint id. The canonical bytes are what is hashed, stored and re-rated from. */
export interface PriceBook {
  /** `sha256:…` over `bytes`. */
  readonly version: string;
  /** RFC 8785 JSON; amounts are decimal strings of integer pico-USD. */
  readonly bytes: Uint8Array;
  priceOf(endpointId: string): Price | undefined;
}
