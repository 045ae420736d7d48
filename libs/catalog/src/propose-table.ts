import { authorLookup, parseAuthors } from './authors.js';
import { chatOffersOf } from './import-offers.js';
import { formatIdentityTable } from './model-identity.js';
import { proposeIdentity } from './propose-identity.js';
import type { Sources } from './source-models-dev.js';

/** A draft of `model-identity.json` for these sources; `reviewedOn` is the day on which somebody reviews it. */
export function proposeIdentityTable(
  sources: Sources,
  authorsText: string,
  reviewedOn: string,
): string {
  const offers = chatOffersOf(sources).chat.map(({ offer: { provider, id, baseModel } }) =>
    baseModel === undefined ? { provider, id } : { provider, id, baseModel },
  );
  const { rows, apart } = proposeIdentity(offers, authorLookup(parseAuthors(authorsText)));
  return formatIdentityTable({ reviewedOn, models: rows, apart });
}
