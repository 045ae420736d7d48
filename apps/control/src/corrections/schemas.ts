import { z } from 'zod';
import type { UsageData } from '#libs/audit-events';
import { isGenerationId, parseUsd } from '#libs/kernel';
import type { ProposedCorrection } from './correction-procedure.js';

/** As many as a usage record may say. */
const tokens = z.int().min(0).max(100_000_000);

/** Below what one posting can hold, with room for every sum of it. */
const usd = z
  .string()
  .regex(/^\d{1,6}(\.\d{1,12})?$/, 'expected USD as a decimal string, at most 12 decimals')
  .transform((text) => parseUsd(text).toString());

const usage = z
  .strictObject({
    attempt: z.int().min(1).max(100),
    inputTokens: tokens,
    outputTokens: tokens,
    cacheReadTokens: tokens.exactOptional(),
    cacheWriteTokens: tokens.exactOptional(),
    cacheWrite1hTokens: tokens.exactOptional(),
    inputImageTokens: tokens.exactOptional(),
    inputAudioTokens: tokens.exactOptional(),
    reasoningTokens: tokens.exactOptional(),
    outputImageTokens: tokens.exactOptional(),
    outputAudioTokens: tokens.exactOptional(),
    toolCalls: z.record(z.string().regex(/^[a-z][a-z0-9_]{0,63}$/), tokens).exactOptional(),
    /** `reported` where the provider said so later, `counted` where somebody counted. */
    basis: z.enum(['reported', 'counted']),
  })
  .transform(({ attempt, ...counts }): { attempt: number; usage: UsageData } => ({
    attempt,
    usage: counts,
  }));

const amount = z
  .strictObject({
    customerUsd: usd,
    providers: z.array(z.strictObject({ provider: z.string().min(1).max(200), usd })).max(20),
  })
  .partial({ providers: true })
  .transform(({ customerUsd, providers }) => ({
    customerPicoUsd: customerUsd,
    ...(providers !== undefined && {
      providers: providers.map((p) => ({ provider: p.provider, amountPicoUsd: p.usd })),
    }),
  }));

/** Usage by attempt, or amounts: one of the two, so that nobody has to guess which one counts. */
export const newCorrection = z
  .strictObject({
    organizationId: z.string().min(1).max(200),
    generationId: z.string().refine(isGenerationId, 'expected a generation id'),
    reason: z.string().trim().min(10).max(1_000),
    usage: z.array(usage).min(1).max(20).exactOptional(),
    amount: amount.exactOptional(),
  })
  .refine((c) => (c.usage === undefined) !== (c.amount === undefined), {
    message: 'expected either usage or amount',
  })
  .transform(({ organizationId, ...rest }): ProposedCorrection => ({
    organisationId: organizationId,
    ...rest,
  }));
