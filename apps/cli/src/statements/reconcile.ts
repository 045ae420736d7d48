import { once } from 'node:events';
import { createReadStream, createWriteStream, statSync, type WriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { pipeline, Readable, Transform } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { createGzip } from 'node:zlib';
import { formatUsd } from '#libs/kernel';
import { reconcileOptions, type ReconcileOptions } from './reconcile-options.js';

const USAGE = `usage: custos reconcile --provider <id> --file <usage.csv|usage.jsonl[.gz]> [--from <time>] [--to <time>]
                       [--report <file>] [--url <gateway>] [--key <administrator’s key>] [--json]

Lays a provider's usage export beside the books, request by request (docs/billing.md has the format), and records the
result in the log. Without --from and --to the time is what the file spans: a line that is missing at either end is
then not missed. --report keeps every difference as a JSON line; --json prints them all. Without --url the gateway of
CUSTOS_DATA_DIR. Exit code 0: nothing differs but what a written rule explains, 1: something does, 2: bad usage.
`;

/** Differences that a person is shown; the report has them all. */
const SHOWN_MAX = 40;
const PROGRESS_MS = 3_000;

interface Difference {
  readonly kind: string;
  readonly requestId: string;
  readonly ours?: { readonly usage?: Tokens; readonly costPicoUsd?: string };
  readonly theirs?: Tokens & { readonly costPicoUsd?: string };
  readonly explainedBy?: string;
}
interface Tokens {
  readonly inputTokens: number;
  readonly outputTokens: number;
}
interface Side extends Tokens {
  readonly attempts: number;
  readonly costPicoUsd: string;
}
interface Summary {
  readonly provider: string;
  readonly from: string;
  readonly to: string;
  readonly ours: Side;
  readonly theirs: Side;
  readonly matched: number;
  readonly outside: number;
  readonly differences: Readonly<Record<string, number>>;
  readonly explained: number;
  readonly unexplained: number;
  readonly reportDigest: string;
  readonly recorded: {
    readonly topic: string;
    readonly partition: number;
    readonly offset: string;
  };
}

/** Exit codes as in the usage text. */
export async function runReconcile(args: string[]): Promise<number> {
  const options = reconcileOptions(args);
  if (options === undefined || typeof options === 'string') {
    process.stderr.write(options === undefined ? USAGE : `${options}\n`);
    return 2;
  }
  try {
    const response = await send(options);
    if (!response.ok || response.body === null) {
      const said = (await response.json().catch(() => ({}))) as { error?: { message?: string } };
      process.stderr.write(`${said.error?.message ?? `answered ${response.status}`}\n`);
      return response.status === 400 ? 2 : 1;
    }
    return await show(response.body as ReadableStream<Uint8Array>, options);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? reasonOf(error) : 'failed'}\n`);
    return 1;
  }
}

const reasonOf = (error: Error): string =>
  error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;

/** The file goes as a stream, packed on its way. */
function send({ url, key, file, type, packed, query }: ReconcileOptions): Promise<Response> {
  const bytes = progressing(createReadStream(file), statSync(file).size);
  // What breaks the one breaks the other; fetch tells it.
  const body = packed ? bytes : pipeline(bytes, createGzip(), () => undefined);
  return fetch(`${url}/audit/v1/reconciliations?${query.toString()}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': type,
      'content-encoding': 'gzip',
    },
    body: Readable.toWeb(body),
    duplex: 'half',
  });
}

function progressing(source: Readable, total: number): Readable {
  let [done, saidMs] = [0, performance.now()];
  const counting = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      done += chunk.length;
      if (performance.now() - saidMs > PROGRESS_MS) {
        saidMs = performance.now();
        process.stderr.write(`${Math.floor((done / total) * 100)} % sent\n`);
      }
      next(null, chunk);
    },
  });
  return pipeline(source, counting, () => undefined);
}

async function show(
  body: ReadableStream<Uint8Array>,
  { report, json }: ReconcileOptions,
): Promise<number> {
  const file = report === undefined ? undefined : createWriteStream(report);
  let summary: Summary | undefined;
  let shown = 0;
  for await (const line of createInterface({ input: Readable.fromWeb(body) })) {
    if (line.startsWith('{"summary":')) {
      ({ summary } = JSON.parse(line) as { summary: Summary });
      if (json) process.stdout.write(`${line}\n`);
      continue;
    }
    await keep(file, line);
    if (json) process.stdout.write(`${line}\n`);
    else if (++shown <= SHOWN_MAX) process.stdout.write(told(JSON.parse(line) as Difference));
  }
  if (file !== undefined) {
    file.end();
    await finished(file);
  }
  if (summary === undefined) {
    process.stderr.write('the answer broke off: nothing was recorded\n');
    return 1;
  }
  if (!json) {
    if (shown > SHOWN_MAX) process.stdout.write(`… and ${shown - SHOWN_MAX} more (--report)\n`);
    process.stdout.write(table(summary));
  }
  return summary.unexplained === 0 ? 0 : 1;
}

async function keep(file: WriteStream | undefined, line: string): Promise<void> {
  if (file !== undefined && !file.write(`${line}\n`)) await once(file, 'drain');
}

function told({ kind, requestId, ours, theirs, explainedBy }: Difference): string {
  const side = (t: Tokens | undefined, cost: string | undefined): string =>
    t === undefined
      ? 'nothing'
      : `${t.inputTokens} + ${t.outputTokens} tokens${cost === undefined ? '' : `, USD ${usd(cost)}`}`;
  const why = explainedBy === undefined ? '' : ` (${explainedBy.replaceAll('_', ' ')})`;
  return `${requestId}: ${kind.replaceAll('_', ' ')}: ours ${side(ours?.usage, ours?.costPicoUsd)}, theirs ${side(theirs, theirs?.costPicoUsd)}${why}\n`;
}

function table(s: Summary): string {
  const row = (name: string, side: Side): string =>
    `${name.padEnd(8)} ${String(side.attempts).padStart(10)} ${String(side.inputTokens).padStart(14)} ${String(side.outputTokens).padStart(14)} ${usd(side.costPicoUsd).padStart(20)}`;
  return [
    `${s.provider}, requests received from ${s.from} to ${s.to}`,
    `${''.padEnd(8)} ${'requests'.padStart(10)} ${'input'.padStart(14)} ${'output'.padStart(14)} ${'USD'.padStart(20)}`,
    row('ours', s.ours),
    row('theirs', s.theirs),
    `${s.matched} agree`,
    ...Object.entries(s.differences).map(([kind, n]) => `${n} ${kind.replaceAll('_', ' ')}`),
    ...(s.outside > 0 ? [`${s.outside} lines of the file are of another time`] : []),
    `${s.explained} explained by a written rule, ${s.unexplained} not`,
    `report ${s.reportDigest}, recorded at ${s.recorded.topic}/${s.recorded.partition}/${s.recorded.offset}`,
    '',
  ].join('\n');
}

const usd = (picoUsd: string): string => formatUsd(BigInt(picoUsd));
