import { formatUsd } from '#libs/kernel';
import { monthAfter, monthOf } from '../period.js';
import { chargesOf, unitOf, type Charge, type CustomerJournal } from './charge.js';

/**
 * Columns of FOCUS 1.3, Cost and Usage, in the specification's alphabetical order; ours follow, as its rule on columns
 * that it does not define asks. Not here: what does not arise (commitments, capacity, allocation, other currencies).
 */
export const FOCUS_COLUMNS = [
  'BilledCost',
  'BillingAccountId',
  'BillingAccountName',
  'BillingCurrency',
  'BillingPeriodEnd',
  'BillingPeriodStart',
  'ChargeCategory',
  'ChargeClass',
  'ChargeDescription',
  'ChargeFrequency',
  'ChargePeriodEnd',
  'ChargePeriodStart',
  'ConsumedQuantity',
  'ConsumedUnit',
  'ContractedCost',
  'ContractedUnitPrice',
  'EffectiveCost',
  'HostProviderName',
  'InvoiceId',
  'InvoiceIssuerName',
  'ListCost',
  'ListUnitPrice',
  'PricingCategory',
  'PricingQuantity',
  'PricingUnit',
  'RegionId',
  'RegionName',
  'ResourceId',
  'ResourceName',
  'ResourceType',
  'ServiceCategory',
  'ServiceName',
  'ServiceProviderName',
  'ServiceSubcategory',
  'SkuId',
  'SkuMeter',
  'SkuPriceId',
  'SubAccountId',
  'SubAccountName',
  'Tags',
  'x_LedgerOrigin',
  'x_LeafIndex',
  'x_JournalId',
  'x_JournalKind',
  'x_RequestId',
  'x_AttemptId',
  'x_PriceBook',
  'x_Payer',
  'x_Author',
  'x_Reason',
] as const;
export type FocusColumn = (typeof FOCUS_COLUMNS)[number];

/** One line of the export; what is absent is null, never an empty string or a zero. */
export type FocusRow = Readonly<Partial<Record<FocusColumn, string>>>;

/** What the journals do not say. */
export interface FocusContext {
  readonly origin: string;
  /** Who issues the invoices. */
  readonly issuer: string;
  readonly organisationName: (id: string) => string | undefined;
  readonly workspaceName: (id: string) => string | undefined;
  /** Of the invoice that the journal is on; undefined while there is none. */
  readonly invoiceNumber: (organisationId: string, period: string) => string | undefined;
}

/**
 * A journal's lines. BilledCost is what is invoiced: usage on account; of usage paid in advance nothing, since its
 * purchase was billed. So BilledCost adds up to what journals post on `receivable` and on `settlement:clearing`,
 * EffectiveCost to what they post as revenue, and with `rounding` an invoice's BilledCost to what it asks for.
 */
export function focusRows(journal: CustomerJournal, context: FocusContext): readonly FocusRow[] {
  const head = headOf(journal, context);
  switch (journal.kind) {
    case 'credit':
      return creditRows(journal, head, context, 1n);
    case 'refund':
      return creditRows(journal, head, context, -1n);
    case 'rounding':
      return [
        {
          ...head,
          ...notSold(context),
          ...costs(journal.customerPicoUsd, journal.customerPicoUsd),
          ChargeCategory: 'Adjustment',
          ChargeDescription: 'Rounding of invoice lines to cents',
          ChargeFrequency: 'One-Time',
        },
      ];
    default:
      return chargesOf(journal).map((charge) => ({
        ...head,
        ...usageRow(journal, charge, context),
      }));
  }
}

function headOf(journal: CustomerJournal, context: FocusContext): FocusRow {
  const { organisationId, period, effectiveAt, usage } = journal;
  const from = Math.floor(Date.parse(effectiveAt) / 1_000) * 1_000;
  const isCredit = journal.kind === 'credit' || journal.kind === 'refund';
  const invoice = !isCredit && context.invoiceNumber(organisationId, period);
  return {
    BillingAccountId: organisationId,
    ...named('BillingAccountName', context.organisationName(organisationId)),
    BillingCurrency: 'USD',
    BillingPeriodStart: `${period}-01T00:00:00Z`,
    BillingPeriodEnd: `${monthAfter(period)}-01T00:00:00Z`,
    // Whatever is billed after the month in which it was used had closed corrects that month.
    ...(monthOf(effectiveAt) < period && { ChargeClass: 'Correction' }),
    ChargePeriodStart: second(from),
    ChargePeriodEnd: second(from + 1_000),
    InvoiceIssuerName: context.issuer,
    ...(invoice && { InvoiceId: invoice }),
    ServiceCategory: 'AI and Machine Learning',
    ServiceSubcategory: 'Generative AI',
    ...(usage !== undefined && {
      SubAccountId: usage.workspaceId,
      ...named('SubAccountName', context.workspaceName(usage.workspaceId)),
      Tags: JSON.stringify({ 'custos/key': usage.keyId }),
      x_RequestId: usage.generationId,
    }),
    x_LedgerOrigin: context.origin,
    x_LeafIndex: journal.leafIndex.toString(),
    x_JournalId: journal.id.toString(),
    x_JournalKind: journal.kind,
    x_Payer: journal.payer,
    ...named('x_PriceBook', journal.priceBook),
    ...named('x_Author', journal.author),
    ...named('x_Reason', journal.reason),
  };
}

