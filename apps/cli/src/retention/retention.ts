import { retentionOptions, type RetentionOptions } from './retention-options.js';
import {
  outcomeTable,
  stateTable,
  type RetentionOutcome,
  type RetentionState,
} from './retention-table.js';

const USAGE = `usage: custos retention [plan] [--url <gateway>] [--key <key>] [--json]
       custos retention apply --plan <digest> [--url <gateway>] [--key <administrator’s key>] [--json]

plan shows what the written policy keeps and why, what would go now, which holds keep what, and the plan's digest.
apply removes what that plan names, if it still is the plan. Without --url the gateway of CUSTOS_DATA_DIR (docs/retention.md).
Exit code 0: shown, or all of the plan went; 1: refused, not answered, or something stayed that no hold keeps; 2: bad usage.
`;

/** Less than `fetch` waits for an answer by itself. A first run over years takes longer, and goes on without us. */
const ANSWER_DEADLINE_MS = 280_000;

/** Exit codes as in the usage text. */
export async function runRetention(args: string[]): Promise<number> {
  const options = retentionOptions(args);
  if (options === undefined || typeof options === 'string') {
    process.stderr.write(options === undefined ? USAGE : `${options}\n`);
    return 2;
  }
  try {
    const response = await ask(options);
    const body = (await response.json()) as { readonly error?: { readonly message?: string } };
    if (!response.ok) {
      process.stderr.write(`${body.error?.message ?? `answered ${response.status}`}\n`);
      return 1;
    }
    if (options.json) process.stdout.write(`${JSON.stringify(body)}\n`);
    if (options.apply === undefined) {
      if (!options.json) process.stdout.write(stateTable(body as unknown as RetentionState));
      return 0;
    }
    const outcome = body as unknown as RetentionOutcome;
    if (!options.json) process.stdout.write(outcomeTable(outcome));
    const stayed = [...outcome.stayed, ...outcome.log.stayed];
    return stayed.every(({ why }) => why === 'held') ? 0 : 1;
  } catch (error) {
    const late = error instanceof Error && error.name === 'TimeoutError';
    const said = error instanceof Error ? reasonOf(error) : 'failed';
    process.stderr.write(
      `${late ? 'no answer yet: the run goes on, look again with custos retention' : said}\n`,
    );
    return 1;
  }
}

const reasonOf = (error: Error): string =>
  error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;

function ask({ url, key, apply }: RetentionOptions): Promise<Response> {
  return fetch(`${url}/audit/v1/retention`, {
    method: apply === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    ...(apply !== undefined && { body: JSON.stringify({ plan: apply }) }),
    signal: AbortSignal.timeout(ANSWER_DEADLINE_MS),
  });
}
