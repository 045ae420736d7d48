import { parseArgs } from 'node:util';
import { FULL, QUICK, type Effort } from './measures.js';

export const PARTS = [
  'cpu',
  'latency',
  'streams',
  'lag',
  'standalone',
  'start',
  'policy',
  'ledger',
] as const;
export type Part = (typeof PARTS)[number];

export interface BenchOptions {
  readonly effort: Effort;
  readonly parts: ReadonlySet<Part>;
  readonly logs: readonly ('PostgreSQL' | 'Kafka')[];
  /** Undefined: only printed. A run of some parts never overwrites the whole report. */
  readonly out: string | undefined;
  readonly quick: boolean;
  readonly profile: boolean;
  readonly keep: boolean;
  /** For the ingress's Node, to try them out. */
  readonly ingressFlags: readonly string[];
  /** PostgreSQL and the other processes are kept off the gateway's core. */
  readonly isolate: boolean;
}

export const USAGE = `npm run bench -- [--quick] [--only cpu,latency,streams,lag,standalone,start,policy,ledger]
                 [--log postgres|kafka|both] [--out docs/benchmarks.md] [--profile cpu] [--keep] [--isolate]
                 [--generations <n>] [--ingress-flags=<flags>]

  --quick    short rounds, for looking, not for quoting
  --only     some figures; printed, not written, unless --out is given
  --generations  that the ledger alone works off: a million, or 100,000 with --quick
  --log      which audit log; both where Java 17 and Maven are found
  --profile  runs the ingress under load with the CPU profiler and prints where the time goes
  --isolate  PostgreSQL, Kafka and the other processes on the load's core alone, in place of both
  --ingress-flags=--max-semi-space-size=64  for the Node of the ingress, to try them out
  --keep     leaves the temporary folder for a look
`;

/** Throws an Error with the usage on a wrong option. */
export function readOptions(argv: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      log: { type: 'string', default: 'both' },
      out: { type: 'string' },
      profile: { type: 'string' },
      isolate: { type: 'boolean', default: false },
      'ingress-flags': { type: 'string' },
      generations: { type: 'string' },
      keep: { type: 'boolean', default: false },
    },
  });
  const only = values.only?.split(',');
  for (const name of only ?? [])
    if (!PARTS.some((part) => part === name)) throw new Error(`no figure ${name}\n\n${USAGE}`);
  if (!['postgres', 'kafka', 'both'].includes(values.log)) throw new Error(USAGE);
  if (values.profile !== undefined && values.profile !== 'cpu') throw new Error(USAGE);
  const generations = values.generations === undefined ? undefined : Number(values.generations);
  if (generations !== undefined && !(generations >= 1_000)) throw new Error(USAGE);
  const tried = values.isolate || values['ingress-flags'] !== undefined;
  const whole = only === undefined && values.log === 'both' && !values.quick && !tried;
  return {
    quick: values.quick,
    effort: {
      ...(values.quick ? QUICK : FULL),
      ...(generations !== undefined && { generations }),
    },
    parts: new Set(PARTS.filter((part) => only === undefined || only.includes(part))),
    logs: [
      ...(values.log === 'kafka' ? [] : (['PostgreSQL'] as const)),
      ...(values.log === 'postgres' ? [] : (['Kafka'] as const)),
    ],
    out: values.out ?? (whole ? 'docs/benchmarks.md' : undefined),
    profile: values.profile === 'cpu',
    keep: values.keep,
    ingressFlags: values['ingress-flags']?.split(' ') ?? [],
    isolate: values.isolate,
  };
}
