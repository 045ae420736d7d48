// Rules of FOCUS 1.3, Cost and Usage, restated from the columns' pages in FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec
// (specification/datasets/cost_and_usage/columns/*.md and specification/attributes/*.md). Null is an empty field.
export type Row = Readonly<Record<string, string | undefined>>;
export interface Rule {
  /** The page, and what it asks. */
  readonly says: string;
  readonly holds: (row: Row) => boolean;
}

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** Feature level Mandatory. */
export const MANDATORY = [
  'BilledCost',
  'BillingAccountId',
  'BillingAccountName',
  'BillingCurrency',
  'BillingPeriodEnd',
  'BillingPeriodStart',
  'ChargeCategory',
  'ChargeClass',
  'ChargeDescription',
  'ChargePeriodEnd',
  'ChargePeriodStart',
  'ContractedCost',
  'EffectiveCost',
  'HostProviderName',
  'InvoiceIssuerName',
  'ListCost',
  'ListUnitPrice',
  'PricingQuantity',
  'PricingUnit',
  'ServiceCategory',
  'ServiceName',
  'ServiceProviderName',
];

const NEVER_NULL = [
  'BilledCost',
  'BillingAccountId',
  'BillingCurrency',
  'BillingPeriodEnd',
  'BillingPeriodStart',
  'ChargeCategory',
  'ChargeFrequency',
  'ChargePeriodEnd',
  'ChargePeriodStart',
  'ContractedCost',
  'EffectiveCost',
  'HostProviderName',
  'InvoiceIssuerName',
  'ListCost',
  'ServiceCategory',
  'ServiceName',
  'ServiceProviderName',
  'ServiceSubcategory',
];

const NUMBERS = [
  'BilledCost',
  'ConsumedQuantity',
  'ContractedCost',
  'ContractedUnitPrice',
  'EffectiveCost',
  'ListCost',
  'ListUnitPrice',
  'PricingQuantity',
];

const isNull = (row: Row, column: string): boolean => (row[column] ?? '') === '';
const isSold = (row: Row): boolean =>
  ['Usage', 'Purchase'].includes(row['ChargeCategory'] ?? '') && isNull(row, 'ChargeClass');
const oneOf = (row: Row, column: string, ...values: readonly string[]): boolean =>
  values.includes(row[column] ?? '');

/** Decimal strings as integers of 10^-12, and their product as one of 10^-24. */
export function pico(decimal: string | undefined): bigint {
  const [whole = '0', fraction = ''] = (decimal ?? '0').replace('-', '').split('.');
  const value = BigInt(whole + fraction.padEnd(12, '0'));
  return decimal?.startsWith('-') ? -value : value;
}

