// Banks and artificial intelligence in the Union; Japan, Korea, Brazil, India; several laws at once.
import { EEA, US, KR, BANK, SIGNED, type LawScenario } from './scenario.spec-data.js';

export const OTHERS: readonly LawScenario[] = [
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
