/** A cent in pico-USD. */
export const PICO_USD_PER_CENT = 10n ** 10n;

/**
 * Whole cents, half to even (IEEE 754 roundTiesToEven): 0.5 → 0, 1.5 → 2, −0.5 → 0. The one place where money is
 * rounded: a line of an invoice. Over many lines the ties go up as often as down.
 */
export function roundToCents(amountPicoUsd: bigint): bigint {
  const negative = amountPicoUsd < 0n;
  const amount = negative ? -amountPicoUsd : amountPicoUsd;
  const whole = amount / PICO_USD_PER_CENT;
  const twice = (amount % PICO_USD_PER_CENT) * 2n;
  const up = twice > PICO_USD_PER_CENT || (twice === PICO_USD_PER_CENT && whole % 2n === 1n);
  const cents = up ? whole + 1n : whole;
  return negative ? -cents : cents;
}

/** `12.34`, `-0.05`, `0.00`. */
export function formatCents(cents: bigint): string {
  const digits = (cents < 0n ? -cents : cents).toString().padStart(3, '0');
  return `${cents < 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}
