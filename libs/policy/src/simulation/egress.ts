import type { Decider } from '../decider.js';
import { alikeEndpoints } from './alike-endpoints.js';
import { contextClasses, contextsOf } from './context-classes.js';

export interface EgressProvider {
  readonly id: string;
  /** Host of the catalog's base URL, or of the base that was given; absent = the customer must configure one. */
  readonly host?: string;
  readonly port?: number;
  /** One context in which an endpoint of it is permitted. */
  readonly because: string;
}

export interface EgressList {
  readonly policyVersion: string;
  readonly catalogVersion: string;
  readonly contexts: number;
  /** Of providers with an endpoint that some context permits, sorted. */
  readonly hosts: readonly {
    readonly host: string;
    readonly port: number;
    readonly providers: readonly string[];
  }[];
  readonly providers: readonly EgressProvider[];
  /** Permitted, but where they are called is the customer's to say. */
  readonly withoutHost: readonly string[];
  /** Nothing of these is ever permitted. */
  readonly closed: readonly string[];
}

export interface EgressOptions {
  readonly nowMs: number;
  /** Only what these organisations can reach; all principals where absent. */
  readonly organisationIds?: readonly string[];
  /** Base URLs in place of the catalog's, by provider. */
  readonly baseUrls?: ReadonlyMap<string, string>;
}

/** The hosts that a gateway under this bundle can ever be told to call. */
export function egressOf(decider: Decider, options: EgressOptions): EgressList {
  const { bundle, catalog } = decider;
  const { nowMs, organisationIds } = options;
  const known = contextClasses([bundle]);
  const contexts =
    organisationIds === undefined
      ? known
      : contextsOf(withOrganisations(known, organisationIds), organisationIds);
  const because = new Map<string, string>();
  let open = alikeEndpoints(catalog, [bundle], nowMs).map((g) => g.one);
  for (const { name, profile, facts } of contexts) {
    const { permitted } = decider.decide({ profile, facts, endpoints: open, nowMs });
    for (const { providerId } of permitted)
      if (!because.has(providerId)) because.set(providerId, name);
    // A provider that some context permits need not be asked about again.
    if (permitted.length > 0) open = open.filter((e) => !because.has(e.providerId));
    if (open.length === 0) break;
  }
  const providers = [...because]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([id, context]): EgressProvider => {
      const base = options.baseUrls?.get(id) ?? catalog.providers.get(id)?.baseUrl;
      return { id, ...hostOf(base), because: context };
    });
  const offered = new Set(catalog.endpoints.map((e) => e.providerId));
  return {
    policyVersion: bundle.version,
    catalogVersion: catalog.version,
    contexts: contexts.length,
    hosts: hostsOf(providers),
    providers,
    withoutHost: providers.filter((p) => p.host === undefined).map((p) => p.id),
    closed: [...offered].filter((id) => !because.has(id)).toSorted(),
  };
}

/** An organisation that no policy names is anybody, under its own name. */
function withOrganisations(
  contexts: ReturnType<typeof contextClasses>,
  ids: readonly string[],
): ReturnType<typeof contextClasses> {
  const named = new Set(contexts.map((c) => c.profile.organisationId));
  const anybody = contexts.filter((c) => c.name.startsWith('anybody, '));
  const added = ids
    .filter((id) => !named.has(id))
    .flatMap((id) =>
      anybody.map((c) => ({
        name: c.name.replace('anybody', `organisation ${id}`),
        profile: { ...c.profile, organisationId: id },
        facts: c.facts,
      })),
    );
  return [...contexts, ...added];
}

const PORT_OF: Readonly<Record<string, number>> = { 'https:': 443, 'http:': 80 };

function hostOf(base: string | undefined): { readonly host?: string; readonly port?: number } {
  if (base === undefined || !URL.canParse(base)) return {};
  const { hostname, port, protocol } = new URL(base);
  return { host: hostname, port: port === '' ? (PORT_OF[protocol] ?? 443) : Number(port) };
}

function hostsOf(providers: readonly EgressProvider[]): EgressList['hosts'] {
  const hosts = new Map<string, { host: string; port: number; providers: string[] }>();
  for (const { id, host, port } of providers) {
    if (host === undefined || port === undefined) continue;
    const key = `${host}:${port}`;
    const known = hosts.get(key) ?? { host, port, providers: [] };
    hosts.set(key, known);
    known.providers.push(id);
  }
  return [...hosts.values()].toSorted((a, b) =>
    a.host < b.host ? -1 : a.host > b.host ? 1 : a.port - b.port,
  );
}
