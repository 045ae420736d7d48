import type { AttemptOutcome, GenerationClosed } from '#libs/audit-events';
import type { OpenGeneration } from '#libs/ledger-store';

/**
 * What can be said of a generation whose writer fell silent: every authorised attempt may have left, nothing is known of
 * its end. The last progress record is the usage of its attempt; its input is the plan's estimate.
 */
export function recoveredClose(generation: OpenGeneration, at: string): GenerationClosed {
  const { state, inputTokensEstimate } = generation;
  const attempts = state.attempts.map((attempt): AttemptOutcome => {
    const { progress } = state;
    if (progress === undefined || progress.attempt !== attempt.number)
      return { ...attempt, outcome: 'unknown' };
    return {
      ...attempt,
      outcome: 'unknown',
      usage: {
        inputTokens: inputTokensEstimate,
        outputTokens: progress.outputTokens,
        basis: 'progress',
      },
    };
  });
  return { generationId: state.id, at, status: 'recovered', code: 'writer_silent', attempts };
}
