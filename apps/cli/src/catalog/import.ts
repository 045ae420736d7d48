import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  CATALOG_FILE_NAMES,
  CatalogError,
  importModelsDev,
  loadCatalog,
  proposeIdentityTable,
  readSources,
  REVIEWED_FILE_NAMES,
} from '#libs/catalog';
import type { ImportResult } from '#libs/catalog';
import { builtInCatalogDirectory, isFileFault } from './catalog-directory.js';

const USAGE = `usage: custos catalog import --from <dir> [--out <dir>] [--propose <file>]

Turns models.dev's data (endpoints.jsonl, models.jsonl, provider-index.json, providers.json,
quality-aider-polyglot.json in <dir>) into the catalog's own files. The reviewed tables in the output
directory (${REVIEWED_FILE_NAMES.join(', ')}) decide what is joined and are not changed.
--propose writes a draft of model-identity.json for review instead of the catalog.
`;

/** Exit codes: 0 written, 1 the source or a table is at fault (and says how), 2 bad usage. */
export async function runCatalogImport(args: string[]): Promise<number> {
  const options = optionsOf(args);
  if (options === undefined) {
    process.stderr.write(USAGE);
    return 2;
  }
  try {
    const sources = readSources((name) => readFileSync(join(options.from, name), 'utf8'));
    const authors = await readFile(join(options.out, 'authors.jsonl'), 'utf8');
    if (options.propose !== undefined) {
      const reviewedOn = new Date().toISOString().slice(0, 10);
      await writeFile(options.propose, proposeIdentityTable(sources, authors, reviewedOn));
      process.stdout.write(`review ${options.propose} before it is committed\n`);
      return 0;
    }
    const [identity, reviews] = await Promise.all(
      (['model-identity.json', 'provider-review.jsonl'] as const).map((name) =>
        readFile(join(options.out, name), 'utf8'),
      ),
    );
    const result = importModelsDev(sources, {
      'model-identity.json': identity!,
      'authors.jsonl': authors,
      'provider-review.jsonl': reviews!,
    });
    const catalog = loadCatalog((name) => result.files[name]);
    await mkdir(options.out, { recursive: true });
    await Promise.all(
      CATALOG_FILE_NAMES.map((name) => writeFile(join(options.out, name), result.files[name])),
    );
    process.stdout.write(summary(result.report, catalog.version, catalog.priceBook.version));
    return 0;
  } catch (error) {
    if (error instanceof CatalogError) {
      process.stderr.write(`${error.code}: ${error.message} ${JSON.stringify(error.details)}\n`);
      return 1;
    }
    if (isFileFault(error)) {
      process.stderr.write(`${error.message}\n`);
      return 1;
    }
    throw error;
  }
}

interface Options {
  readonly from: string;
  readonly out: string;
  readonly propose?: string;
}

function optionsOf(args: string[]): Options | undefined {
  try {
    const { values } = parseArgs({
      args,
      options: {
        from: { type: 'string' },
        out: { type: 'string' },
        propose: { type: 'string' },
      },
    });
    if (values.from === undefined) return undefined;
    return {
      from: values.from,
      out: values.out ?? builtInCatalogDirectory(),
      ...(values.propose === undefined ? {} : { propose: values.propose }),
    };
  } catch {
    return undefined;
  }
}

function summary(report: ImportResult['report'], version: string, priceBook: string): string {
  const excluded = Object.entries(report.excluded).map(
    ([reason, count]) => `  left out, ${reason}: ${count}`,
  );
  return [
    `catalog ${version}`,
    `price book ${priceBook}`,
    `${report.models} models, ${report.endpoints} endpoints at ${report.providersWithOffers} providers`,
    `${report.unpriced} without a price, ${report.roundedSubPico} rounded to a pico-USD`,
    `${report.unlisted.length} endpoints are not in the identity table: each is a model of its own`,
    ...excluded,
    '',
  ].join('\n');
}
