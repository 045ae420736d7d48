/** Money is an integer count of pico-USD (1e-12 USD); signed where it is a posting. */
export type PicoUsd = bigint;

const PICO_DIGITS = 12;
export const PICO_USD_PER_USD = 10n ** BigInt(PICO_DIGITS);

/** Exact decimal string in USD: 123n → "0.000000000123". Never a float. */
export function formatUsd(amountPicoUsd: PicoUsd): string {
  const negative = amountPicoUsd < 0n;
  const digits = (negative ? -amountPicoUsd : amountPicoUsd)
    .toString()
    .padStart(PICO_DIGITS + 1, '0');
  const whole = digits.slice(0, -PICO_DIGITS);
  const fraction = digits.slice(-PICO_DIGITS).replace(/0+$/, '');
  return `${negative ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`;
}

/**
 * Parses a non-negative decimal USD string or number into pico-USD.
 * Throws TypeError on anything else, or when more than 12 decimals would be lost.
 */
export function parseUsd(value: string): PicoUsd {
  const m = /^(\d{1,18})(?:\.(\d{1,12}))?$/.exec(value);
  if (!m) throw new TypeError('not a decimal USD amount with at most 12 decimals');
  return BigInt(m[1]!) * PICO_USD_PER_USD + BigInt((m[2] ?? '').padEnd(PICO_DIGITS, '0') || '0');
}

const EXACT_MAX = BigInt(Number.MAX_SAFE_INTEGER);

/**
 * For the `cost` field of wire formats, which is a JSON number by their contract. Display only. The number nearest to the
 * amount: division rounds as reading the decimal would, and both its operands are exact below 9,007 USD.
 */
export const usdNumber = (amountPicoUsd: PicoUsd): number =>
  amountPicoUsd <= EXACT_MAX && amountPicoUsd >= -EXACT_MAX
    ? Number(amountPicoUsd) / Number(PICO_USD_PER_USD)
    : Number(formatUsd(amountPicoUsd));
