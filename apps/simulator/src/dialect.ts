import type { IncomingHttpHeaders } from 'node:http';
import type { Answer, Asked } from './answer.js';
import type { JsonObject } from './json.js';

/** A provider's side of a wire format: how it reads a request, answers it, and says no. */
export interface SimulatedDialect {
  read(body: JsonObject, headers: IncomingHttpHeaders): ReadRequest;
  /** The whole unstreamed body. */
  whole(answer: Answer, asked: Asked): string;
  /** A stream: what comes before the pieces, one piece, what comes after. Whole SSE events. */
  frames(answer: Answer, asked: Asked): Frames;
  error(status: number, message: string, param?: string): string;
}

export interface Frames {
  readonly opening: string;
  piece(index: number): string;
  readonly closing: string;
  /** In place of a first event, as a broken provider would send it. */
  readonly broken: string;
}

export type ReadRequest =
  | { readonly ok: true; readonly asked: Asked }
  | { readonly ok: false; readonly message: string; readonly param?: string };
