// European Union: processors, whose data, and adequacy (GDPR).
import { EEA, US, PERSONAL, type LawScenario } from './scenario.spec-data.js';

export const GDPR_CONTRACTS_AND_SUBJECTS: readonly LawScenario[] = [
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
];
