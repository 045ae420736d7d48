import { TOKENS_MAX } from './dialect.js';
import type { ReportedUsage } from './types.js';

/** Tools that a usage names: more is no usage of ours to carry. */
const TOOLS_MAX = 16;
const REQUESTS_OF_TOOL = /^([a-z][a-z0-9_]{0,63})_requests$/;

/** A count of tokens or calls as a provider said it; undefined for what is none. */
export const count = (value: unknown): number | undefined =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= TOKENS_MAX
    ? (value as number)
    : undefined;

/** `{ web_search_requests: 2 }`, as Anthropic and OpenRouter say it, by tool; undefined where nothing is said. */
export function toolCalls(said: unknown): Readonly<Record<string, number>> | undefined {
  if (typeof said !== 'object' || said === null) return undefined;
  const calls: [string, number][] = [];
  for (const [member, value] of Object.entries(said)) {
    const tool = REQUESTS_OF_TOOL.exec(member)?.[1];
    const n = count(value);
    if (tool !== undefined && n !== undefined && calls.length < TOOLS_MAX) calls.push([tool, n]);
  }
  return calls.length === 0 ? undefined : Object.fromEntries(calls);
}

/** Leaves out what was not said: absent is not zero. */
export function said(
  usage: Pick<ReportedUsage, 'inputTokens' | 'outputTokens'> & {
    readonly [Member in keyof ReportedUsage]?: ReportedUsage[Member] | undefined;
  },
): ReportedUsage {
  // The two totals are always there; of the rest only what is.
  const kept: Record<string, unknown> = {};
  for (const member of Object.keys(usage) as (keyof ReportedUsage)[]) {
    const value = usage[member];
    if (value !== undefined) kept[member] = value;
  }
  return kept as unknown as ReportedUsage;
}
