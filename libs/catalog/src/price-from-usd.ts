import type { PicoUsd } from '#libs/kernel';
import { CatalogError } from './errors.js';

/**
 * Where float noise ends. A double carries 15 to 17 significant digits, and what arithmetic on one leaves behind
 * (0.1 + 0.2 = 0.30000000000000004) sits past the 15th; vendors quote at most 9 in the data of 2026. What differs
 * only beyond the 12th significant digit is therefore noise, and what is still there up to the 12th was meant.
 */
const MEANT_DIGITS = 12;
/** USD per million tokens. A thousand times the dearest price of 2026: beyond it somebody mixed up the unit. */
const MAX_USD_PER_MILLION = 1_000_000n;
/** One USD per million tokens is 10^6 pico-USD per token. */
const PICO_PER_TOKEN_DIGITS = 6;
/** Longest decimal text read: a double's shortest form has at most 24 characters. */
const MAX_TEXT = 64;

export interface ConvertedPrice {
  readonly picoUsdPerToken: PicoUsd;
  /** True where the source's price, free of float noise, is finer than a pico-USD per token. */
  readonly roundedSubPico: boolean;
}

/** `digits × 10^exponent`, exact. */
interface Decimal {
  readonly digits: bigint;
  readonly exponent: number;
}

/**
 * USD per million tokens → integer pico-USD per token, without float arithmetic: a number is read through its
 * shortest decimal text. First noise is rounded away half-even at the 12th significant digit, then a price that is
 * really finer than a pico-USD is rounded half-even and flagged.
 *
 * Throws CatalogError `price-invalid`.
 */
export function priceFromUsdPerMillion(value: number | string): ConvertedPrice {
  const meant = withoutNoise(parseDecimal(typeof value === 'number' ? String(value) : value));
  const exponent = meant.exponent + PICO_PER_TOKEN_DIGITS;
  if (exponent >= 0) {
    const picoUsdPerToken = meant.digits * 10n ** BigInt(exponent);
    if (picoUsdPerToken > MAX_USD_PER_MILLION * 1_000_000n)
      throw invalid('price is implausibly high');
    return { picoUsdPerToken, roundedSubPico: false };
  }
  const picoUsdPerToken = divideHalfEven(meant.digits, 10n ** BigInt(-exponent));
  if (picoUsdPerToken > MAX_USD_PER_MILLION * 1_000_000n)
    throw invalid('price is implausibly high');
  return { picoUsdPerToken, roundedSubPico: true };
}

function parseDecimal(text: string): Decimal {
  const match =
    text.length <= MAX_TEXT ? /^(\d+)(?:\.(\d+))?(?:e([+-]?\d{1,3}))?$/i.exec(text) : null;
  if (!match) throw invalid('price is not a non-negative decimal');
  const fraction = match[2] ?? '';
  return shortest({
    digits: BigInt(match[1]! + fraction),
    exponent: Number(match[3] ?? '0') - fraction.length,
  });
}

function withoutNoise(value: Decimal): Decimal {
  const excess = value.digits.toString().length - MEANT_DIGITS;
  if (excess <= 0) return value;
  return shortest({
    digits: divideHalfEven(value.digits, 10n ** BigInt(excess)),
    exponent: value.exponent + excess,
  });
}

/** Trailing zeros moved into the exponent, so that an exact price never looks finer than it is. */
function shortest({ digits, exponent }: Decimal): Decimal {
  if (digits === 0n) return { digits, exponent: 0 };
  let shorter = digits;
  let raised = exponent;
  while (shorter % 10n === 0n) {
    shorter /= 10n;
    raised += 1;
  }
  return { digits: shorter, exponent: raised };
}

function divideHalfEven(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor;
  const twice = (dividend % divisor) * 2n;
  if (twice > divisor || (twice === divisor && quotient % 2n === 1n)) return quotient + 1n;
  return quotient;
}

const invalid = (message: string): CatalogError => new CatalogError('price-invalid', message);
