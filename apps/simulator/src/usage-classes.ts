import { z } from 'zod';

const tokens = z.number().int().min(0).max(100_000_000).default(0);

/** What of a request's tokens are of which class, as a test asks for it by a fault. */
export const usageClassesSchema = z.strictObject({
  cacheRead: tokens,
  cacheWrite5m: tokens,
  cacheWrite1h: tokens,
  inputImage: tokens,
  inputAudio: tokens,
  reasoning: tokens,
  outputImage: tokens,
  outputAudio: tokens,
  webSearches: tokens,
  /** The provider's own figure, USD; OpenAI's dialect only. */
  costUsd: z.number().min(0).max(1_000_000).optional(),
});
export type UsageClasses = z.infer<typeof usageClassesSchema>;

export const NO_CLASSES: UsageClasses = usageClassesSchema.parse({});

/** A part is no more than what is left of its whole: a class that finds no room is smaller than was asked for. */
export function fitClasses(
  asked: UsageClasses | undefined,
  inputTokens: number,
  outputTokens: number,
): UsageClasses {
  if (asked === undefined) return NO_CLASSES;
  let inputLeft = inputTokens;
  let outputLeft = outputTokens;
  const ofInput = (wanted: number): number => {
    const taken = Math.min(wanted, inputLeft);
    inputLeft -= taken;
    return taken;
  };
  const ofOutput = (wanted: number): number => {
    const taken = Math.min(wanted, outputLeft);
    outputLeft -= taken;
    return taken;
  };
  return {
    ...asked,
    cacheRead: ofInput(asked.cacheRead),
    cacheWrite5m: ofInput(asked.cacheWrite5m),
    cacheWrite1h: ofInput(asked.cacheWrite1h),
    inputImage: ofInput(asked.inputImage),
    inputAudio: ofInput(asked.inputAudio),
    reasoning: ofOutput(asked.reasoning),
    outputImage: ofOutput(asked.outputImage),
    outputAudio: ofOutput(asked.outputAudio),
  };
}
