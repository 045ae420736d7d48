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

type Facts = LawScenario['offer']['facts'];

/** A host in the Union that keeps everything there, under a signed contract. */
const EEA: Facts = {
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
const US: Facts = {
  ...EEA,
  hqCountry: 'US',
  controlledFrom: ['US'],
  processingRegions: ['US'],
  storageRegions: ['US'],
  operatorAccess: ['US'],
};
const CN: Facts = {
  ...EEA,
  hqCountry: 'CN',
  controlledFrom: ['CN'],
  processingRegions: ['CN'],
  storageRegions: ['CN'],
  operatorAccess: ['CN'],
};
const KR: Facts = {
  ...EEA,
  hqCountry: 'KR',
  controlledFrom: ['KR'],
  processingRegions: ['KR'],
  storageRegions: ['KR'],
  operatorAccess: ['KR'],
};
const PERSONAL = { tags: ['personal'], subjects: ['EEA'] } as const;
const BANK = { organisation: 'bank-1', sector: 'bank', jurisdiction: 'DE' } as const;
const SIGNED: Facts = {
  ...EEA,
  contractTerms: ['dpa', 'register-entry', 'location-change-notice'],
};

export const LAW_SCENARIOS: readonly LawScenario[] = [
  // Union: GDPR
  {
    name: 'EEA data, everything in the Union, processor under contract',
    because: 'Art. 28 is met and nothing is transferred',
    lawful: true,
    asked: PERSONAL,
    offer: { facts: EEA },
  },
  {
    name: 'EU host whose operators look in from the US',
    because:
      'remote access from a third country is a transfer (EDPB Guidelines 05/2021), and no instrument covers it: Art. 44',
    lawful: false,
    regime: 'gdpr',
    asked: PERSONAL,
    offer: { facts: { ...EEA, operatorAccess: ['FR', 'US'] } },
  },
  {
    name: 'the same, its US staff under the Data Privacy Framework',
    because: 'Decision (EU) 2023/1795 covers certified recipients in the US: Art. 45',
    lawful: true,
    asked: PERSONAL,
    offer: { facts: { ...EEA, operatorAccess: ['FR', 'US'], transferTools: ['dpf'] } },
  },
  {
    name: 'the same after the Framework was switched off',
    because: 'without the decision nothing covers the transfer: Art. 44',
    lawful: false,
    regime: 'gdpr',
    off: 'eu-gdpr/dpf-off',
    asked: PERSONAL,
    offer: { facts: { ...EEA, operatorAccess: ['FR', 'US'], transferTools: ['dpf'] } },
  },
  {
    name: 'the Framework off, standard clauses with an assessment on',
    because: 'Art. 46(2)(c) stands on its own',
    lawful: true,
    off: 'eu-gdpr/dpf-off',
    asked: PERSONAL,
    offer: { facts: { ...US, transferTools: ['dpf', 'scc+tia'] } },
  },
  {
    name: 'US host with the Framework, operators in India',
    because: 'the Framework covers the US, not an onward transfer to India: Art. 44, 46',
    lawful: false,
    regime: 'gdpr',
    asked: PERSONAL,
    offer: { facts: { ...US, operatorAccess: ['US', 'IN'], transferTools: ['dpf'] } },
  },
  {
    name: 'a global endpoint sold in an EU region',
    because:
      'the provider may route elsewhere, so inference may happen in any third country: Art. 44',
    lawful: false,
    regime: 'gdpr',
    asked: PERSONAL,
    offer: { facts: { ...EEA, pinned: false }, region: 'eu' },
  },
  {
    name: 'a region in the name, and no word on where inference runs',
    because:
      'the controller must know of every transfer (Art. 28(3)(a), 44): a missing list shows nothing',
    lawful: false,
    regime: 'gdpr',
    asked: PERSONAL,
    offer: {
      facts: { ...EEA, processingRegions: [] as never },
      region: 'eu',
    },
  },
  {
    name: 'a list of places that says worldwide',
    because: 'it names third countries without an instrument: Art. 44',
    lawful: false,
    regime: 'gdpr',
    asked: PERSONAL,
    offer: { facts: { ...EEA, processingRegions: ['DE', 'worldwide'] } },
  },
  {
    name: 'a name that says EU over a list that says US',
    because: 'the evidence contradicts itself, so the place is not known: Art. 44',
    lawful: false,
    regime: 'gdpr',
    asked: PERSONAL,
    offer: { facts: { ...EEA, processingRegions: ['US'] }, region: 'eu' },
  },
  {
    name: 'weights made in China, run by a French host in France',
    because: 'where a model was made is no transfer: nobody in China receives anything',
    lawful: true,
    asked: PERSONAL,
    offer: { facts: EEA, origin: 'CN', openWeights: true },
  },
  {
    name: 'weights made in France, run in China',
    because: 'inference in China is a transfer without an instrument: Art. 44',
    lawful: false,
    regime: 'gdpr',
    asked: PERSONAL,
    offer: { facts: CN, origin: 'FR', openWeights: true },
  },
  {
    name: 'a US company’s servers, staff and disks in the Union',
    because: 'seat and ownership alone are no transfer (EDPB Guidelines 05/2021, para. 24 ff.)',
    lawful: true,
    asked: PERSONAL,
    offer: { facts: { ...EEA, hqCountry: 'US', controlledFrom: ['US'] } },
  },
  {
    name: 'inference in the Union, prompts kept in the US',
    because: 'storage is processing (Art. 4(2)), and in a third country a transfer',
    lawful: false,
    regime: 'gdpr',
    asked: PERSONAL,
    offer: { facts: { ...EEA, storageRegions: ['US'], retentionDays: 30 } },
  },
  {
    name: 'the same with zero retention in force',
    because: 'what is not kept is not stored in the US',
    lawful: true,
    asked: PERSONAL,
    offer: { facts: { ...EEA, storageRegions: ['US'], zdr: 'contracted', retentionDays: 0 } },
  },
  {
    name: 'the claim of zero retention expired last month',
    because:
      'the controller cannot show it any more (Art. 5(2)), so prompts count as kept in the US',
    lawful: false,
    regime: 'gdpr',
    asked: PERSONAL,
    offer: { facts: { ...EEA, storageRegions: ['US'] }, expired: { zdr: 'contracted' } },
  },
  {
    name: 'zero retention on offer, not agreed',
    because: 'an offer binds nobody: Art. 28(3) wants a contract',
    lawful: false,
    regime: 'gdpr',
    asked: PERSONAL,
    offer: { facts: { ...EEA, storageRegions: ['US'], zdr: 'approval' } },
  },
  {
    name: 'zero retention at large, thirty days for this model',
    because: 'this model’s prompts are kept, and in the US: the special statement is the true one',
    lawful: false,
    regime: 'gdpr',
    asked: PERSONAL,
    offer: {
      facts: { ...EEA, storageRegions: ['US'], zdr: 'contracted' },
      ofModel: { retentionDays: 30 },
    },
  },
  {
    name: 'no contract with the processor',
    because: 'Art. 28(3)',
    lawful: false,
    regime: 'gdpr',
    asked: PERSONAL,
    offer: { facts: { ...EEA, contractTerms: [] } },
  },
  {
    name: 'the processor’s contract ran out',
    because: 'Art. 28(3) wants one in force',
    lawful: false,
    regime: 'gdpr',
    asked: PERSONAL,
    offer: {
      facts: { ...EEA, contractTerms: undefined as never },
      expired: { contractTerms: ['dpa'] },
    },
  },
  {
    name: 'special categories, not tagged as personal as well, in the US without an instrument',
    because: 'data of Art. 9 are personal data: Chapter V applies',
    lawful: false,
    regime: 'gdpr.ch5',
    asked: { tags: ['special-category'], subjects: ['EEA'] },
    offer: { facts: { ...US, zdr: 'contracted', retentionDays: 0 } },
  },
  {
    name: 'a clinic in the Union, health data, subjects not stated, a US host with a HIPAA agreement',
    because:
      'Art. 3(1): the establishment is in the Union, whoever the patients are; a BAA is no instrument of Chapter V',
    lawful: false,
    regime: 'gdpr',
    who: { jurisdiction: 'DE', sector: 'health' },
    asked: { tags: ['phi'] },
    offer: { facts: { ...US, baaSigned: true } },
  },
  {
    name: 'customers’ financial data of people in the Union, tagged for GLBA only',
    because: 'it is personal data of data subjects in the Union: Art. 3, 44',
    lawful: false,
    regime: 'gdpr',
    who: { jurisdiction: 'US', sector: 'general' },
    asked: { tags: ['customer-financial'], subjects: ['EEA'] },
    offer: {
      facts: {
        ...US,
        contractTerms: ['dpa', 'safeguards', 'periodic-assessment', 'encryption-at-rest'],
      },
    },
  },
  {
    name: 'published personal data to a provider that trains on it',
    because:
      'a processor acts on instructions only (Art. 28(3)(a)); that data are public changes nothing',
    lawful: false,
    regime: 'base.no-training',
    asked: { ...PERSONAL, dataClass: 'public' },
    offer: { facts: { ...EEA, trainsOnApiData: true } },
  },
  {
    name: 'published personal data to a provider of which nobody knows whether it trains',
    because: 'the controller must be able to show it (Art. 5(2), 28(1))',
    lawful: false,
    regime: 'base.no-training',
    asked: { ...PERSONAL, dataClass: 'public' },
    offer: { facts: { ...EEA, trainsOnApiData: undefined as never } },
  },
  {
    name: 'personal data of nobody knows whom',
    because: 'they may be in the Union, and then Chapter V applies',
    lawful: false,
    regime: 'gdpr',
    who: { jurisdiction: 'US' },
    asked: { tags: ['personal'] },
    offer: { facts: US },
  },
  {
    name: 'personal data of subjects in a country that nobody can spell',
    because: 'a word that names no place does not show that they are outside the Union',
    lawful: false,
    regime: 'gdpr',
    who: { jurisdiction: 'US' },
    asked: { tags: ['personal'], subjects: ['Gemany'] },
    offer: { facts: US },
  },
  {
    name: 'a French company, data of US customers, a US host without an instrument',
    because: 'Art. 3(1): the establishment is in the Union',
    lawful: false,
    regime: 'gdpr',
    who: { jurisdiction: 'FR' },
    asked: { tags: ['personal'], subjects: ['US'] },
    offer: { facts: US },
  },
  {
    name: 'a US company, data of its US customers, a US host',
    because: 'neither Art. 3(1) nor 3(2) reaches it',
    lawful: true,
    who: { jurisdiction: 'US' },
    asked: { tags: ['personal'], subjects: ['US'] },
    offer: { facts: US },
  },
  {
    name: 'EEA data to Japan under the adequacy decision',
    because: 'Decision (EU) 2019/419, relied upon and recorded',
    lawful: true,
    asked: PERSONAL,
    offer: {
      facts: {
        ...EEA,
        processingRegions: ['JP'],
        storageRegions: ['JP'],
        operatorAccess: ['JP'],
        transferTools: ['adequacy'],
      },
    },
  },
  {
    name: 'EEA data to Singapore, adequacy claimed',
    because: 'no decision for Singapore: a claim does not make one',
    lawful: false,
    regime: 'gdpr',
    asked: PERSONAL,
    offer: {
      facts: {
        ...EEA,
        processingRegions: ['SG'],
        storageRegions: ['SG'],
        operatorAccess: ['SG'],
        transferTools: ['adequacy'],
      },
    },
  },

  // United Kingdom, Switzerland
  {
    name: 'UK data in the Union',
    because: 'the EEA is adequate by DPA 2018 Sch. 21 para. 4-5',
    lawful: true,
    who: { jurisdiction: 'GB' },
    asked: { tags: ['personal'], subjects: ['GB'] },
    offer: { facts: EEA },
  },
  {
    name: 'UK data to the US under the EU framework only',
    because: 'the data bridge (SI 2023/1028) is a separate extension: a provider must have it',
    lawful: false,
    regime: 'uk-gdpr',
    who: { jurisdiction: 'GB' },
    asked: { tags: ['personal'], subjects: ['GB'] },
    offer: { facts: { ...US, transferTools: ['dpf'] } },
  },
  {
    name: 'UK data to the US over the data bridge',
    because: 'SI 2023/1028',
    lawful: true,
    who: { jurisdiction: 'GB' },
    asked: { tags: ['personal'], subjects: ['GB'] },
    offer: { facts: { ...US, transferTools: ['uk-us-bridge'] } },
  },
  {
    name: 'the bridge closed, the EU framework still open',
    because: 'the bridge falls with the regulations that made it, whatever the Union does',
    lawful: false,
    regime: 'uk-gdpr',
    off: 'uk-gdpr/bridge-off',
    who: { jurisdiction: 'GB' },
    asked: { tags: ['personal'], subjects: ['GB'] },
    offer: { facts: { ...US, transferTools: ['uk-us-bridge', 'dpf'] } },
  },
  {
    name: 'a UK hospital’s records, tagged as health data, subjects not stated, in the US',
    because: 'UK GDPR Art. 3(1) reaches the UK establishment: restricted transfer without a basis',
    lawful: false,
    regime: 'uk-gdpr',
    who: { jurisdiction: 'GB', sector: 'health' },
    asked: { tags: ['phi'] },
    offer: { facts: { ...US, baaSigned: true } },
  },
  {
    name: 'special categories of people in the UK, in the US',
    because: 'UK GDPR Art. 9 data are personal data: Art. 44A',
    lawful: false,
    regime: 'uk-gdpr',
    who: { jurisdiction: 'US' },
    asked: { tags: ['special-category'], subjects: ['GB'] },
    offer: { facts: { ...US, zdr: 'contracted', retentionDays: 0 } },
  },
  {
    name: 'Swiss data to Korea on the strength of the EU’s decision',
    because: 'Annex 1 of the ordinance does not list Korea: FADP Art. 16(1)',
    lawful: false,
    regime: 'ch-fadp',
    who: { jurisdiction: 'CH' },
    asked: { tags: ['personal'], subjects: ['CH'] },
    offer: { facts: { ...KR, transferTools: ['adequacy'] } },
  },
  {
    name: 'Swiss data to the US: the EU’s framework is not the Swiss one',
    because: 'Annex 1 lists the US for organisations certified under the Swiss-US DPF only',
    lawful: false,
    regime: 'ch-fadp',
    who: { jurisdiction: 'CH' },
    asked: { tags: ['personal'], subjects: ['CH'] },
    offer: { facts: { ...US, transferTools: ['dpf'] } },
  },
  {
    name: 'Swiss data to the US under the Swiss framework',
    because: 'Annex 1 in force since 2024-09-15',
    lawful: true,
    who: { jurisdiction: 'CH' },
    asked: { tags: ['personal'], subjects: ['CH'] },
    offer: { facts: { ...US, transferTools: ['ch-us-dpf'] } },
  },

  // China
  {
    name: 'important data to Hong Kong, under a Chinese host',
    because:
      'Hong Kong is outside the mainland: export without the security assessment of DSL Art. 31',
    lawful: false,
    regime: 'cn',
    who: { jurisdiction: 'CN' },
    asked: { tags: ['cn-important'] },
    offer: { facts: { ...CN, processingRegions: ['HK'] } },
  },
  {
    name: 'important data on the mainland, support staff in Singapore',
    because:
      'access from abroad is an export (CAC, Measures for security assessment, first guide, para. I)',
    lawful: false,
    regime: 'cn',
    who: { jurisdiction: 'CN' },
    asked: { tags: ['cn-important'] },
    offer: { facts: { ...CN, operatorAccess: ['CN', 'SG'] } },
  },
  {
    name: 'important data on the mainland with a foreign owner’s host',
    because: 'DSL Art. 31 asks where the data go, not who owns the host',
    lawful: true,
    who: { jurisdiction: 'CN' },
    asked: { tags: ['cn-important'] },
    offer: { facts: { ...CN, hqCountry: 'US', controlledFrom: ['US'] }, origin: 'US' },
  },
  {
    name: 'important data abroad on a standard contract',
    because:
      'the standard contract is for personal information; important data need the assessment: Order 16 Art. 7',
    lawful: false,
    regime: 'cn',
    who: { jurisdiction: 'CN' },
    asked: { tags: ['cn-important'] },
    offer: { facts: { ...EEA, transferTools: ['cn-standard-contract'] } },
  },
  {
    name: 'few people’s data from China to the Union, below the thresholds',
    because: 'Order 16 Art. 5(1)4 exempts it, which the handler recorded',
    lawful: true,
    who: { jurisdiction: 'CN' },
    asked: { tags: ['personal'], subjects: ['CN'] },
    offer: { facts: { ...EEA, transferTools: ['cn-exempt'] } },
  },
  {
    name: 'health data of people in China, tagged as special only, in the US',
    because: 'sensitive personal information (PIPL Art. 28) is personal information: Art. 38',
    lawful: false,
    regime: 'cn-pipl',
    who: { jurisdiction: 'US' },
    asked: { tags: ['special-category'], subjects: ['CN'] },
    offer: { facts: { ...US, zdr: 'contracted', retentionDays: 0 } },
  },

  // United States: bulk data, federal data, health, finance
  {
    name: 'bulk data, Chinese open weights, a US host of US owners in the US',
    because: '28 CFR 202.211 asks who can reach the data; weights reach nothing',
    lawful: true,
    who: { jurisdiction: 'US' },
    asked: { tags: ['us-bulk-sensitive'] },
    offer: { facts: US, origin: 'CN', openWeights: true },
  },
  {
    name: 'bulk data, a US company in the US, half of it owned from China',
    because: '202.211(a)(1): 50 % or more, wherever it is seated',
    lawful: false,
    regime: 'doj',
    who: { jurisdiction: 'US' },
    asked: { tags: ['us-bulk-sensitive'] },
    offer: { facts: { ...US, controlledFrom: ['US', 'CN'] } },
  },
  {
    name: 'bulk data, owners unknown',
    because: 'nobody could show that it is no covered person (202.1001: know your vendor)',
    lawful: false,
    regime: 'doj',
    who: { jurisdiction: 'US' },
    asked: { tags: ['us-bulk-sensitive'] },
    offer: { facts: { ...US, controlledFrom: undefined as never } },
  },
  {
    name: 'bulk data, US host, its night shift in Macao',
    because: 'Macao is China here (202.209), and its staff have access: 202.301',
    lawful: false,
    regime: 'doj',
    who: { jurisdiction: 'US' },
    asked: { tags: ['us-bulk-sensitive'] },
    offer: { facts: { ...US, operatorAccess: ['US', 'MO'] } },
  },
  {
    name: 'bulk data in a region that is called APAC',
    because: 'Hong Kong may be part of it: 202.209',
    lawful: false,
    regime: 'doj',
    who: { jurisdiction: 'US' },
    asked: { tags: ['us-bulk-sensitive'] },
    offer: { facts: { ...US, processingRegions: ['APAC'] } },
  },
  {
    name: 'bulk data in the Union, of a French host',
    because: 'no country of concern is near: the rule names six, not the world',
    lawful: true,
    who: { jurisdiction: 'US' },
    asked: { tags: ['us-bulk-sensitive'], subjects: ['US'] },
    offer: { facts: EEA },
  },
  {
    name: 'federal data of high impact on a service authorised at moderate',
    because: 'FIPS 199 and 44 USC 3607 ff.: at the level of the data or above',
    lawful: false,
    regime: 'fedramp',
    who: { jurisdiction: 'US', sector: 'government' },
    asked: { tags: ['federal-high'] },
    offer: { facts: { ...US, certifications: ['FedRAMP Moderate'] } },
  },
  {
    name: 'federal data on an authorisation that was not renewed',
    because: 'an authorisation in force is asked for',
    lawful: false,
    regime: 'fedramp',
    who: { jurisdiction: 'US', sector: 'government' },
    asked: { tags: ['federal-moderate'] },
    offer: { facts: US, expired: { certifications: ['FedRAMP High'] } },
  },
  {
    name: 'technical data in the US, staff in the US, of any nationality',
    because:
      '22 CFR 120.50(a)(2): release to a foreign person is an export wherever that person sits',
    lawful: false,
    regime: 'itar',
    who: { jurisdiction: 'US' },
    asked: { tags: ['itar'] },
    offer: { facts: US },
  },
  {
    name: 'technical data in the US, US persons only',
    because: 'nothing is released to a foreign person',
    lawful: true,
    who: { jurisdiction: 'US' },
    asked: { tags: ['itar'] },
    offer: { facts: { ...US, exportControl: ['us-persons-only'] } },
  },
  {
    name: 'technical data, US persons only, backups in Canada',
    because: 'sending out of the United States is an export: 120.50(a)(1)',
    lawful: false,
    regime: 'itar',
    who: { jurisdiction: 'US' },
    asked: { tags: ['itar'] },
    offer: { facts: { ...US, exportControl: ['us-persons-only'], storageRegions: ['US', 'CA'] } },
  },
  {
    name: 'health records, an agreement on offer',
    because: '45 CFR 164.504(e): a contract, not the prospect of one',
    lawful: false,
    regime: 'hipaa',
    who: { jurisdiction: 'US' },
    asked: { tags: ['phi'], subjects: ['US'] },
    offer: { facts: { ...US, baaOffered: true } },
  },
  {
    name: 'health records of US patients in the Union, agreement signed',
    because: 'HIPAA knows no rule of place',
    lawful: true,
    who: { jurisdiction: 'US' },
    asked: { tags: ['phi'], subjects: ['US'] },
    offer: { facts: { ...EEA, baaSigned: true } },
  },
  {
    name: 'health records, agreement signed, the provider trains on them',
    because: '164.504(e)(2)(i): no use of its own beyond what the entity itself may do',
    lawful: false,
    regime: 'base.no-training',
    who: { jurisdiction: 'US' },
    asked: { tags: ['phi'], subjects: ['US'], dataClass: 'public' },
    offer: { facts: { ...US, baaSigned: true, trainsOnApiData: 'opt-out' } },
  },
  {
    name: 'customers’ financial data, last year’s assessment of the provider',
    because: '16 CFR 314.4(f)(3): periodically',
    lawful: false,
    regime: 'glba',
    who: { jurisdiction: 'US' },
    asked: { tags: ['customer-financial'], subjects: ['US'] },
    offer: {
      facts: { ...US, contractTerms: undefined as never, zdr: 'contracted', retentionDays: 0 },
      expired: { contractTerms: ['safeguards', 'periodic-assessment'] },
    },
  },

  // Union: banks, artificial intelligence
  {
    name: 'a German bank, a contract that states places and promises notice',
    because: 'DORA Art. 28(3), 30(2)(b)',
    lawful: true,
    who: BANK,
    asked: {},
    offer: {
      facts: SIGNED,
      contract: ['processingRegions', 'pinned', 'storageRegions', 'contractTerms'],
    },
  },
  {
    name: 'the same places on the provider’s web page only',
    because: 'Art. 30(2)(b) wants them in the contract',
    lawful: false,
    regime: 'dora',
    who: BANK,
    asked: {},
    offer: { facts: SIGNED, contract: ['contractTerms'] },
  },
  {
    name: 'a critical function without an exit plan',
    because: 'Art. 28(8)',
    lawful: false,
    regime: 'dora',
    who: BANK,
    asked: { tags: ['dora-critical'] },
    offer: {
      facts: SIGNED,
      contract: ['processingRegions', 'pinned', 'storageRegions', 'contractTerms'],
    },
  },
  {
    name: 'a US bank with the same contract and no register',
    because: 'DORA binds financial entities of the Union: Art. 2',
    lawful: true,
    who: { ...BANK, jurisdiction: 'US' },
    asked: {},
    offer: { facts: US },
  },
  {
    name: 'social scoring by a company of the Union, on the best endpoint there is',
    because: 'AI Act Art. 5(1)(c): no place and no contract makes it lawful',
    lawful: false,
    regime: 'ai-act',
    who: { jurisdiction: 'FR' },
    asked: { purpose: 'social-scoring' },
    offer: { facts: EEA },
  },

  // Japan, Korea, Brazil, India
  {
    name: 'Japanese data in Tokyo, on a host seated in the US',
    because:
      'APPI Art. 28 asks where the third party is, not where its servers stand (PPC Q&A 12-3)',
    lawful: false,
    regime: 'jp-appi',
    who: { jurisdiction: 'JP' },
    asked: { tags: ['personal'], subjects: ['JP'] },
    offer: {
      facts: { ...US, processingRegions: ['JP'], storageRegions: ['JP'], operatorAccess: ['JP'] },
    },
  },
  {
    name: 'the same under an equivalent system',
    because: 'Art. 28(1), (3)',
    lawful: true,
    who: { jurisdiction: 'JP' },
    asked: { tags: ['personal'], subjects: ['JP'] },
    offer: {
      facts: {
        ...US,
        processingRegions: ['JP'],
        storageRegions: ['JP'],
        operatorAccess: ['JP'],
        transferTools: ['jp-equivalent-system'],
      },
    },
  },
  {
    name: 'Korean data in the Union',
    because: 'recognised as equivalent since 2025-09-16: PIPA Art. 28-8(1)5',
    lawful: true,
    who: { jurisdiction: 'KR' },
    asked: { tags: ['personal'], subjects: ['KR'] },
    offer: { facts: EEA },
  },
  {
    name: 'Korean resident numbers in Seoul, operators in the US',
    because:
      'looked up from abroad is provided abroad (Art. 28-8(1)), and the recognition leaves these numbers out',
    lawful: false,
    regime: 'kr-pipa',
    who: { jurisdiction: 'KR' },
    asked: { tags: ['kr-resident-number'] },
    offer: { facts: { ...KR, operatorAccess: ['KR', 'US'] } },
  },
  {
    name: 'Korean credit information computed in Seoul, kept in Frankfurt',
    because:
      'storage abroad is a transfer, and the recognition of the EU leaves credit information out',
    lawful: false,
    regime: 'kr-pipa',
    who: { jurisdiction: 'KR' },
    asked: { tags: ['kr-credit'] },
    offer: { facts: { ...KR, storageRegions: ['DE'] } },
  },
  {
    name: 'Korean resident numbers in Seoul, all of it',
    because: 'nothing leaves Korea',
    lawful: true,
    who: { jurisdiction: 'KR' },
    asked: { tags: ['kr-resident-number'], subjects: ['KR'] },
    offer: { facts: KR },
  },
  {
    name: 'Brazilian data in the US without clauses',
    because: 'no adequacy for the US: LGPD Art. 33',
    lawful: false,
    regime: 'br-lgpd',
    who: { jurisdiction: 'BR' },
    asked: { tags: ['personal'], subjects: ['BR'] },
    offer: { facts: { ...US, transferTools: ['dpf', 'scc+tia'] } },
  },
  {
    name: 'sensitive data of people in Brazil, in the US with the EU’s clauses',
    because:
      'the EU’s clauses are not the ANPD’s (Resolution 19/2024), and data of Art. 11 are personal data',
    lawful: false,
    regime: 'br-lgpd',
    who: { jurisdiction: 'US' },
    asked: { tags: ['special-category'], subjects: ['BR'] },
    offer: { facts: { ...US, zdr: 'contracted', retentionDays: 0, transferTools: ['scc+tia'] } },
  },
  {
    name: 'Indian payment data kept in Singapore',
    because: 'RBI 2018: stored only in India',
    lawful: false,
    regime: 'in-rbi',
    who: { jurisdiction: 'IN' },
    asked: { tags: ['in-payment'] },
    offer: { facts: { ...EEA, processingRegions: ['SG'], storageRegions: ['SG'] } },
  },
  {
    name: 'Indian payment data processed in Singapore, nothing kept',
    because: 'processing abroad is allowed where nothing stays (RBI FAQ 2019, question 5)',
    lawful: true,
    who: { jurisdiction: 'IN' },
    asked: { tags: ['in-payment'] },
    offer: {
      facts: { ...EEA, processingRegions: ['SG'], zdr: 'contracted', retentionDays: 0 },
    },
  },

  // Several laws at once
  {
    name: 'a French bank, health data of UK and Swiss staff, US staff of the host under the EU framework only',
    because: 'three regimes, three instruments: the UK’s and Switzerland’s are missing',
    lawful: false,
    regime: 'uk-gdpr',
    who: { ...BANK, jurisdiction: 'FR' },
    asked: { tags: ['personal', 'special-category'], subjects: ['GB', 'CH'] },
    offer: {
      facts: {
        ...SIGNED,
        operatorAccess: ['FR', 'US'],
        transferTools: ['dpf'],
        zdr: 'contracted',
        retentionDays: 0,
      },
      contract: ['processingRegions', 'pinned', 'storageRegions', 'contractTerms'],
    },
  },
  {
    name: 'bulk data on US persons, one of them in the Union, Chinese weights, US host with the Framework',
    because:
      '28 CFR 202 is met by ownership and access, Chapter V by the Framework: origin is in neither',
    lawful: true,
    who: { jurisdiction: 'US' },
    asked: { tags: ['personal', 'us-bulk-sensitive'], subjects: ['US', 'EEA'] },
    offer: { facts: { ...US, transferTools: ['dpf'] }, origin: 'CN', openWeights: true },
  },
];
