import type { Trail } from '#libs/ledger';
import type { TrailFormat } from './trail-filter.js';

/** One line per trail; what is not known is empty, never zero. */
const COLUMNS: readonly (readonly [string, (trail: Trail) => unknown])[] = [
  ['id', (t) => t.id],
  ['status', (t) => t.status],
  ['received_at', (t) => t['receivedAt']],
  ['organisation', (t) => t.organisationId],
  ['workspace', (t) => t.workspaceId],
  ['key', (t) => t.keyId],
  ['requested_model', (t) => t['requestedModel']],
  ['model', (t) => t.model],
  ['endpoint', (t) => answering(t)?.['endpoint']],
  ['provider', (t) => answering(t)?.['provider']],
  ['region', (t) => answering(t)?.['region']],
  ['attempts', (t) => t.attempts.length],
  ['simulated', (t) => answering(t)?.['simulated']],
  ['decision', (t) => part(t, 'policy')?.['decision']],
  ['policy_version', (t) => part(t, 'policy')?.['version']],
  ['policies', (t) => reasons(t).join(' ')],
  ['refusal', (t) => part(t, 'refusal')?.['code']],
  ['input_tokens', (t) => part(t, 'usage')?.['inputTokens']],
  ['output_tokens', (t) => part(t, 'usage')?.['outputTokens']],
  ['usage_basis', (t) => part(t, 'usage')?.['basis']],
  ['amount_pico_usd', (t) => part(t, 'cost')?.['amountPicoUsd']],
  ['usd', (t) => part(t, 'cost')?.['usd']],
  ['price_book', (t) => part(t, 'cost')?.['priceBook']],
  ['leaves', (t) => leaves(t).join(' ')],
];

type Part = Readonly<Record<string, unknown>>;

const part = (trail: Trail, name: string): Part | undefined => trail[name] as Part | undefined;
const reasons = (trail: Trail): readonly unknown[] =>
  ((part(trail, 'policy')?.['reasons'] ?? []) as readonly { readonly id: string }[]).map(
    (r) => r.id,
  );
const leaves = (trail: Trail): readonly string[] =>
  ((trail['records'] ?? []) as readonly { readonly leaf: { readonly index: string } }[]).map(
    (r) => r.leaf.index,
  );
function answering(trail: Trail): Part | undefined {
  const attempts = trail.attempts as readonly Part[];
  return attempts.find((a) => a['outcome'] === 'completed') ?? attempts.at(-1);
}

/** The lines of a streamed export, each with its end. CSV after RFC 4180, with a header line. */
export async function* trailLines(
  trails: AsyncIterable<Trail>,
  format: Exclude<TrailFormat, 'json'>,
): AsyncGenerator<string> {
  if (format === 'csv') yield `${COLUMNS.map(([name]) => name).join(',')}\r\n`;
  for await (const trail of trails)
    yield format === 'csv'
      ? `${COLUMNS.map(([, read]) => cell(read(trail))).join(',')}\r\n`
      : `${JSON.stringify(trail)}\n`;
}

/**
 * A cell that begins like a formula is quoted with an apostrophe: ids and models come from requests, and an auditor
 * opens the file in a spreadsheet.
 */
function cell(value: unknown): string {
  if (value === undefined || value === null) return '';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const safe = /^[=+\-@\t\r]/.test(text) && !/^-?\d+(\.\d+)?$/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
