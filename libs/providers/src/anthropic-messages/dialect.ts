import type { ProviderDialect } from '../dialect.js';
import { readAnswer } from './answer.js';
import { classifyStatus } from './failure.js';
import { buildRequest } from './request.js';
import { AnthropicMessagesStream } from './stream.js';

/** Anthropic's Messages API, translated from and to OpenAI's chat shape. */
export const anthropicMessages: ProviderDialect = {
  buildRequest,
  readAnswer,
  openStream: () => new AnthropicMessagesStream(),
  classifyStatus,
};
