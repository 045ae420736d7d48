import { ContentTemplate, contentBytesOf } from '../content-template.js';
import type { StreamOutcome, StreamTap } from '../dialect.js';
import { SseFramer } from '../sse-framer.js';
import type { AttemptEnd, AttemptFailureKind, ReportedUsage, StreamText } from '../types.js';
import { finishReasonOf, isObject, readUsage } from './answer.js';
import { classifyInBand } from './failure.js';

const TEMPLATE_KEYS = ['text', 'partial_json', 'thinking'];
const TAIL = ',"logprobs":null,"finish_reason":null}]}\n\n';

/** Turns Anthropic's events into OpenAI's chunks. Text deltas cross as they are: both sides are JSON strings. */
export class AnthropicMessagesStream extends SseFramer implements StreamTap {
  outcome: StreamOutcome | undefined;
  committed = false;

  private readonly template = new ContentTemplate();
  /** Around a templated string: the chunk's text before and after it. */
  private before = '';
  private after = '';
  /** A chunk's text up to its delta. Latin1, as all text here. */
  private head = '';
  private idLiteral: string | undefined;
  private modelLiteral: string | undefined;
  private upstreamId: string | undefined;
  /** Usage comes in two events; the later one's members replace the earlier one's. */
  private usageMembers: Record<string, unknown> = {};
  private finishReason: string | undefined;
  /** Content blocks are numbered through, OpenAI's tool calls among themselves. */
  private readonly callOfBlock = new Map<unknown, number>();
  private totalDeltas = 0;
  private totalBytes = 0;
  private out = '';
  private deltas = 0;
  private bytes = 0;

  push(chunk: Buffer): StreamText | undefined {
    this.feed(chunk);
    return this.take();
  }

  finish(whole: boolean): StreamText | undefined {
    if (!this.outcome && whole) this.feedEnd();
    if (!this.outcome) {
      if (this.finishReason !== undefined) this.outcome = { ok: true };
      else if (whole) this.fail('malformed', 'the stream ended without its end');
      else this.fail('reset', 'the provider broke off the stream');
    }
    return this.take();
  }

  end(): AttemptEnd {
    const usage: ReportedUsage | undefined = readUsage(this.usageMembers);
    return {
      contentDeltas: this.totalDeltas,
      contentBytes: this.totalBytes,
      ...(usage === undefined ? {} : { usage }),
      ...(this.finishReason === undefined ? {} : { finishReason: this.finishReason }),
      ...(this.upstreamId === undefined ? {} : { upstreamId: this.upstreamId }),
    };
  }

  protected override onEvent(
    text: string,
    _start: number,
    _end: number,
    from: number,
    to: number,
  ): void {
    if (this.committed && this.template.matches(text, from, to)) {
      const { from: contentFrom, to: contentTo } = this.template;
      this.deltas++;
      this.bytes += contentBytesOf(text, contentFrom, contentTo);
      this.out += this.before + text.slice(contentFrom, contentTo) + this.after;
      return;
    }
    const data = text.slice(from, to);
    let event: unknown;
    try {
      event = JSON.parse(Buffer.from(data, 'latin1').toString('utf8'));
    } catch {
      event = undefined;
    }
    if (isObject(event)) this.readEvent(event, data);
    else this.fail('malformed', 'an event of the stream is not a JSON object');
  }

  protected override onOversize(): void {
    this.fail('malformed', 'an event of the stream is larger than 1 MiB');
  }

  private readEvent(event: Record<string, unknown>, data: string): void {
    const { type } = event;
    if (this.head === '' && (type === 'content_block_start' || type === 'content_block_delta')) {
      this.fail('malformed', 'the stream has content before its start');
      return;
    }
    switch (type) {
      case 'message_start':
        this.startMessage(event['message']);
        break;
      case 'content_block_start':
        this.startBlock(event['index'], event['content_block']);
        break;
      case 'content_block_delta':
        this.delta(event, data);
        break;
      case 'message_delta':
        this.changeMessage(event);
        break;
      case 'message_stop':
        this.stopped = true;
        if (this.committed) this.outcome = { ok: true };
        else this.fail('malformed', 'the stream ended without content');
        break;
      case 'error':
        this.stopped = true;
        this.outcome = { ok: false, failure: classifyInBand(event['error'], !this.committed) };
        break;
      default:
        // ping, content_block_stop, and events to come, which Anthropic asks clients to pass over.
        break;
    }
  }

