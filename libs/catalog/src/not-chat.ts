/** Why an offer of the source is not in our catalog. */
export type Exclusion =
  | 'no-text-output'
  | 'no-text-input'
  | 'not-a-chat-model'
  | 'chooses-models-itself'
  | 'limits-unknown';

/** Embedding, ranking, speech and other models whose source record says text although they do not chat. */
const NOT_CHAT =
  /embed|rerank|whisper|transcri|translate-4b|livetranslate|realtime|(?:^|\/)bge-|(?:^|\/)(?:multilingual-)?e5-|(?:^|\/)gte-|(?:^|[-/])tts(?:-|$)|melotts|(?:^|\/)voyage-|-stt$|-asr(?:-|$)|minilm|mpnet|bart-large|distilbert|indictrans|m2m100|esm2|esmfold|studiovoice|voicechat|usdvalidate/;

/** Meta-routers: the answer may come from any model of any lab, so no rule could be checked against the offer. */
const ROUTER =
  /^~|(?:^|\/)auto(?:$|-model)|^kilo-auto\/|\/router$|coding-router|^model-router$|^route-llm$|^openrouter\/(?:auto|free|bodybuilder|fusion|pareto-code)$|^custom$/;

export function exclusionOf(offer: {
  readonly id: string;
  readonly in: readonly string[];
  readonly out: readonly string[];
  readonly context: number;
  readonly maxOutput: number;
}): Exclusion | undefined {
  const name = offer.id.toLowerCase();
  if (!offer.out.includes('text')) return 'no-text-output';
  if (!offer.in.includes('text')) return 'no-text-input';
  if (NOT_CHAT.test(name)) return 'not-a-chat-model';
  if (ROUTER.test(name)) return 'chooses-models-itself';
  if (offer.context === 0 || offer.maxOutput === 0) return 'limits-unknown';
  return undefined;
}
