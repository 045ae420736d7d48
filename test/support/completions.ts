// Requests as a client without an SDK sends them, and what came back, streamed or not, in one shape.
import { setTimeout as sleep } from 'node:timers/promises';

export const MODEL = 'openai/gpt-4o-mini';

export interface Caller {
  /** Ends with `/v1`. */
  readonly v1: string;
  readonly apiKey: string;
}

export interface Asked {
  readonly model?: string;
  readonly content?: string;
  readonly stream?: boolean;
  /** Added to the body. */
  readonly more?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface ErrorBody {
  readonly code: number;
  readonly message: string;
  readonly metadata: { readonly custos_code: string; readonly generation_id?: string };
  readonly availability?: { readonly excluded_by?: readonly string[] };
}

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly generationId: string | undefined;
  /** The answer's words, of one body or of all chunks together. */
  readonly text: string;
  readonly cost: number | undefined;
  /** Of the body, or in-band. */
  readonly error: ErrorBody | undefined;
  /** A stream ended with `[DONE]`, or the body was whole. */
  readonly whole: boolean;
  readonly raw: string;
}

interface Piece {
  readonly choices?: readonly {
    readonly message?: { readonly content?: string };
    readonly delta?: { readonly content?: string };
  }[];
  readonly usage?: { readonly cost?: number } | null;
  readonly error?: ErrorBody;
}

/** Rejects only where there is no answer at all; a socket cut amid a stream is an answer that is not whole. */
export async function complete(caller: Caller, asked: Asked = {}): Promise<Answered> {
  const { model = MODEL, content = 'Echo: a b c', stream = false, more, headers, signal } = asked;
  const response = await fetch(`${caller.v1}/chat/completions`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${caller.apiKey}`,
      'content-type': 'application/json',
      ...headers,
    },
    body: JSON.stringify({ model, stream, messages: [{ role: 'user', content }], ...more }),
    ...(signal === undefined ? {} : { signal }),
  });
  const raw = await textUntilCut(response);
  const pieces = piecesOf(raw);
  return {
    status: response.status,
    headers: response.headers,
    generationId: response.headers.get('x-generation-id') ?? undefined,
    text: pieces
      .flatMap(({ choices = [] }) => choices)
      .map((choice) => choice.message?.content ?? choice.delta?.content ?? '')
      .join(''),
    cost: pieces.findLast(({ usage }) => usage?.cost !== undefined)?.usage?.cost,
    error: pieces.find(({ error }) => error !== undefined)?.error,
    whole: stream && response.ok ? raw.trimEnd().endsWith('data: [DONE]') : pieces.length === 1,
    raw,
  };
}

/** The same, where the gateway may be gone, or go, meanwhile. */
export const completeOrNothing = (caller: Caller, asked?: Asked): Promise<Answered | undefined> =>
  complete(caller, asked).catch(() => undefined);

async function textUntilCut(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  if (response.body === null) return text;
  try {
    for await (const part of response.body) text += decoder.decode(part, { stream: true });
  } catch {
    // Cut off: what came so far is what the client has.
  }
  return text;
}

function piecesOf(raw: string): readonly Piece[] {
  if (raw.startsWith('{')) return parse(raw);
  return raw
    .split('\n\n')
    .filter((event) => event.startsWith('data: {'))
    .flatMap((event) => parse(event.slice('data: '.length)));
}

function parse(json: string): readonly Piece[] {
  try {
    return [JSON.parse(json) as Piece];
  } catch {
    return [];
  }
}

/** Asks until told to stop, several at a time; what came back is in `answers`. */
export class Load {
  readonly answers: Answered[] = [];
  /** Requests whose connection was refused or cut before an answer began. */
  unanswered = 0;
  #going = true;
  readonly #lanes: Promise<void>[];

  constructor(caller: Caller, lanes: number, asked: Asked, pauseMs = 10) {
    this.#lanes = Array.from({ length: lanes }, async () => {
      while (this.#going) {
        const answer = await completeOrNothing(caller, asked);
        if (answer === undefined) this.unanswered += 1;
        else this.answers.push(answer);
        await sleep(pauseMs);
      }
    });
  }

  async stop(): Promise<void> {
    this.#going = false;
    await Promise.all(this.#lanes);
  }
}
