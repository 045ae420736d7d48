import { parseArgs } from 'node:util';
import { DomainError } from '#libs/kernel';
import { compareBundles, type BundleComparison } from '#libs/policy';
import { readCatalog } from '../catalog/read-catalog.js';
import { ThePast } from '../replay/the-past.js';
import { bundleNamed } from './bundle-named.js';
import { table } from './table.js';
import { watchedDecider } from './watched-decider.js';

const USAGE = `usage: custos policy diff <a> <b> [--database <url>] [--catalog <folder>] [--json]

Tells where two bundles (folders, or versions stored in the database) decide differently: over the whole catalog, for
every organisation, workspace and key that a policy names and one that none does × data classes × tags × regions of
subjects. Exit code 0: they decide alike, 1: they differ, 2: bad usage.
`;

/** Contexts shown to people; JSON has a hundred. */
const SHOWN_MAX = 20;

/** Exit codes as in the usage text. */
export async function runPolicyDiff(args: string[]): Promise<number> {
  const options = diffOptions(args);
  if (options === undefined) {
    process.stderr.write(USAGE);
    return 2;
  }
  const stored = [options.a, options.b].some((name) => name.startsWith('sha256:'));
  const past = stored ? await ThePast.open(options.database) : undefined;
  try {
    const catalog = readCatalog(options.catalog);
    const before = watchedDecider(await bundleNamed(options.a, past), catalog);
    const after = watchedDecider(await bundleNamed(options.b, past), catalog);
    const comparison = compareBundles(before, after, Date.now());
    process.stdout.write(options.json ? `${JSON.stringify(comparison)}\n` : shown(comparison));
    return comparison.differing > 0 ? 1 : 0;
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 2;
  } finally {
    await past?.close();
  }
}

function diffOptions(args: string[]) {
  try {
    const { values, positionals } = parseArgs({
      args,
      options: {
        database: { type: 'string' },
        catalog: { type: 'string' },
        json: { type: 'boolean', default: false },
      },
      allowPositionals: true,
    });
    const [a, b] = positionals;
    if (a === undefined || b === undefined || positionals.length > 2) return undefined;
    return { ...values, a, b };
  } catch {
    return undefined;
  }
}

function shown(c: BundleComparison): string {
  const { added, removed, changed } = c.policies;
  const said = (what: string, ids: readonly string[]): string =>
    ids.length === 0 ? '' : `${what}: ${ids.join(', ')}\n`;
  const texts = said('added', added) + said('removed', removed) + said('changed', changed);
  const verdict = `${c.differing} of ${c.contexts} contexts differ over ${c.endpoints} endpoints\n`;
  if (c.differing === 0) return texts + verdict;
  const counts = ['newly refused', 'newly allowed'];
  return [
    `${texts}${c.schemaChanged ? 'the schema changed\n' : ''}`,
    table(
      ['context', ...counts, 'left', 'rules'],
      c.inContexts
        .slice(0, SHOWN_MAX)
        .map((d) => [d.context, d.newlyRefused, d.newlyAllowed, d.left, d.rules.join(' ')]),
    ),
    table(
      ['rule', ...counts],
      c.byRule.map((r) => [r.id, r.newlyRefused, r.newlyAllowed]),
    ),
    table(
      ['provider', ...counts],
      c.byProvider.slice(0, SHOWN_MAX).map((p) => [p.provider, p.newlyRefused, p.newlyAllowed]),
    ),
    verdict,
  ].join('\n');
}
