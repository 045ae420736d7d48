import type { FactRow, ModelFactRow } from './catalog-format.js';
import type { FactName, FactValue } from './fact-values.js';
import type { ProviderReview } from './import-providers.js';
import type { SourceFacts } from './source-models-dev.js';

/** A compliance fact older than a year is read anew before it counts; until then it is unknown. */
const FACT_LIFETIME_DAYS = 365;

/** models.dev's data (commit f3fc692) says of each model whether its weights are open. */
const WEIGHTS_READ_ON = '2026-07-02';

type Scope = Pick<FactRow, 'model' | 'region'>;

/**
 * One row per fact that the source or the review establishes; what neither does has no row. All of it is what somebody
 * asserts. The source names its pages per provider, so every fact of a provider cites the same ones.
 */
export function factRows(source: SourceFacts, reviewed: ProviderReview | undefined): FactRow[] {
  const rows: FactRow[] = [];
  const add = (
    fact: FactName,
    value: FactValue | null,
    note: string | null | undefined,
    sources: readonly string[],
    scope: Scope = {},
  ): void => {
    rows.push({
      provider: source.id,
      ...scope,
      fact,
      value,
      class: 'asserted',
      sources: [...sources],
      readOn: source.checked,
      expiresOn: daysAfter(source.checked, FACT_LIFETIME_DAYS),
      ...(note == null ? {} : { note }),
    });
  };
  const known = (
    fact: FactName,
    value: FactValue | null | undefined,
    note?: string | null,
  ): void => {
    if (value != null) add(fact, value, note, sourcesOf(source));
  };
  const judged = (
    fact: FactName,
    value: FactValue | undefined,
    basis: string | undefined,
  ): void => {
    if (value !== undefined) add(fact, value, undefined, [basis ?? REVIEW]);
  };
  known('hqCountry', source.hqCountry);
  judged('controlledFrom', reviewed?.controlledFrom, reviewed?.controlledFromBasis);
  known('processingRegions', source.processingRegions, source.regionPinning);
  judged('pinned', reviewed?.pinned, reviewed?.pinnedBasis);
  known('retentionDays', source.retentionDaysDefault);
  known('zdr', source.zdr);
  known('trainsOnApiData', source.trainsOnApiData);
  known('baaOffered', source.baaOffered);
  known('certifications', source.certifications);
  for (const [region, { processingRegions, pinned }] of Object.entries(reviewed?.regions ?? {})) {
    const basis = [reviewed?.regionsBasis ?? REVIEW];
    add('processingRegions', processingRegions, undefined, basis, { region });
    add('pinned', pinned, undefined, basis, { region });
  }
  for (const { model, fact, value, basis } of reviewed?.exceptions ?? [])
    add(fact, value, undefined, [basis], { model });
  return rows;
}

const REVIEW = 'provider-review.jsonl';

const sourcesOf = ({ sources }: SourceFacts): readonly string[] =>
  sources.length > 0 ? sources : ['providers.json'];

/** What the two facts of a model rest on: the authors' table, and the source itself. */
export const modelFactRows = (authorsReadOn: string): readonly ModelFactRow[] => [
  {
    models: 'openWeights',
    class: 'asserted',
    sources: ['https://github.com/anomalyco/models.dev'],
    readOn: WEIGHTS_READ_ON,
    expiresOn: daysAfter(WEIGHTS_READ_ON, FACT_LIFETIME_DAYS),
  },
  {
    models: 'originCountry',
    class: 'asserted',
    sources: ['authors.jsonl'],
    readOn: authorsReadOn,
    expiresOn: daysAfter(authorsReadOn, FACT_LIFETIME_DAYS),
  },
];

function daysAfter(isoDate: string, days: number): string {
  const date = new Date(`${isoDate}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() + days);
  return date.toISOString().slice(0, 10);
}
