import { request } from 'undici';
import { chatBody } from './chat-request.js';

/** Where the load goes, and the process that pays for it. */
export interface Target {
  readonly name: 'direct' | 'bare proxy' | 'Custos';
  readonly url: string;
  readonly key?: string;
  readonly pid: number;
  /** Processes that work for it elsewhere, each counted with its children. */
  readonly behind?: Readonly<Record<string, number>>;
  /** Waits until what a window left behind (records to post) is worked off, so that the next one does not pay for it. */
  readonly settle: () => Promise<void>;
}

const PREFLIGHT_CHUNKS = 64;

/** One whole answer and one whole stream, looked at in full. Throws with what came instead. */
export async function preflight(target: Target): Promise<void> {
  const headers = {
    'content-type': 'application/json',
    ...(target.key === undefined ? {} : { authorization: `Bearer ${target.key}` }),
  };
  const ask = async (body: Buffer): Promise<string> => {
    const answer = await request(target.url, { method: 'POST', headers, body });
    const text = await answer.body.text();
    if (answer.statusCode === 200) return text;
    throw new Error(`${target.name} answers ${answer.statusCode}: ${text.slice(0, 500)}`);
  };
  const answer = JSON.parse(await ask(chatBody())) as { usage?: { completion_tokens?: number } };
  if (answer.usage?.completion_tokens !== 128)
    throw new Error(`${target.name}: the answer's usage is ${JSON.stringify(answer.usage)}`);
  const text = await ask(chatBody({ chunks: PREFLIGHT_CHUNKS, intervalMs: 5 }));
  const events = text.split('\n\n').filter((event) => event.startsWith('data: '));
  const content = events.filter((event) => event.includes('"content":"word ')).length;
  if (
    content !== PREFLIGHT_CHUNKS ||
    !text.includes('"usage":{') ||
    events.at(-1) !== 'data: [DONE]'
  )
    throw new Error(
      `${target.name}: the stream is not whole: ${content} chunks, ${text.slice(-300)}`,
    );
}
