import { parseArgs } from 'node:util';
import { DomainError } from '#libs/kernel';
import { buildBundle } from '#libs/policy';
import { readCatalog } from '../catalog/read-catalog.js';
import { folderFault, readSources, shippedFolder } from '../policy/policy-folder.js';
import { ReplayPast, type ReplayReport } from './replay-past.js';
import { parseSince } from './since.js';
import { ThePast } from './the-past.js';

const USAGE = `usage: custos replay [--since 30d|<date>] [--until <date>] [--id gen-…] [--database <url>]
                     [--policies <folder>] [--catalog <folder>] [--json]

Derives recorded decisions and plans again, under the bundle, catalog, exceptions and organisation's own facts in force
then, and compares them with the record. Reads the ledger's tables: --database, else CUSTOS_DATABASE_URL, else the embedded database of
CUSTOS_DATA_DIR while its gateway runs. Exit code 0: all that could be derived is equal, 1: something differs or
nothing could be derived, 2: bad usage.
`;

/** Exit codes as in the usage text. */
export async function runReplay(args: string[]): Promise<number> {
  const options = replayOptions(args, Date.now());
  if (options === undefined) {
    process.stderr.write(USAGE);
    return 2;
  }
  const past = await ThePast.open(options.database);
  if (past === undefined) {
    process.stderr.write('there is no database: name one with --database\n');
    return 2;
  }
  try {
    if (folderFault(options.policies) === undefined) {
      const built = buildBundle(readSources(options.policies));
      if (built.ok) past.offer(built.bundle);
    }
    const catalog = readCatalog(options.catalog);
    const report = await new ReplayPast(past, catalog).run(options.filter);
    process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : table(report));
    return report.holds ? 0 : 1;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : 'failed'}\n`);
    return error instanceof DomainError ? 2 : 1;
  } finally {
    await past.close();
  }
}

function replayOptions(args: string[], nowMs: number) {
  try {
    const { values } = parseArgs({
      args,
      options: {
        since: { type: 'string' },
        until: { type: 'string' },
        id: { type: 'string' },
        database: { type: 'string' },
        policies: { type: 'string' },
        catalog: { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    });
    const from = values.since === undefined ? undefined : parseSince(values.since, nowMs);
    const to = values.until === undefined ? undefined : parseSince(values.until, nowMs);
    if (values.since !== undefined && from === undefined) return undefined;
    if (values.until !== undefined && to === undefined) return undefined;
    return {
      filter: { from: from?.toISOString(), to: to?.toISOString(), id: values.id },
      database: values.database,
      policies: values.policies ?? shippedFolder(),
      catalog: values.catalog,
      json: values.json,
    };
  } catch {
    return undefined;
  }
}

function table({
  generations,
  decisions,
  plans,
  different,
  notReplayable,
  onOwnFacts: own,
  holds,
}: ReplayReport): string {
  const row = (name: string, t: ReplayReport['plans']): string =>
    `${name.padEnd(10)} ${String(t.equal).padStart(8)} ${String(t.different).padStart(10)} ${String(t.notReplayable).padStart(16)}`;
  return [
    `${generations} decided requests`,
    `${''.padEnd(10)} ${'equal'.padStart(8)} ${'different'.padStart(10)} ${'not replayable'.padStart(16)}`,
    row('decisions', decisions),
    row('plans', plans),
    ...(own.decisions === 0
      ? []
      : [
          `${own.decisions} of the equal decisions were on what organisations had stated of their own contracts: ` +
            `${own.derivedFromLog} sets of facts derived from the log, ${own.keptOnly} only kept beside it`,
        ]),
    ...different.map((d) => `${d.id}: ${d.what} differs: ${d.differences.join('; ')}`),
    ...Object.entries(notReplayable).map(([why, times]) => `not replayable: ${why} (${times})`),
    holds ? 'holds' : 'does not hold',
    '',
  ].join('\n');
}
