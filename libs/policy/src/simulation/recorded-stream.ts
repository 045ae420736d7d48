import type { RecordedDecision } from './rederive.js';
import {
  recordedRequest,
  type ProfileAttributes,
  type RecordedGeneration,
  type RecordedRequest,
} from './recorded-request.js';

/** Verdicts whose asker is remembered, some 200 bytes each; of more, the oldest are looked up again. */
const VERDICTS_MAX = 100_000;

/** One row of the ledger: exactly one of the two. */
export interface GenerationRow {
  readonly opened?: RecordedGeneration | undefined;
  readonly refused?: RecordedGeneration | undefined;
}

export interface RecordedSources {
  readonly generations: AsyncIterable<GenerationRow>;
  /** The recorded verdict that generations cite by this digest. */
  readonly verdictOf: (
    digest: string,
  ) => Promise<
    { readonly data: Pick<RecordedDecision, 'digest' | 'profile' | 'scope'> } | undefined
  >;
  /**
   * Sector, jurisdiction and environment of who asked, as they were then. A verdict has them too, but of whoever asked
   * first: others share it where no rule of then could tell them apart, and a new rule may.
   */
  readonly attributesOf?: (generation: RecordedGeneration) => ProfileAttributes | undefined;
  /** Told of a request that nobody can say enough about to decide it again. */
  readonly skipped?: (generationId: string) => void;
}

interface Asker {
  readonly attributes: ProfileAttributes;
  readonly scope: string;
}

/** Rows of the ledger as requests to decide again. Requests on which nothing was decided are left out. */
export async function* recordedRequests(sources: RecordedSources): AsyncGenerator<RecordedRequest> {
  const askers = new Askers(sources.verdictOf);
  for await (const { opened, refused } of sources.generations) {
    const generation = opened ?? refused;
    if (generation?.decision === undefined) continue;
    const asker = await askers.of(generation.decision.digest);
    const attributes = sources.attributesOf?.(generation) ?? asker?.attributes;
    const request = attributes && recordedRequest(generation, attributes, asker?.scope);
    if (request) yield request;
    else sources.skipped?.(generation.generationId);
  }
}

/** What verdicts say of who asked first, looked up once each as long as it is remembered. */
class Askers {
  readonly #known = new Map<string, Asker | undefined>();

  constructor(private readonly verdictOf: RecordedSources['verdictOf']) {}

  async of(digest: string): Promise<Asker | undefined> {
    if (this.#known.has(digest)) return this.#known.get(digest);
    const verdict = await this.verdictOf(digest);
    const asker = verdict && askerOf(verdict.data);
    this.#known.set(digest, asker);
    if (this.#known.size > VERDICTS_MAX)
      for (const oldest of this.#known.keys()) {
        this.#known.delete(oldest);
        break;
      }
    return asker;
  }
}

function askerOf({ profile, scope }: Pick<RecordedDecision, 'profile' | 'scope'>): Asker {
  const { sector = '', jurisdiction = '', environment = '' } = profile;
  return { attributes: { sector, jurisdiction, environment }, scope };
}
