import { CONTROL_ERRORS } from '../../apps/control/src/errors.js';
import { INGRESS_ERRORS } from '../../apps/ingress/src/ingress.errors.js';
import { LEDGER_ERRORS } from '../../apps/ledger/src/ledger.errors.js';
import { POLICY_ERRORS } from '../../apps/policy/src/policy.errors.js';
import { ROUTING_ERRORS } from '../../apps/routing/src/routing.errors.js';
import { PLATFORM_ERRORS } from '#libs/platform';

interface Row {
  readonly status: number;
  readonly meaning: string;
  readonly errorType?: string;
}

const SECTIONS: readonly (readonly [string, string, Readonly<Record<string, Row>>])[] = [
  ['Completions and models', 'The public API.', INGRESS_ERRORS],
  ['Audit API and own books', '`/audit/v1`, `/api/v1/generation`, `/api/v1/key`.', LEDGER_ERRORS],
  ['Policy', '`/policy/v1`.', POLICY_ERRORS],
  ['Endpoints', '`/admin/v1/endpoints`.', ROUTING_ERRORS],
  ['Administration', '`/admin/v1`.', CONTROL_ERRORS],
  ['Every slow route', 'What any of them may answer.', PLATFORM_ERRORS],
];

/** docs/errors.md from the tables in the code. */
export function errorsDocument(): string {
  const parts = SECTIONS.map(([title, says, table]) => {
    const rows = Object.entries(table)
      .sort(([a, x], [b, y]) => x.status - y.status || (a < b ? -1 : 1))
      .map(([code, row]) => `| \`${code}\` | ${row.status} | ${row.meaning} |`);
    return `## ${title}\n\n${says}\n\n| code | status | meaning |\n|---|---|---|\n${rows.join('\n')}\n`;
  });
  return `# Errors

Generated from the tables in the code (\`npm run docs\`); a test compares.

The body is \`{ "error": { "code": <status>, "message", "metadata": { "error_type", "custos_code", … } } }\`. \`error.code\` is the
integer HTTP status, \`error_type\` is OpenRouter's vocabulary, \`custos_code\` is the stable code below. After the head of a stream
has gone, the same object comes in-band in a last chunk with \`finish_reason: "error"\`. A policy refusal also carries
\`error.availability\` and \`error.policies\` (id, reason, law, layer).

${parts.join('\n')}`;
}
