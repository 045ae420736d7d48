import type { ProviderDialect } from '../dialect.js';
import { readAnswer } from './answer.js';
import { classifyStatus } from './failure.js';
import { buildRequest } from './request.js';
import { OpenAiChatStream } from './stream.js';

/** OpenAI's chat completions, as OpenAI and the many providers that copied it speak it. */
export const openAiChat: ProviderDialect = {
  buildRequest,
  readAnswer,
  openStream: () => new OpenAiChatStream(),
  classifyStatus,
};
