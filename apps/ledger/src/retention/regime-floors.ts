/** The least that a regime asks to be kept, in months, and where it says so. Not legal advice; not reviewed by counsel. */
export interface RegimeFloor {
  readonly floorMonths: number;
  readonly source: string;
}

/** By the ids of the law packs where there is one. A regime that names no number is not here: a policy states its own. */
export const REGIME_FLOORS: Readonly<Record<string, RegimeFloor>> = {
  'eu-ai-act': {
    floorMonths: 6,
    source:
      'Regulation (EU) 2024/1689 Art. 19, 26(6): https://eur-lex.europa.eu/eli/reg/2024/1689/oj',
  },
  'cn-csl': {
    floorMonths: 6,
    source: 'Cybersecurity Law of the PRC (2016) Art. 21(3): network logs of at least six months',
  },
  'pci-dss': {
    floorMonths: 12,
    source: 'PCI DSS 4.0.1 req. 10.5.1: twelve months, three of them at hand',
  },
  'cn-pipl-dsl': {
    floorMonths: 36,
    source:
      'Personal Information Protection Law of the PRC Art. 55–56: processing records of three years',
  },
  'us-hipaa': {
    floorMonths: 72,
    source:
      '45 CFR 164.316(b)(2)(i): six years; https://www.ecfr.gov/current/title-45/section-164.316',
  },
  'us-doj-bulk-data': {
    floorMonths: 120,
    source: '28 CFR 202.1101: ten years; https://www.ecfr.gov/current/title-28/section-202.1101',
  },
};

/** Below this nothing goes whatever a policy says; the database refuses it as well. */
export const LEAST_MONTHS = 6;
