import type { ValueTransformer } from 'typeorm';

/** `numeric(40,0)` ⇄ bigint: the driver gives text, so no digit is lost. */
export const amountTransformer: ValueTransformer = {
  to: (amount: bigint | null | undefined) => amount?.toString() ?? null,
  from: (text: string | null) => (text === null ? null : BigInt(text)),
};
