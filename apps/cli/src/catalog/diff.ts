import { parseArgs } from 'node:util';
import { CatalogError, loadCatalog } from '#libs/catalog';
import { formatUsd } from '#libs/kernel';
import { builtInCatalogDirectory, catalogReader, isFileFault } from './catalog-directory.js';
import { compareWithSecondOpinion, knownToBoth } from './second-opinion.js';
import type { Comparison, PriceDifference } from './second-opinion.js';

const USAGE = `usage: custos catalog diff [--catalog <dir>] [--provider <id>] [--json]

Lays the catalog's base prices beside those of @pydantic/genai-prices, for the sellers both know.
Exit code 0: no difference, 1: differences (listed) or nothing to compare, 2: bad usage or a provider that
the other list does not have.
`;

/** Exit codes as in the usage text; 1 also where the catalog or the other price list cannot be read. */
export async function runCatalogDiff(args: string[]): Promise<number> {
  const options = optionsOf(args);
  if (options === undefined) {
    process.stderr.write(USAGE);
    return 2;
  }
  try {
    const catalog = loadCatalog(catalogReader(options.catalog));
    const { calcPrice } = await import('@pydantic/genai-prices').catch((cause: unknown) => {
      throw new SecondOpinionMissing({ cause });
    });
    const comparison = compareWithSecondOpinion(catalog, calcPrice, new Date(), options.provider);
    process.stdout.write(options.json ? `${JSON.stringify(comparison)}\n` : table(comparison));
    return comparison.compared > 0 && comparison.differences.length === 0 ? 0 : 1;
  } catch (error) {
    if (
      error instanceof CatalogError ||
      error instanceof SecondOpinionMissing ||
      isFileFault(error)
    ) {
      process.stderr.write(`${error.message}\n`);
      return 1;
    }
    throw error;
  }
}

/** The other price list is a development dependency: an installation for production may lack it. */
class SecondOpinionMissing extends Error {
  constructor(options: ErrorOptions) {
    super('@pydantic/genai-prices is not installed: nothing to compare with', options);
  }
}

interface Options {
  readonly catalog: string;
  readonly provider?: string;
  readonly json: boolean;
}

function optionsOf(args: string[]): Options | undefined {
  try {
    const { values } = parseArgs({
      args,
      options: {
        catalog: { type: 'string' },
        provider: { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    });
    if (values.provider !== undefined && !knownToBoth(values.provider)) return undefined;
    return {
      catalog: values.catalog ?? builtInCatalogDirectory(),
      ...(values.provider === undefined ? {} : { provider: values.provider }),
      json: values.json,
    };
  } catch {
    return undefined;
  }
}

function table({ compared, unknownToThem, differences }: Comparison): string {
  const rows = differences.map((difference) => [
    difference.endpoint,
    difference.rate,
    usdPerMillion(difference.oursPicoUsdPerToken),
    usdPerMillion(difference.theirsPicoUsdPerToken),
    change(difference),
  ]);
  const all = [['endpoint', 'rate', 'ours', 'theirs', 'theirs vs ours'], ...rows];
  const widths = [0, 1, 2, 3, 4].map((column) =>
    Math.max(...all.map((row) => row[column]!.length)),
  );
  const lines = all.map((row) =>
    row
      .map((cell, column) =>
        column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join('  ')
      .trimEnd(),
  );
  const endpoints = new Set(differences.map(({ endpoint }) => endpoint)).size;
  const summary =
    `USD per million tokens. ${compared} endpoints compared, ${endpoints} differ in ${differences.length} rates, ` +
    `${unknownToThem} are not in the other list.`;
  return `${differences.length === 0 ? '' : `${lines.join('\n')}\n\n`}${summary}\n`;
}

/** Pico-USD per token are micro-USD per million tokens: a million times the amount, as exact decimal USD. */
const usdPerMillion = (picoUsdPerToken: string): string =>
  formatUsd(BigInt(picoUsdPerToken) * 1_000_000n);

function change({ oursPicoUsdPerToken, theirsPicoUsdPerToken }: PriceDifference): string {
  if (oursPicoUsdPerToken === '0') return 'free with us';
  const percent = (Number(theirsPicoUsdPerToken) / Number(oursPicoUsdPerToken) - 1) * 100;
  return `${percent > 0 ? '+' : ''}${percent.toFixed(1)} %`;
}
