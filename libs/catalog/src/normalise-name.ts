/**
 * Turns a provider's spelling of a model into `author` and a comparison key. It only ever proposes: what is joined is
 * what the reviewed table lists. Two spellings get one key only where they differ in punctuation, in the order of a
 * Claude name, in wrappers a host puts around every id, or in a prefix that repeats the author.
 */
export interface NormalisedName {
  /** Canonical author, where the spelling names one or its family belongs to one lab only. */
  readonly author?: string;
  /** True where the author is not in the spelling and follows from the family's name alone. */
  readonly inferred: boolean;
  /** Lower case, dots and underscores as dashes. */
  readonly key: string;
}

/** Region prefixes of Amazon Bedrock's inference profiles. */
export const BEDROCK_REGION = /^(us|eu|jp|au|apac|global)\./;

/** Wrappers that say where a model is hosted, not which one it is. */
const WRAPPERS = [
  /^workers-ai\//,
  /^@cf\//,
  /^accounts\/[^/]+\/(?:models|routers)\//,
  /^hf:/,
  /^pro\//,
  /^route\//,
  /^tee\//,
];

/** Families that carry one lab's name. A spelling without an author is given one only by these. */
const FAMILIES: readonly (readonly [RegExp, string])[] = [
  [/^(?:gpt-|o[134](?:-|$)|chatgpt-)/, 'openai'],
  [/^claude-/, 'anthropic'],
  [/^(?:gemini|gemma)/, 'google'],
  [/^llama/, 'meta-llama'],
  [/^(?:qwen|qwq|qvq)/, 'qwen'],
  [/^(?:mistral|ministral|codestral|devstral|magistral|mixtral|pixtral|voxtral)/, 'mistralai'],
  [/^deepseek/, 'deepseek'],
  [/^kimi/, 'moonshotai'],
  [/^glm/, 'z-ai'],
  [/^grok/, 'x-ai'],
  [/^minimax/, 'minimax'],
  [/^mimo/, 'xiaomi'],
  [/^nemotron/, 'nvidia'],
  [/^command-(?:a|r)/, 'cohere'],
  [/^sonar/, 'perplexity'],
  [/^nova-/, 'amazon'],
  [/^phi/, 'microsoft'],
  [/^step-\d/, 'stepfun'],
  [/^ernie/, 'baidu'],
  [/^mercury/, 'inception'],
];

/** Providers that sell their own models only: a bare name of theirs is their own. */
const OWN_MODELS_ONLY: ReadonlySet<string> = new Set([
  'anthropic',
  'cohere',
  'google',
  'inception',
  'mistral',
  'moonshotai',
  'morph',
  'openai',
  'perplexity',
  'poolside',
  'sakana',
  'sarvam',
  'stepfun',
  'upstage',
  'xai',
  'xiaomi',
  'zai',
  'zhipuai',
]);

/** Words of derivatives: a family name in front of them says what was changed, not who made it. */
const DERIVED =
  /uncensored|abliterat|heretic|distill|chimera|roleplay|role-play|merge|finetune|nex-n1|magnum|snowflake|derestricted|storm|blitz/;

export function normaliseName(
  provider: string,
  upstreamModel: string,
  authorOf: (spelling: string) => string | undefined,
): NormalisedName {
  let rest = upstreamModel.toLowerCase();
  for (const wrapper of WRAPPERS) rest = rest.replace(wrapper, '');
  let author: string | undefined;
  if (provider === 'amazon-bedrock') {
    const split = /^([a-z0-9]+)\.(.+)$/.exec(rest.replace(BEDROCK_REGION, ''));
    if (split) {
      author = authorOf(split[1]!) ?? split[1]!;
      rest = split[2]!.replace(/:\d+$/, '');
      if (author !== 'amazon') rest = rest.replace(/-v?1$/, '');
    }
  }
  if (provider.startsWith('google-vertex')) {
    rest = rest
      .replace(/@default$/, '')
      .replace('@', '-')
      .replace(/-maas$/, '');
  }
  const segments = rest.replace(/\/models\//, '/').split('/');
  const slug = segments.at(-1)!;
  if (segments.length > 1) author = authorOf(segments[0]!) ?? segments[0]!;
  if (provider === 'fireworks-ai') rest = slug.replace(/(\d)p(\d)/g, '$1-$2');
  else rest = slug;
  if (provider === 'databricks') rest = rest.replace(/^databricks-/, '');
  if (provider === 'chutes') rest = rest.replace(/-tee$/, '');
  let key = punctuated(rest);
  for (const known of [
    'openai',
    'anthropic',
    'alibaba',
    'zai-org',
    'z-ai',
    'zai',
    'nvidia',
    'google',
    'cohere',
    'xiaomi',
    'arcee',
    'meta',
  ]) {
    const stripped = key.startsWith(`${known}-`) ? key.slice(known.length + 1) : undefined;
    const owner = authorOf(known);
    if (stripped === undefined || owner === undefined || (author ?? owner) !== owner) continue;
    if (familyOf(stripped) !== owner && known !== 'arcee') continue;
    author = owner;
    key = punctuated(stripped);
  }
  key = claudeOrder(key);
  if (segments.length === 1 && OWN_MODELS_ONLY.has(provider))
    author ??= authorOf(provider) ?? provider;
  const inferred = author === undefined;
  author ??= DERIVED.test(key) ? undefined : familyOf(key);
  return author === undefined ? { key, inferred } : { author, key, inferred };
}

const familyOf = (key: string): string | undefined =>
  FAMILIES.find(([pattern]) => pattern.test(key))?.[1];

/** `Qwen-2.5_7B` and `qwen2-5-7b` are one: punctuation is a dash, and none stands before a family's generation. */
const punctuated = (name: string): string =>
  name
    .replace(/[._]/g, '-')
    .replace(/^(?:meta-)?(llama|qwen|gemma|phi)-(\d)/, '$1$2')
    .replace(/(opus|sonnet|haiku)(\d)/, '$1-$2');

/** From generation 4 on the name comes before the number: `claude-4.5-sonnet` is `claude-sonnet-4-5`. */
const claudeOrder = (key: string): string =>
  key.replace(/^claude-([4-9](?:-\d)?)-(opus|sonnet|haiku|fable)/, 'claude-$2-$1');
