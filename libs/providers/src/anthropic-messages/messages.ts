import type { ChatMessage } from '../types.js';

/** A part of the request that has no faithful counterpart; `param` names it as OpenAI's errors do. */
export class Untranslatable extends Error {
  constructor(
    readonly param: string,
    reason: string,
  ) {
    super(`${param} ${reason}`);
  }
}

type Block = Record<string, unknown>;

export interface AnthropicConversation {
  readonly system: readonly Block[];
  readonly messages: readonly { readonly role: string; readonly content: readonly Block[] }[];
}

/**
 * OpenAI's list of messages in Anthropic's terms: instructions apart, tool results as the user's, and turns of one
 * role joined, since tool results must stand in the one turn that follows their calls.
 */
export function translateMessages(messages: readonly ChatMessage[]): AnthropicConversation {
  const system: Block[] = [];
  const turns: { role: string; content: Block[] }[] = [];
  const say = (role: string, blocks: Block[]): void => {
    if (blocks.length === 0) return;
    const last = turns.at(-1);
    if (last?.role === role) last.content.push(...blocks);
    else turns.push({ role, content: blocks });
  };
  messages.forEach((message, i) => {
    const at = `messages[${i}]`;
    switch (message.role) {
      case 'system':
      case 'developer':
        system.push(...textBlocks(message, at));
        break;
      case 'user':
        say('user', userBlocks(message.content, `${at}.content`));
        break;
      case 'assistant':
        say('assistant', assistantBlocks(message, at));
        break;
      case 'tool':
        say('user', [toolResult(message, at)]);
        break;
      default:
        throw new Untranslatable(`${at}.role`, 'is not a role this provider knows');
    }
  });
  if (turns.length === 0) throw new Untranslatable('messages', 'hold no turn of the user');
  return { system, messages: turns };
}

function userBlocks(content: ChatMessage['content'], at: string): Block[] {
  if (content === undefined || content === null || content === '') return [];
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  return content.map((part, j) => userBlock(part, `${at}[${j}]`));
}

function userBlock(part: Block, at: string): Block {
  switch (part['type']) {
    case 'text':
      return textBlock(part, at);
    case 'image_url': {
      const image = part['image_url'];
      const url = typeof image === 'object' && image !== null && 'url' in image ? image.url : image;
      if (typeof url !== 'string') throw new Untranslatable(at, 'has no image URL');
      return withCacheControl({ type: 'image', source: source(url, at) }, part);
    }
    case 'file': {
      const file = part['file'];
      const data =
        typeof file === 'object' && file !== null && 'file_data' in file
          ? file.file_data
          : undefined;
      if (typeof data !== 'string') throw new Untranslatable(at, 'must carry its file_data');
      return withCacheControl({ type: 'document', source: source(data, at) }, part);
    }
    default:
      throw new Untranslatable(at, 'is of a type this provider does not take');
  }
}

function source(url: string, at: string): Block {
  const inline = /^data:([\w.+-]+\/[\w.+-]+);base64,/.exec(url);
  if (inline) return { type: 'base64', media_type: inline[1], data: url.slice(inline[0].length) };
  if (/^https?:\/\//.test(url)) return { type: 'url', url };
  throw new Untranslatable(at, 'must be a base64 data URL or an http(s) URL');
}

function assistantBlocks(message: ChatMessage, at: string): Block[] {
  const blocks = textBlocks(message, at);
  const calls = message['tool_calls'];
  if (calls === undefined || calls === null) return blocks;
  if (!Array.isArray(calls)) throw new Untranslatable(`${at}.tool_calls`, 'must be an array');
  (calls as unknown[]).forEach((call, j) => {
    blocks.push(toolUse(call, `${at}.tool_calls[${j}]`));
  });
  return blocks;
}

function toolUse(call: unknown, at: string): Block {
  const { id, function: called } = (call ?? {}) as { id?: unknown; function?: unknown };
  const { name, arguments: args } = (called ?? {}) as { name?: unknown; arguments?: unknown };
  if (typeof id !== 'string' || typeof name !== 'string' || typeof args !== 'string') {
    throw new Untranslatable(at, 'must be a function call with id, name and arguments');
  }
  let input: unknown;
  try {
    input = args.trim() === '' ? {} : JSON.parse(args);
  } catch {
    input = undefined;
  }
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw new Untranslatable(`${at}.function.arguments`, 'must be a JSON object for this provider');
  }
  return { type: 'tool_use', id, name, input };
}

function toolResult(message: ChatMessage, at: string): Block {
  const id = message['tool_call_id'];
  if (typeof id !== 'string') throw new Untranslatable(`${at}.tool_call_id`, 'is missing');
  return {
    type: 'tool_result',
    tool_use_id: id,
    content: userBlocks(message.content, `${at}.content`),
  };
}

function textBlocks({ content }: ChatMessage, at: string): Block[] {
  if (content === undefined || content === null || content === '') return [];
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  return content
    .map((part, j) => textBlock(part, `${at}.content[${j}]`))
    .filter(({ text }) => text !== '');
}

function textBlock(part: Block, at: string): Block {
  const text = part['type'] === 'refusal' ? part['refusal'] : part['text'];
  if (typeof text !== 'string') throw new Untranslatable(at, 'must be a text part');
  return withCacheControl({ type: 'text', text }, part);
}

/** OpenRouter lets callers mark parts for caching in Anthropic's own words. */
const withCacheControl = (block: Block, part: Block): Block =>
  part['cache_control'] == null ? block : { ...block, cache_control: part['cache_control'] };
