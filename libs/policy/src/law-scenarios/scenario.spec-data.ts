// Scenarios argued from the texts of the law, not from our rules: who asks, on what data, of which offer, and whether
// the law lets it go there. The six facts that are often merged (a model's origin, the host's seat, who owns it, the
// places of processing, of storage and of operators' access) are mixed so that a rule which reads the wrong one fails.
import type { FactName, FactValues } from '#libs/catalog';

export interface LawScenario {
  readonly name: string;
  /** Why the law says so. */
  readonly because: string;
  readonly lawful: boolean;
  /** Where it is not lawful: the regime whose rule must object. */
  readonly regime?: string;
  readonly who?: {
    readonly organisation?: string;
    readonly sector?: string;
    readonly jurisdiction?: string;
  };
  readonly asked: {
    readonly tags?: readonly string[];
    readonly subjects?: readonly string[];
    readonly purpose?: string;
    readonly dataClass?: 'public' | 'internal' | 'confidential';
  };
  readonly offer: {
    readonly facts: { readonly [N in FactName]?: FactValues[N] };
    /** Stated by a document that has expired since. */
    readonly expired?: { readonly [N in FactName]?: FactValues[N] };
    /** More specific than the rest: of this model alone. */
    readonly ofModel?: { readonly [N in FactName]?: FactValues[N] };
    readonly contract?: readonly FactName[];
    readonly region?: string;
    readonly origin?: string;
    readonly openWeights?: boolean;
  };
  readonly off?: 'eu-gdpr/dpf-off' | 'uk-gdpr/bridge-off' | 'ch-fadp/ch-us-dpf-off';
}

export type Facts = LawScenario['offer']['facts'];

/** A host in the Union that keeps everything there, under a signed contract. */
export const EEA: Facts = {
  hqCountry: 'FR',
  controlledFrom: ['FR'],
  processingRegions: ['FR'],
  pinned: true,
  storageRegions: ['DE'],
  operatorAccess: ['FR'],
  trainsOnApiData: false,
  contractTerms: ['dpa'],
};
/** The same in the United States, of US ownership. */
export const US: Facts = {
  ...EEA,
  hqCountry: 'US',
  controlledFrom: ['US'],
  processingRegions: ['US'],
  storageRegions: ['US'],
  operatorAccess: ['US'],
};
export const CN: Facts = {
  ...EEA,
  hqCountry: 'CN',
  controlledFrom: ['CN'],
  processingRegions: ['CN'],
  storageRegions: ['CN'],
  operatorAccess: ['CN'],
};
export const KR: Facts = {
  ...EEA,
  hqCountry: 'KR',
  controlledFrom: ['KR'],
  processingRegions: ['KR'],
  storageRegions: ['KR'],
  operatorAccess: ['KR'],
};
export const PERSONAL = { tags: ['personal'], subjects: ['EEA'] } as const;
export const BANK = { organisation: 'bank-1', sector: 'bank', jurisdiction: 'DE' } as const;
export const SIGNED: Facts = {
  ...EEA,
  contractTerms: ['dpa', 'register-entry', 'location-change-notice'],
};
