// Upstream dialects, a folder each, and the dispatcher over undici (the only undici import).
// Turns any provider's answer into OpenAI chat shape, frames SSE across chunk boundaries, reads usage on the way.
export { parseChatRequest } from './parse-chat-request.js';
export type {
  ChatRequestFault,
  ChatRequestLimits,
  ParsedChatRequest,
} from './parse-chat-request.js';
export { UndiciDispatcher } from './undici-dispatcher.js';
export type { UndiciDispatcherOptions } from './undici-dispatcher.js';
export { Dispatcher } from './types.js';
export type {
  AttemptEnd,
  AttemptFailure,
  AttemptFailureKind,
  AttemptHandle,
  AttemptObserver,
  AttemptTarget,
  AttemptTimeouts,
  BodyMember,
  ChatAnswer,
  ChatBody,
  ChatMessage,
  ChatRequest,
  ReportedUsage,
  StreamText,
} from './types.js';