function usageRow(journal: CustomerJournal, charge: Charge, context: FocusContext): FocusRow {
  const { usage, payer } = journal;
  const { attempt, rated, amountPicoUsd } = charge;
  const model = usage?.model ?? '';
  const provider = attempt?.provider ?? context.issuer;
  const billed = payer === 'receivable' ? amountPicoUsd : 0n;
  const where: FocusRow = {
    ServiceName: model,
    ServiceProviderName: provider,
    HostProviderName: provider,
    ...(attempt !== undefined && {
      ...named('RegionId', usage?.regions.get(attempt.number)),
      ...named('RegionName', usage?.regions.get(attempt.number)),
      ResourceId: attempt.endpoint,
      ResourceName: attempt.endpoint,
      ResourceType: 'Model endpoint',
      ...(usage !== undefined && { x_AttemptId: `${usage.generationId}.${attempt.number}` }),
    }),
  };
  if (rated === undefined)
    return {
      ...where,
      ...costs(billed, amountPicoUsd, billed),
      ChargeCategory: 'Adjustment',
      ChargeDescription: `${model}: amount decided by a correction`,
      ChargeFrequency: 'One-Time',
    };
  const unit = unitOf(rated.class);
  const price = formatUsd(BigInt(rated.pricePicoUsdPerToken));
  const quantity = charge.tokens.toString();
  return {
    ...where,
    ...costs(billed, amountPicoUsd),
    ChargeCategory: 'Usage',
    ChargeDescription: `${model}: ${meterOf(rated.class)}`,
    ChargeFrequency: 'Usage-Based',
    ConsumedQuantity: quantity,
    ConsumedUnit: unit,
    PricingQuantity: quantity,
    PricingUnit: unit,
    PricingCategory: 'Standard',
    ListUnitPrice: price,
    ContractedUnitPrice: price,
    SkuId: `${model}/${rated.class}`,
    SkuMeter: meterOf(rated.class),
    // The offer and the class, as price books name them: the book in force is x_PriceBook, and changes with time.
    SkuPriceId: `${attempt?.endpoint ?? model}/${rated.class}`,
  };
}

/**
 * Credit is billed when it is bought and costs when it is used; its fee covers nothing and is cost at once. What is given
 * back is the same purchase less once: quantity and costs below nothing.
 */
function creditRows(
  journal: CustomerJournal,
  head: FocusRow,
  context: FocusContext,
  quantity: 1n | -1n,
): readonly FocusRow[] {
  const principal = -quantity * journal.customerPicoUsd;
  const fee = journal.feePicoUsd ?? 0n;
  const row = (what: string, sku: string, amount: bigint, effective: bigint): FocusRow => ({
    ...head,
    ...notSold(context),
    ...costs(quantity * amount, quantity * effective, quantity * amount),
    ChargeCategory: 'Purchase',
    ChargeDescription: quantity > 0n ? what : `${what}, given back`,
    ChargeFrequency: 'One-Time',
    PricingCategory: 'Standard',
    PricingQuantity: quantity.toString(),
    PricingUnit: 'Units',
    ListUnitPrice: formatUsd(amount),
    ContractedUnitPrice: formatUsd(amount),
    SkuId: sku,
    SkuMeter: what,
    SkuPriceId: sku,
  });
  return [
    ...(principal === 0n ? [] : [row('Prepaid credit', 'custos/credit', principal, 0n)]),
    ...(fee === 0n ? [] : [row('Fee on prepaid credit', 'custos/credit-fee', fee, fee)]),
  ];
}

/** Of what runs on nobody's infrastructure. */
const notSold = ({ issuer }: FocusContext): FocusRow => ({
  ServiceName: 'Custos',
  ServiceProviderName: issuer,
  HostProviderName: 'Not Applicable',
});

/** `list`: before commitments; where there is a unit price, it is price times quantity. */
const costs = (billed: bigint, effective: bigint, list = effective): FocusRow => ({
  BilledCost: formatUsd(billed),
  EffectiveCost: formatUsd(effective),
  ListCost: formatUsd(list),
  ContractedCost: formatUsd(list),
});

const named = (column: FocusColumn, value: string | undefined): FocusRow =>
  value === undefined || value === '' ? {} : { [column]: value };

const second = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;

function meterOf(tokenClass: string): string {
  if (tokenClass === 'request') return 'Requests';
  const words = tokenClass.replace(/^tool:/, '').replaceAll('_', ' ');
  const name = `${words.slice(0, 1).toUpperCase()}${words.slice(1)}`;
  return tokenClass.startsWith('tool:') ? `${name} calls` : `${name} tokens`;
}
