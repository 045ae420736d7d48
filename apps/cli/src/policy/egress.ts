import { parseArgs } from 'node:util';
import { DomainError } from '#libs/kernel';
import { egressOf, type EgressList } from '#libs/policy';
import { readCatalog } from '../catalog/read-catalog.js';
import { bundleNamed } from './bundle-named.js';
import { ciliumPolicy, networkPolicy } from './egress-manifests.js';
import { shippedFolder } from './policy-folder.js';
import { table } from './table.js';
import { watchedDecider } from './watched-decider.js';

const FORMATS = ['table', 'json', 'networkpolicy', 'cilium'] as const;
type Format = (typeof FORMATS)[number];

const USAGE = `usage: custos policy egress [folder] [--format json|networkpolicy|cilium] [--organisation <id>]…
                          [--base <provider>=<url>]… [--catalog <folder>] [--json]

Lists the hosts that a gateway under these policies can ever be told to call: those of providers of which some endpoint
is permitted in some context (every organisation, workspace and key that a policy names and one that none does × data
classes × tags that policies name × regions of subjects). --organisation: only what these can reach.
Exit code 0: listed, 1: the policies have faults, 2: bad usage.
`;

/** Exit codes as in the usage text. */
export async function runPolicyEgress(args: string[]): Promise<number> {
  const options = egressOptions(args);
  if (options === undefined) {
    process.stderr.write(USAGE);
    return 2;
  }
  try {
    const decider = watchedDecider(await bundleNamed(options.folder), readCatalog(options.catalog));
    const list = egressOf(decider, {
      nowMs: Date.now(),
      ...(options.organisations && { organisationIds: options.organisations }),
      baseUrls: options.bases,
    });
    process.stdout.write(WRITERS[options.format](list));
    return 0;
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

const WRITERS: Readonly<Record<Format, (list: EgressList) => string>> = {
  table: (list) =>
    `${table(
      ['host', 'port', 'providers'],
      list.hosts.map((h) => [h.host, h.port, h.providers.join(' ')]),
    )}permitted, base URL yours to configure: ${list.withoutHost.join(' ') || 'none'}\nnever permitted: ${list.closed.join(' ') || 'none'}\n`,
  json: (list) => `${JSON.stringify(list)}\n`,
  networkpolicy: networkPolicy,
  cilium: ciliumPolicy,
};

function egressOptions(args: string[]) {
  try {
    const { values, positionals } = parseArgs({
      args,
      options: {
        format: { type: 'string' },
        organisation: { type: 'string', multiple: true },
        base: { type: 'string', multiple: true, default: [] },
        catalog: { type: 'string' },
        json: { type: 'boolean', default: false },
      },
      allowPositionals: true,
    });
    const named = values.format ?? (values.json ? 'json' : 'table');
    const format = FORMATS.find((f) => f === named);
    const bases = values.base.map((text) => /^([^=]+)=(https?:\/\/.+)$/.exec(text));
    if (format === undefined || positionals.length > 1 || bases.includes(null)) return undefined;
    return {
      folder: positionals[0] ?? shippedFolder(),
      format,
      organisations: values.organisation,
      bases: new Map(bases.map((m) => [m![1]!, m![2]!])),
      catalog: values.catalog,
    };
  } catch {
    return undefined;
  }
}
