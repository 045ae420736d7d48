// OpenID AuthZEN 1.0, access evaluations: many questions in one request, with defaults at the top.
import { z } from 'zod';
import { DomainError } from '#libs/kernel';
import type { EvaluationAnswer } from './evaluation.js';

/** Questions in one request: each may take some milliseconds when it is new. */
const EVALUATIONS_MAX = 100;

const part = z.record(z.string(), z.unknown());
const question = z.strictObject({
  subject: part.optional(),
  action: part.optional(),
  resource: part.optional(),
  context: part.optional(),
});
const SEMANTICS = ['execute_all', 'deny_on_first_deny', 'permit_on_first_permit'] as const;

const batch = question.extend({
  evaluations: z.array(question).max(EVALUATIONS_MAX).optional(),
  options: z.strictObject({ evaluations_semantic: z.enum(SEMANTICS).optional() }).prefault({}),
});

type Question = z.output<typeof question>;
/** Where one question could not be asked, the others still are: its answer is no, and why. */
export type BatchAnswer =
  | EvaluationAnswer
  | {
      readonly decision: false;
      readonly context: { readonly error: { readonly code: string; readonly message: string } };
    };

export interface Batch {
  /** Empty where the request is a single question. */
  readonly questions: readonly Question[];
  readonly single: Question;
  readonly semantic: (typeof SEMANTICS)[number];
}

/** Each question over the defaults; a part that it names replaces the default whole. Throws `invalid_request`. */
export function readBatch(body: unknown): Batch {
  const parsed = batch.safeParse(body);
  if (!parsed.success) {
    const where = parsed.error.issues[0]?.path.join('.') ?? '';
    throw new DomainError('invalid_request', `The request is not valid${where && ` at ${where}`}.`);
  }
  const { evaluations = [], options, ...defaults } = parsed.data;
  return {
    questions: evaluations.map((own) => ({ ...defaults, ...own })),
    single: defaults,
    semantic: options.evaluations_semantic ?? 'execute_all',
  };
}

/** Asks in order, and no further than the semantics need. */
export async function answerBatch(
  { questions, semantic }: Batch,
  ask: (question: Question) => Promise<EvaluationAnswer>,
): Promise<readonly BatchAnswer[]> {
  const answers: BatchAnswer[] = [];
  for (const one of questions) {
    const answer = await ask(one).catch(refusedQuestion);
    answers.push(answer);
    if (semantic === 'deny_on_first_deny' && !answer.decision) break;
    if (semantic === 'permit_on_first_permit' && answer.decision) break;
  }
  return answers;
}

const ASKERS_FAULT: ReadonlySet<string> = new Set([
  'invalid_request',
  'unknown_subject',
  'unknown_resource',
]);

/** A question that is wrong is answered no; a fault of ours fails the whole request. */
function refusedQuestion(error: unknown): BatchAnswer {
  if (!(error instanceof DomainError) || !ASKERS_FAULT.has(error.code)) throw error;
  const { code, message } = error;
  return { decision: false, context: { error: { code, message } } };
}