export const RULES: readonly Rule[] = [
  ...NEVER_NULL.map((column) => ({
    says: `${column.toLowerCase()}.md: MUST NOT be null`,
    holds: (row: Row) => !isNull(row, column),
  })),
  ...NUMBERS.map((column) => ({
    says: `numeric_format.md: ${column} is a plain decimal`,
    holds: (row: Row) => isNull(row, column) || NUMBER.test(row[column]!),
  })),
  ...['BillingPeriodStart', 'BillingPeriodEnd', 'ChargePeriodStart', 'ChargePeriodEnd'].map(
    (column) => ({
      says: `${column}: date and time in UTC, ISO 8601`,
      holds: (row: Row) => TIME.test(row[column]!),
    }),
  ),
  {
    says: 'chargeperiodend.md: the exclusive end bound',
    holds: (r) => r['ChargePeriodStart']! < r['ChargePeriodEnd']!,
  },
  {
    says: 'billingperiodend.md: a whole month here',
    holds: (r) =>
      r['BillingPeriodStart']!.endsWith('-01T00:00:00Z') &&
      r['BillingPeriodEnd']!.endsWith('-01T00:00:00Z') &&
      r['BillingPeriodStart']! < r['BillingPeriodEnd']!,
  },
  {
    says: 'chargecategory.md: one of the allowed values',
    holds: (r) => oneOf(r, 'ChargeCategory', 'Usage', 'Purchase', 'Tax', 'Credit', 'Adjustment'),
  },
  {
    says: 'chargeclass.md: "Correction" where a closed billing period is corrected, else null',
    holds: (r) =>
      r['ChargePeriodStart']! < r['BillingPeriodStart']! === !isNull(r, 'ChargeClass') &&
      (isNull(r, 'ChargeClass') || r['ChargeClass'] === 'Correction'),
  },
  {
    says: 'chargefrequency.md: one of the allowed values',
    holds: (r) => oneOf(r, 'ChargeFrequency', 'One-Time', 'Recurring', 'Usage-Based'),
  },
  {
    says: 'chargefrequency.md: MUST NOT be "Usage-Based" when ChargeCategory is "Purchase"',
    holds: (r) => !(r['ChargeCategory'] === 'Purchase' && r['ChargeFrequency'] === 'Usage-Based'),
  },
  {
    says: 'consumedquantity.md: MUST be null when ChargeCategory is not "Usage"',
    holds: (r) => r['ChargeCategory'] === 'Usage' || isNull(r, 'ConsumedQuantity'),
  },
  {
    says: 'consumedquantity.md: MUST NOT be null of usage that is no correction',
    holds: (r) =>
      r['ChargeCategory'] !== 'Usage' ||
      !isNull(r, 'ChargeClass') ||
      !isNull(r, 'ConsumedQuantity'),
  },
  {
    says: 'consumedunit.md: null exactly when ConsumedQuantity is',
    holds: (r) => isNull(r, 'ConsumedUnit') === isNull(r, 'ConsumedQuantity'),
  },
  {
    says: 'pricingunit.md: null exactly when PricingQuantity is',
    holds: (r) => isNull(r, 'PricingUnit') === isNull(r, 'PricingQuantity'),
  },
  {
    says: 'unit_format.md: capitalised plurals',
    holds: (r) =>
      ['ConsumedUnit', 'PricingUnit'].every(
        (c) => isNull(r, c) || oneOf(r, c, 'Tokens', 'Requests', 'Calls', 'Units'),
      ),
  },
  ...['SkuId', 'SkuPriceId', 'PricingQuantity', 'PricingCategory', 'ListUnitPrice'].map(
    (column) => ({
      says: `${column.toLowerCase()}.md: MUST NOT be null of usage or a purchase that is no correction`,
      holds: (row: Row) => !isSold(row) || !isNull(row, column),
    }),
  ),
  ...['ConsumedQuantity', 'PricingQuantity', 'PricingCategory', 'ListUnitPrice'].map((column) => ({
    says: `${column.toLowerCase()}.md: MUST be null when SkuPriceId is null`,
    holds: (row: Row) => !isNull(row, 'SkuPriceId') || isNull(row, column),
  })),
  {
    says: 'skumeter.md: MUST be null when SkuId is, SHOULD NOT be otherwise',
    holds: (r) => isNull(r, 'SkuMeter') === isNull(r, 'SkuId'),
  },
  {
    says: 'pricingcategory.md: one of the allowed values',
    holds: (r) =>
      isNull(r, 'PricingCategory') ||
      oneOf(r, 'PricingCategory', 'Standard', 'Dynamic', 'Committed', 'Other'),
  },
  {
    says: 'listunitprice.md: non-negative',
    holds: (r) => !(r['ListUnitPrice'] ?? '').startsWith('-'),
  },
  ...(
    [
      ['ListCost', 'ListUnitPrice'],
      ['ContractedCost', 'ContractedUnitPrice'],
    ] as const
  ).map(([cost, price]) => ({
    says: `pricingquantity.md: ${cost} MUST equal ${price} times PricingQuantity`,
    holds: (row: Row) =>
      isNull(row, price) ||
      pico(row[cost]) === pico(row[price]) * BigInt(row['PricingQuantity'] ?? '0'),
  })),
  {
    says: 'listcost.md: MUST match BilledCost where no unit price is given and it is related to no other charge',
    holds: (r) => !isNull(r, 'ListUnitPrice') || r['ListCost'] === r['BilledCost'],
  },
  {
    says: 'effectivecost.md: MUST be 0 when a purchase covers other charges',
    holds: (r) => r['SkuId'] !== 'custos/credit' || r['EffectiveCost'] === '0',
  },
  {
    says: 'effectivecost.md: MUST match BilledCost where the charge neither covers nor is covered',
    holds: (r) =>
      r['SkuId'] === 'custos/credit' ||
      r['x_Payer'] === 'prepaid' ||
      r['EffectiveCost'] === r['BilledCost'],
  },
  {
    says: 'billedcost.md: MUST NOT include any portion covered by related purchases',
    holds: (r) =>
      r['x_Payer'] !== 'prepaid' || r['ChargeCategory'] !== 'Usage' || r['BilledCost'] === '0',
  },
  {
    says: 'servicesubcategory.md: its parent is AI and Machine Learning',
    holds: (r) =>
      r['ServiceCategory'] === 'AI and Machine Learning' &&
      r['ServiceSubcategory'] === 'Generative AI',
  },
  {
    says: 'null_handling.md: no placeholder strings (HostProviderName MAY be "Not Applicable")',
    holds: (r) =>
      Object.entries(r).every(
        ([c, v]) => c === 'HostProviderName' || !['Not Applicable', 'N/A', 'null'].includes(v!),
      ),
  },
  {
    says: 'tags.md: JSON, keys of ours with a prefix',
    holds: (r) =>
      isNull(r, 'Tags') ||
      Object.keys(JSON.parse(r['Tags']!) as object).every((k) => k.startsWith('custos/')),
  },
];
