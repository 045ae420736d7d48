import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { verdictOf, type Figure } from './figures.js';
import type { Effort, Samples } from './measures.js';
import { canPin } from './pinning.js';

export interface Run {
  readonly figures: readonly Figure[];
  readonly samples: readonly { readonly title: string; readonly samples: Samples }[];
  /** What did not run, and why; what was remarkable. */
  readonly notes: readonly string[];
  readonly effort: Effort;
}

export function writeReport(run: Run): string {
  return [
    '# Benchmarks',
    'Written by `npm run bench`; do not edit. Everything is on: keys, policy, budgets, durable audit before dispatch, telemetry, the ledger posting behind.',
    figuresTable(run.figures),
    ...run.notes.map((note) => `> ${note}`),
    '## Machine',
    machine(),
    '## Method',
    method(run.effort),
    ...run.samples.flatMap(({ title, samples }) => [`## ${title}`, samplesTable(samples)]),
    '',
  ].join('\n\n');
}

export function figuresTable(figures: readonly Figure[]): string {
  const rows = figures.map(
    (f) =>
      `| ${f.name} | ${f.atLeast ? '≥' : '≤'} ${f.reach} ${f.unit} | ${f.aim} | **${short(f.measured)}** | ${verdictOf(f)} | ${f.from} |`,
  );
  return [
    '| figure | reach | aim | measured | verdict | from |',
    '|---|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}

export function samplesTable(samples: Samples): string {
  const rows = samples
    .rows()
    .toSorted((a, b) => a.quantity.localeCompare(b.quantity) || 0)
    .map(
      ({ target, quantity, spread: { median, min, max } }) =>
        `| ${quantity} | ${target} | ${short(median)} | ${short(min)}–${short(max)} |`,
    );
  return ['| quantity | target | median | min–max |', '|---|---|---|---|', ...rows].join('\n');
}

function machine(): string {
  const [first] = cpus();
  const gib = (totalmem() / 1024 ** 3).toFixed(0);
  return [
    `- ${first?.model ?? 'unknown CPU'}, ${cpus().length} cores, ${gib} GiB`,
    `- Linux ${release()}, Node ${process.version}`,
    `- ${new Date().toISOString().slice(0, 10)}, load average at the end ${loadAverage()}`,
  ].join('\n');
}

const loadAverage = (): string =>
  readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 3).join(' ');

const method = ({ rounds, windowMs, lagMs, generations }: Effort): string =>
  `1. Three targets against one upstream mock: the mock called directly, a bare Node proxy (\`node:http\` in, undici \`dispatch\` out, bytes only) and Custos as six processes (the ingress and, beside it, control, policy, routing, ledger, PostgreSQL or Kafka). The bare proxy of the same run is the yardstick, because absolute times move from machine to machine.
2. ${canPin ? 'Pinned: bare proxy and ingress to core 0, mock and load generator to core 1. The other processes, PostgreSQL and Kafka use both, so that everything happens on two cores.' : '**Nothing was pinned**: `taskset` or a second core is missing, and the figures are worth less.'}
3. Before it is measured each target returns one whole answer and one whole stream of 64 chunks with usage and \`[DONE]\`, looked at in full. One failed request ends the run.
4. Requests of 1 KB, answers of about 1 KB; keep-alive connections; loopback; no TLS. Streams: an event every 5 ms, usage asked for.
5. Targets take turns round by round (A B C A B C): ${rounds} rounds of ${windowMs / 1_000} s after a warm-up; medians, with the lowest and highest round beside. After each of its windows Custos may post what is outstanding, so that no other target pays for it.
6. CPU is what the kernel charges the threads of the target's process (\`/proc/PID/task/*/schedstat\`), divided by the requests of the window: 32 connections in a closed loop, or 32 streams at once.
7. CPU per event is the slope between streams of 64 and 512 events: what a stream costs once cancels out.
8. Latency is that of one caller at a time; time to first token that of 32 streams at once, begun one after the other, from the request's last byte to the first \`data:\`.
9. Billing lag: ${lagMs / 1_000} s of 300 generations/s at a constant rate, every third a stream of 64 events, then as long of 1,000 a second, every tenth a stream; from the last byte at the client to the ledger's posted entry, by one machine's clock, for every generation.
10. RSS is the highest seen during that load. The ingress is started as the README says, with \`--max-semi-space-size=16\`, the ledger by itself with \`--max-semi-space-size=64\`. The standalone process has the simulator inside; PostgreSQL is beside it. Differences under about 10 % are noise.
11. The ledger alone: the records of ${generations} generations (\`test/bench/ledger/traffic.ts\`: openings of some 2.3 KB and closes, 2 % refusals, 3 % fail-overs, progress of long streams, verdicts, slices of health and heartbeats, by eight writers; two fifths of the keys under a limit, with leases and holds) are put into a PostgreSQL log first. Then the ledger's own process works them off with everything on (consumer, sealing, a checkpoint a second, sweeper) on an embedded PostgreSQL as the product sets it up: fsync, full page writes, 64 MB of shared buffers. The clock runs from the process's first look at the log to its last record. CPU from /proc, WAL and disk as PostgreSQL counts them; the log's own tables are not in them. The yardstick of the same run stores the same bytes in a table with one index, 1,000 to a commit.
12. The first tenth is set against the rest: in a full run 10^5 against 10^6 generations. Trails are asked for by id, one after the other, of the whole table.
13. \`custos verify log\` reads an export of that run, unpacked, then a log of leaves of 600 B, as a process on core 0, start included. Receipts are verified in one warm process, each with its amounts from the price book's file.`;

function short(n: number): string {
  const size = Math.abs(n);
  return size >= 1_000
    ? n.toFixed(0)
    : size >= 100
      ? n.toFixed(0)
      : size >= 10
        ? n.toFixed(1)
        : n.toFixed(2);
}