  private startMessage(message: unknown): void {
    if (!isObject(message)) return;
    const { id, model, usage } = message;
    if (typeof id !== 'string' || typeof model !== 'string') {
      this.fail('malformed', 'the stream names neither its id nor its model');
      return;
    }
    if (isObject(usage)) this.usageMembers = usage;
    this.upstreamId = id;
    this.idLiteral = latin1(`"id":${JSON.stringify(id)}`);
    this.modelLiteral = latin1(`"model":${JSON.stringify(model)}`);
    const created = Math.floor(Date.now() / 1000);
    this.head =
      `data: {${this.idLiteral},"object":"chat.completion.chunk","created":${created},` +
      `${this.modelLiteral},"choices":[{"index":0,"delta":`;
    this.emit('{"role":"assistant","content":""}');
  }

  private startBlock(index: unknown, block: unknown): void {
    if (!isObject(block)) return;
    if (block['type'] === 'tool_use') {
      const call = this.callOfBlock.size;
      this.callOfBlock.set(index, call);
      const { id, name, input } = block;
      const whole = isObject(input) && Object.keys(input).length > 0 ? JSON.stringify(input) : '';
      const made = { index: call, id, type: 'function', function: { name, arguments: whole } };
      this.emitContent({ tool_calls: [made] }, `${String(name)}${whole}`);
    } else if (typeof block['text'] === 'string' && block['text'] !== '') {
      this.emitContent({ content: block['text'] }, block['text']);
    } else if (typeof block['thinking'] === 'string' && block['thinking'] !== '') {
      this.emitContent({ reasoning: block['thinking'] }, block['thinking']);
    }
  }

  private delta(event: Record<string, unknown>, data: string): void {
    const content = contentOfDelta(event);
    if (content === undefined || content === '') return;
    const around = this.aroundContent(event);
    if (around === undefined) {
      this.fail('malformed', 'the stream continues a tool call that it did not start');
      return;
    }
    this.before = this.head + around[0];
    this.after = around[1] + TAIL;
    this.committed = true;
    this.deltas++;
    this.bytes += Buffer.byteLength(content);
    this.out += this.before + latin1(JSON.stringify(content)).slice(1, -1) + this.after;
    this.template.learn(data, TEMPLATE_KEYS, contentOfDelta);
  }

  /** The chunk's delta before and after the string that varies. */
  private aroundContent(event: Record<string, unknown>): [string, string] | undefined {
    const type = isObject(event['delta']) ? event['delta']['type'] : undefined;
    if (type === 'text_delta') return ['{"content":"', '"}'];
    if (type === 'thinking_delta') return ['{"reasoning":"', '"}'];
    const call = this.callOfBlock.get(event['index']);
    if (call === undefined) return undefined;
    return [`{"tool_calls":[{"index":${call},"function":{"arguments":"`, '"}}]}'];
  }

  private changeMessage(event: Record<string, unknown>): void {
    const { delta, usage } = event;
    if (isObject(usage)) {
      const told = Object.entries(usage).filter(([, value]) => value !== null);
      this.usageMembers = { ...this.usageMembers, ...Object.fromEntries(told) };
    }
    if (!isObject(delta) || typeof delta['stop_reason'] !== 'string' || this.head === '') return;
    this.finishReason = finishReasonOf(delta['stop_reason']);
    this.committed = true;
    this.out += `${this.head}{},"logprobs":null,"finish_reason":"${this.finishReason}"}]}\n\n`;
  }

  private emitContent(delta: Record<string, unknown>, content: string): void {
    this.committed = true;
    this.deltas++;
    this.bytes += Buffer.byteLength(content);
    this.emit(latin1(JSON.stringify(delta)));
  }

  private emit(delta: string): void {
    this.out += this.head + delta + TAIL;
  }

  private take(): StreamText | undefined {
    if (!this.committed || this.out === '') return undefined;
    const text: StreamText = {
      latin1: this.out,
      contentDeltas: this.deltas,
      contentBytes: this.bytes,
      idLiteral: this.idLiteral,
      modelLiteral: this.modelLiteral,
    };
    this.totalDeltas += this.deltas;
    this.totalBytes += this.bytes;
    this.out = '';
    this.deltas = this.bytes = 0;
    return text;
  }

  private fail(kind: AttemptFailureKind, message: string): void {
    this.stopped = true;
    this.outcome = { ok: false, failure: { kind, retryable: !this.committed, message } };
  }
}

function contentOfDelta(event: unknown): string | undefined {
  if (!isObject(event) || event['type'] !== 'content_block_delta' || !isObject(event['delta'])) {
    return undefined;
  }
  const { type, text, partial_json: json, thinking } = event['delta'];
  const content =
    type === 'text_delta'
      ? text
      : type === 'input_json_delta'
        ? json
        : type === 'thinking_delta'
          ? thinking
          : undefined;
  return typeof content === 'string' ? content : undefined;
}

/** Text as the latin1 view of its UTF-8 bytes. */
const latin1 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
