import { parseArgs } from 'node:util';
import { CatalogShelf, type Catalog } from '#libs/catalog';
import { DomainError } from '#libs/kernel';
import {
  outlookOf,
  recordedRequests,
  resimulate,
  rulesHit,
  type SimulationReport,
} from '#libs/policy';
import { firstChoiceAgain, type RecordedPlanInputs } from '#libs/routing';
import { readCatalog } from '../catalog/read-catalog.js';
import { parseSince } from '../replay/since.js';
import { ThePast } from '../replay/the-past.js';
import { bundleNamed } from './bundle-named.js';
import { shippedFolder } from './policy-folder.js';
import { simulateByApi } from './simulate-by-api.js';
import { simulationTable } from './simulation-table.js';
import { watchedDecider } from './watched-decider.js';

const USAGE = `usage: custos policy simulate <folder|sha256:…> [--since 30d|<date>] [--against <folder|sha256:…>]
                            [--database <url> | --url <gateway> --key <key>] [--catalog <folder>] [--json] [--strict]

Decides recorded requests again, as they would be under these policies, and compares with the policies in force (or
--against). Then says of every kind of request, asked or not: models left without an endpoint, rules that never match,
rules that are never the only reason. Reads the ledger's tables (--database, else CUSTOS_DATABASE_URL, else the embedded database of
CUSTOS_DATA_DIR while its gateway runs), or asks a gateway that has the bundle stored. Nothing is changed or sent.
Exit code 0: done, 1: faults, or with --strict something is newly refused or a model loses its last endpoint for some
kind of request, recorded or not, 2: bad usage.
`;

const SINCE_DEFAULT = '30d';

/** Exit codes as in the usage text. */
export async function runPolicySimulate(args: string[]): Promise<number> {
  const options = simulateOptions(args, Date.now());
  if (options === undefined) {
    process.stderr.write(USAGE);
    return 2;
  }
  try {
    const report =
      options.url === undefined
        ? await simulateHere(options)
        : await simulateByApi(options.url, options.key, options.bundle, options.since);
    process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : simulationTable(report));
    return options.strict && takesAway(report) ? 1 : 0;
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

/** What a reviewer must look at before it takes effect: traffic refused, or a model out of reach for whoever asks next. */
export const takesAway = ({
  newlyRefused,
  outlook,
}: Pick<SimulationReport, 'newlyRefused' | 'outlook'>): boolean =>
  newlyRefused > 0 || (outlook?.newlyUnreachable.models ?? 0) > 0;

type Options = NonNullable<ReturnType<typeof simulateOptions>>;

function simulateOptions(args: string[], nowMs: number) {
  try {
    const { values, positionals } = parseArgs({
      args,
      options: {
        since: { type: 'string', default: SINCE_DEFAULT },
        against: { type: 'string' },
        database: { type: 'string' },
        url: { type: 'string' },
        key: { type: 'string' },
        catalog: { type: 'string' },
        json: { type: 'boolean', default: false },
        strict: { type: 'boolean', default: false },
      },
      allowPositionals: true,
    });
    const [bundle] = positionals;
    const since = parseSince(values.since, nowMs);
    if (bundle === undefined || positionals.length > 1 || since === undefined) return undefined;
    return { ...values, bundle, since, nowMs };
  } catch {
    return undefined;
  }
}

async function simulateHere(options: Options): Promise<SimulationReport> {
  const past = await ThePast.open(options.database);
  if (past === undefined)
    throw new DomainError(
      'no-database',
      'there is no database: name one with --database, or a gateway with --url',
    );
  try {
    const catalog = readCatalog(options.catalog);
    const simulated = await bundleNamed(options.bundle, past);
    const against = options.against ?? (await past.active()) ?? shippedFolder();
    const inForce = await bundleNamed(against, past);
    const over = (c: Catalog) => ({
      before: watchedDecider(inForce, c),
      after: watchedDecider(simulated, c),
    });
    const { before, after } = over(catalog);
    const shelf = new CatalogShelf({
      atHand: catalog,
      kept: (version) => past.keptCatalog(version),
    });
    const { nowMs } = options;
    const told = await past.told();
    let skipped = 0;
    const report = await resimulate({
      recorded: recordedRequests({
        generations: past.traffic.generations({ from: options.since.toISOString() }),
        verdictOf: (digest) => past.traffic.decision(digest),
        attributesOf: (generation) => told.attributesOf(generation),
        skipped: () => (skipped += 1),
      }),
      factsOf: async (version) => (await told.facts(version))?.facts,
      before,
      after,
      earlier: async (version) => {
        const kept = await shelf.of(version);
        return kept && over(kept);
      },
      nowMs,
      // Each with its own seed and requirements: only the rules make a difference.
      replan: ({ plan }, permitted, { models }) =>
        firstChoiceAgain(plan as RecordedPlanInputs | undefined, permitted, models),
    });
    if (skipped > 0)
      process.stderr.write(
        `${skipped} requests left out: their recorded verdict is not in this database\n`,
      );
    const outlook = await outlookOf({ before, after, nowMs, hit: rulesHit(report) });
    return { ...report, outlook };
  } finally {
    await past.close();
  }
}
