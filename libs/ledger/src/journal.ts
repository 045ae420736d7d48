/** Signed integer pico-USD: a debit is positive, a credit negative. JSON-safe: the amount is a decimal string. */
export interface Posting {
  readonly account: string;
  readonly amountPicoUsd: string;
}

/** One entry in the books, as drafted: the database adds when it was recorded. */
export interface Journal {
  readonly id: bigint;
  /** The leaf that caused it. */
  readonly leafIndex: bigint;
  readonly kind: 'usage' | 'reversal';
  readonly generationId: string;
  readonly priceBook: string;
  /** When what it accounts for happened, RFC 3339. */
  readonly effectiveAt: string;
  /** Of a reversal: the journal that it takes back. */
  readonly reverses?: bigint;
  readonly postings: readonly Posting[];
}

export interface JournalInput {
  readonly organisationId: string;
  /** The model sold: what the revenue is for. */
  readonly model: string;
  readonly customerPicoUsd: bigint;
  /** What each provider will charge us, by provider id. */
  readonly providerPicoUsd: ReadonlyMap<string, bigint>;
}

/**
 * Double entry for one generation: the customer owes us, revenue arises; each provider is owed, its cost arises.
 * The amounts add up to zero. Where nothing is to be charged on either side there is no journal (an empty list).
 */
export function journalFor(input: JournalInput): readonly Posting[] {
  const postings: Posting[] = [];
  const pair = (debit: string, credit: string, amount: bigint): void => {
    postings.push(
      { account: debit, amountPicoUsd: amount.toString() },
      { account: credit, amountPicoUsd: (-amount).toString() },
    );
  };
  if (input.customerPicoUsd !== 0n)
    pair(
      `customer:${input.organisationId}:receivable`,
      `revenue:usage:${input.model}`,
      input.customerPicoUsd,
    );
  for (const provider of [...input.providerPicoUsd.keys()].sort()) {
    const amount = input.providerPicoUsd.get(provider) ?? 0n;
    if (amount !== 0n) pair(`cogs:provider:${provider}`, `payable:provider:${provider}`, amount);
  }
  return postings;
}

/** The journal that takes another back, posting by posting. */
export const reversalOf = (postings: readonly Posting[]): readonly Posting[] =>
  postings.map((p) => ({
    account: p.account,
    amountPicoUsd: (-BigInt(p.amountPicoUsd)).toString(),
  }));
