import * as z from 'zod';
import { CatalogError } from './errors.js';
import { spellingOf } from './propose-identity.js';

const identityTable = z.strictObject({
  reviewedOn: z.iso.date(),
  models: z.array(
    z.strictObject({
      model: z.string().regex(/^[a-z0-9._-]+\/[a-z0-9._:-]+$/),
      joins: z.array(
        z.strictObject({
          basis: z.enum(['source-base-model', 'same-name-reviewed', 'same-weights-reviewed']),
          names: z.array(z.string().min(1)).min(1),
        }),
      ),
    }),
  ),
  apart: z.array(
    z.strictObject({
      provider: z.string(),
      upstream: z.string(),
      base: z.string().optional(),
      reason: z.string(),
    }),
  ),
});

export type IdentityTable = z.infer<typeof identityTable>;

/** Which model of ours an offer is, and whether the table says so. */
export interface Identity {
  readonly model: string;
  readonly listed: boolean;
}

/** The reviewed table as a lookup. Throws CatalogError `identity-invalid` where a name stands for two models. */
export class ModelIdentity {
  private readonly byName = new Map<string, string>();
  private readonly byBase = new Map<string, string>();
  private readonly refusedBases = new Set<string>();
  private readonly aloneOffers = new Set<string>();
  private readonly listed = new Set<string>();

  constructor(readonly table: IdentityTable) {
    for (const { model, joins } of table.models) {
      if (this.listed.has(model)) throw invalid('a model is listed twice', { model });
      this.listed.add(model);
      for (const { basis, names } of joins) {
        const index = basis === 'source-base-model' ? this.byBase : this.byName;
        for (const name of names) {
          if (index.has(name)) throw invalid('a name stands for two models', { name, model });
          index.set(name, model);
        }
      }
    }
    for (const { provider, upstream, base } of table.apart) {
      const offer = `${provider}=${upstream}`;
      if (base === undefined) this.aloneOffers.add(offer);
      else this.refusedBases.add(offer);
    }
  }

  /**
   * A name that only this provider means so, then the source's base, then the name; refusals first. What the table
   * does not list is a model of its own, named after the provider, and joins with nobody.
   */
  of(offer: {
    readonly provider: string;
    readonly id: string;
    readonly baseModel?: string;
  }): Identity {
    const spelling = spellingOf(offer.provider, offer.id);
    const exact = `${offer.provider}=${offer.id}`;
    let model = this.byName.get(`${offer.provider}=${spelling}`);
    if (model === undefined && !this.aloneOffers.has(exact)) {
      if (offer.baseModel !== undefined && !this.refusedBases.has(exact))
        model = this.byBase.get(offer.baseModel);
      model ??= this.byName.get(spelling);
    }
    if (model !== undefined) return { model, listed: true };
    const own = `${offer.provider.toLowerCase()}/${spelling.replaceAll('/', '~').replace(/[^a-z0-9._:~-]/g, '-')}`;
    if (this.listed.has(own))
      throw invalid('an unlisted offer would take the id of a listed model', { model: own });
    return { model: own, listed: false };
  }
}

/** Throws CatalogError `identity-invalid`. */
export function parseIdentityTable(text: string): IdentityTable {
  try {
    return identityTable.parse(JSON.parse(text));
  } catch (cause) {
    throw new CatalogError(
      'identity-invalid',
      'model-identity table breaks its format',
      {},
      { cause },
    );
  }
}

/** One record per line, so that a review sees which join came or went. */
export function formatIdentityTable(table: {
  readonly reviewedOn: string;
  readonly models: readonly object[];
  readonly apart: readonly object[];
}): string {
  const lines = (rows: readonly object[]): string =>
    rows.map((row) => JSON.stringify(row)).join(',\n');
  return `{"reviewedOn":${JSON.stringify(table.reviewedOn)},\n"models":[\n${lines(table.models)}\n],\n"apart":[\n${lines(table.apart)}\n]}\n`;
}

const invalid = (message: string, details: Record<string, string> = {}): CatalogError =>
  new CatalogError('identity-invalid', message, details);
