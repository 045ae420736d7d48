import { isUtf8 } from 'node:buffer';
import { EVENT_SHAPES } from './event-shapes.js';
import { count, name, time } from './shape.js';
import { EVENT_BYTES_MAX, type CustosEvent, type EventType } from './types.js';

/** What every event says outside its data; enough to follow its writer's chain. */
export interface EventEnvelope {
  readonly type: string;
  readonly id: string;
  readonly subject: string;
  readonly time: string;
  readonly writer: string;
  readonly wseq: number;
  readonly wprev: string;
}

/**
 * `fault` names the place and what was expected there, never a value. A leaf that does not decode is still a leaf:
 * readers quarantine it. Where the envelope itself is sound it comes along, so that the chain can go on.
 * `unknown_type`: a sound envelope of a type this version does not know.
 */
export type DecodeResult =
  | { readonly ok: true; readonly event: CustosEvent }
  | { readonly ok: false; readonly fault: string; readonly envelope?: EventEnvelope };

const HEX_SHA256 = /^[0-9a-f]{64}$/;

/** Total: any bytes give an answer. */
export function decodeEvent(bytes: Uint8Array): DecodeResult {
  if (bytes.length > EVENT_BYTES_MAX) return { ok: false, fault: 'too_large' };
  if (!isUtf8(bytes)) return { ok: false, fault: 'not_utf8' };
  let parsed: unknown;
  try {
    parsed = JSON.parse(
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'),
    ) as unknown;
  } catch {
    return { ok: false, fault: 'not_json' };
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    return { ok: false, fault: 'not_an_object' };
  const raw = parsed as Readonly<Record<string, unknown>>;
  const fault = envelopeFault(raw);
  if (fault !== undefined) return { ok: false, fault };
  const { type, id, subject, time: at, writer, wseq, wprev } = raw as unknown as EventEnvelope;
  const envelope = { type, id, subject, time: at, writer, wseq, wprev };
  if (!isKnown(type)) return { ok: false, fault: 'unknown_type', envelope };
  const dataFault = EVENT_SHAPES[type](raw['data']);
  if (dataFault !== undefined) return { ok: false, fault: `data${dataFault}`, envelope };
  // The shape of this very type has just been checked.
  return { ok: true, event: { ...envelope, data: raw['data'] } as unknown as CustosEvent };
}

const isKnown = (type: string): type is EventType => Object.hasOwn(EVENT_SHAPES, type);

function envelopeFault(raw: Readonly<Record<string, unknown>>): string | undefined {
  if (raw['specversion'] !== '1.0') return 'specversion: not 1.0';
  if (raw['datacontenttype'] !== 'application/json') return 'datacontenttype: not JSON';
  for (const key of ['type', 'subject', 'writer'] as const) {
    const fault = name(raw[key]);
    if (fault !== undefined) return `${key}${fault}`;
  }
  const writer = raw['writer'] as string;
  if (count(raw['wseq']) !== undefined) return 'wseq: not a count';
  if (raw['id'] !== `${writer}.${String(raw['wseq'])}`) return 'id: not the writer and sequence';
  if (raw['source'] !== `//custos/${writer}`) return 'source: not the writer';
  if (time(raw['time']) !== undefined) return 'time: not a time';
  const { wprev } = raw;
  if (typeof wprev !== 'string' || !HEX_SHA256.test(wprev)) return 'wprev: not a hash';
  return undefined;
}
