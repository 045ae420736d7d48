import type { RecordedDecision } from './rederive.js';
import {
  recordedRequest,
  type ProfileAttributes,
  type RecordedGeneration,
  type RecordedRequest,
} from './recorded-request.js';

/** Verdicts whose asker is remembered, some 200 bytes each; of more, the oldest are known by `attributesOf` alone. */
const VERDICTS_MAX = 500_000;

/** One row of the ledger: exactly one of the two. */
export interface GenerationRow {
  readonly opened?: RecordedGeneration | undefined;
  readonly refused?: RecordedGeneration | undefined;
}

export interface RecordedSources {
  readonly generations: AsyncIterable<GenerationRow>;
  /** The recorded verdicts. */
  readonly verdicts: AsyncIterable<{
    readonly data: Pick<RecordedDecision, 'digest' | 'profile' | 'scope'>;
  }>;
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
  const askers = new Map<string, Asker>();
  for await (const { data } of sources.verdicts) {
    const { sector = '', jurisdiction = '', environment = '' } = data.profile;
    askers.set(data.digest, {
      attributes: { sector, jurisdiction, environment },
      scope: data.scope,
    });
    if (askers.size <= VERDICTS_MAX) continue;
    for (const oldest of askers.keys()) {
      askers.delete(oldest);
      break;
    }
  }
  for await (const { opened, refused } of sources.generations) {
    const generation = opened ?? refused;
    if (generation?.decision === undefined) continue;
    const asker = askers.get(generation.decision.digest);
    const attributes = sources.attributesOf?.(generation) ?? asker?.attributes;
    const request = attributes && recordedRequest(generation, attributes, asker?.scope);
    if (request) yield request;
    else sources.skipped?.(generation.generationId);
  }
}
