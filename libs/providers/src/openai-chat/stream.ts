import { ContentTemplate, contentBytesOf } from '../content-template.js';
import { EVENT_BYTES_MAX } from '../dialect.js';
import type { StreamOutcome, StreamTap } from '../dialect.js';
import { memberLiteral, withoutMember } from '../json-members.js';
import { SseFramer } from '../sse-framer.js';
import type { AttemptEnd, AttemptFailureKind, ReportedUsage, StreamText } from '../types.js';
import { isFault, isObject, readUsage } from './answer.js';
import { readChoices, soleContent, TEXT_KEYS } from './chunk.js';
import { classifyInBand } from './failure.js';

const TEMPLATE_KEYS = [...TEXT_KEYS, 'arguments'];

/**
 * Taps a stream of chat.completion.chunk. Events that say nothing yet are held back until the first content; from
 * then on whole events go through untouched, most of them without being parsed. Usage is taken out, `[DONE]` and
 * chunks without choices are swallowed.
 */
export class OpenAiChatStream extends SseFramer implements StreamTap {
  outcome: StreamOutcome | undefined;
  committed = false;

  private readonly template = new ContentTemplate();
  private usage: ReportedUsage | undefined;
  private finishReason: string | undefined;
  private upstreamId: string | undefined;
  private idLiteral: string | undefined;
  private modelLiteral: string | undefined;
  private totalDeltas = 0;
  private totalBytes = 0;

  // What goes out with this push: finished pieces, then a run of `runText` that may still grow.
  private out = '';
  private runText = '';
  private runFrom = 0;
  private runTo = 0;
  private deltas = 0;
  private bytes = 0;

  push(chunk: Buffer): StreamText | undefined {
    this.feed(chunk);
    return this.take();
  }

  finish(whole: boolean): StreamText | undefined {
    if (!this.outcome && whole) this.feedEnd();
    if (!this.outcome) {
      // Some servers close without `[DONE]`; one that gave a finish reason had said all.
      if (this.finishReason !== undefined) this.outcome = { ok: true };
      else if (whole) this.fail('malformed', 'the stream ended without its end');
      else this.fail('reset', 'the provider broke off the stream');
    }
    return this.take();
  }

  end(): AttemptEnd {
    return {
      contentDeltas: this.totalDeltas,
      contentBytes: this.totalBytes,
      ...(this.usage === undefined ? {} : { usage: this.usage }),
      ...(this.finishReason === undefined ? {} : { finishReason: this.finishReason }),
      ...(this.upstreamId === undefined ? {} : { upstreamId: this.upstreamId }),
    };
  }

  protected override onEvent(
    text: string,
    start: number,
    end: number,
    from: number,
    to: number,
    name: string,
  ): void {
    if (this.committed && name === '' && this.template.matches(text, from, to)) {
      this.deltas++;
      this.bytes += contentBytesOf(text, this.template.from, this.template.to);
      this.pass(text, start, end);
      return;
    }
    const data = text.slice(from, to);
    if (data.trim() === '[DONE]') {
      this.stopped = true;
      if (this.committed) this.outcome = { ok: true };
      else this.fail('malformed', 'the stream ended without content');
      return;
    }
    let chunk: unknown;
    try {
      chunk = JSON.parse(data);
    } catch {
      chunk = undefined;
    }
    if (!isObject(chunk)) {
      this.fail('malformed', 'an event of the stream is not a JSON object');
    } else if (isFault(chunk['error']) || name === 'error') {
      const failure = classifyInBand(chunk['error'], !this.committed);
      this.stopped = true;
      this.outcome = { ok: false, failure };
    } else {
      this.readChunk(chunk, data, text, start, end);
    }
  }

  protected override onOversize(): void {
    this.fail('malformed', 'an event of the stream is larger than 1 MiB');
  }

  private readChunk(
    chunk: Record<string, unknown>,
    data: string,
    text: string,
    start: number,
    end: number,
  ): void {
    const usage = readUsage(chunk['usage']);
    if (usage !== undefined) this.usage = usage;
    const choices: unknown = chunk['choices'];
    if (!Array.isArray(choices) || choices.length === 0) return;
    this.learnLiterals(chunk, data);
    const { bytes, bearing, finishReason } = readChoices(choices);
    this.finishReason ??= finishReason;
    if (bytes > 0) this.deltas++;
    this.bytes += bytes;
    if (bearing) this.committed = true;
    if (isObject(chunk['usage'])) {
      const without = `data: ${withoutMember(data, 'usage')}\n\n`;
      this.pass(without, 0, without.length);
      return;
    }
    this.pass(text, start, end);
    if (bytes > 0 && soleContent(chunk) !== undefined) {
      this.template.learn(data, TEMPLATE_KEYS, soleContent);
    }
    if (!this.committed && this.out.length + this.runTo - this.runFrom > EVENT_BYTES_MAX) {
      this.fail('malformed', 'the stream says much and nothing');
    }
  }

  private learnLiterals(chunk: Record<string, unknown>, data: string): void {
    if (this.upstreamId === undefined && typeof chunk['id'] === 'string' && chunk['id'] !== '') {
      this.upstreamId = chunk['id'];
      this.idLiteral = memberLiteral(data, 'id');
    }
    if (this.modelLiteral === undefined && typeof chunk['model'] === 'string') {
      this.modelLiteral = memberLiteral(data, 'model');
    }
  }

  private pass(text: string, start: number, end: number): void {
    if (start === this.runTo && text === this.runText) {
      this.runTo = end;
      return;
    }
    this.out += this.runText.slice(this.runFrom, this.runTo);
    this.runText = text;
    this.runFrom = start;
    this.runTo = end;
  }

  private take(): StreamText | undefined {
    const latin1 = this.out + this.runText.slice(this.runFrom, this.runTo);
    this.runText = '';
    this.runFrom = this.runTo = 0;
    if (!this.committed || latin1 === '') {
      this.out = latin1;
      return undefined;
    }
    const text: StreamText = {
      latin1,
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
