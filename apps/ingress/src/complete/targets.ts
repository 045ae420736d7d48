import type { Catalog, Endpoint, Provider } from '#libs/catalog';
import type { AttemptTarget } from '#libs/providers';

export interface TargetSettings {
  /** `auto`: live where a credential or an own base is present, else simulated. */
  readonly mode: 'simulated' | 'live' | 'auto';
  /** Base of the simulator, without `/e/…`; absent where nothing may be simulated. */
  readonly simulatorUrl?: string;
  /** Credentials by provider id. Never logged. */
  readonly credentials: ReadonlyMap<string, string>;
  /** Base URLs that replace the catalog's, by provider id. */
  readonly baseUrls: ReadonlyMap<string, string>;
  /** False in a production profile: a prompt never travels unencrypted. */
  readonly plainHttp: boolean;
  /** What a hold reserves where the caller names no ceiling. */
  readonly holdOutputTokens: number;
}

/** Turns an endpoint into where and how it is called: live with our credential, or at the simulator. */
export class TargetResolver {
  readonly #targets = new Map<string, AttemptTarget | undefined>();

  constructor(
    private readonly catalog: Catalog,
    private readonly settings: TargetSettings,
  ) {}

  /** Undefined where this process has no way to call the endpoint (no credential, no base, no simulator). */
  target(endpoint: Endpoint): AttemptTarget | undefined {
    const known = this.#targets.get(endpoint.id);
    if (known !== undefined || this.#targets.has(endpoint.id)) return known;
    const made = this.#make(endpoint);
    this.#targets.set(endpoint.id, made);
    return made;
  }

  #make(endpoint: Endpoint): AttemptTarget | undefined {
    const provider = this.catalog.providers.get(endpoint.providerId);
    if (!provider) return undefined;
    const live = this.settings.mode === 'simulated' ? undefined : this.#live(endpoint, provider);
    if (live || this.settings.mode === 'live') return live;
    if (this.settings.simulatorUrl === undefined) return undefined;
    return {
      ...this.#base(endpoint),
      baseUrl: `${this.settings.simulatorUrl}/e/${encodeURIComponent(endpoint.id)}/v1`,
      simulated: true,
    };
  }

  #live(endpoint: Endpoint, provider: Provider): AttemptTarget | undefined {
    const credential = this.settings.credentials.get(provider.id);
    const baseUrl = this.settings.baseUrls.get(provider.id) ?? provider.baseUrl;
    if (credential === undefined || baseUrl === undefined) return undefined;
    if (!this.settings.plainHttp && !baseUrl.startsWith('https://')) return undefined;
    return { ...this.#base(endpoint), baseUrl, credential, simulated: false };
  }

  #base(endpoint: Endpoint): Omit<AttemptTarget, 'baseUrl' | 'simulated'> {
    return {
      endpointId: endpoint.id,
      providerId: endpoint.providerId,
      dialect: endpoint.dialect,
      upstreamModel: endpoint.upstreamModel,
      maxOutputTokens: endpoint.maxOutputTokens,
      unaskedOutputTokens: Math.min(endpoint.maxOutputTokens, this.settings.holdOutputTokens),
    };
  }
}
