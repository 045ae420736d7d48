// A provider that costs next to nothing: what the targets add must not drown in it. Run as a process of its own;
// tells its port in one line on stdout.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { shapeAskedFor, type StreamShape } from './chat-request.js';

/** About 1 KB with everything around it. */
const ANSWER_TEXT = 'It lies in the ledger, and the auditor may read it at any time. '.repeat(10);
const usage = (outputTokens: number): object => ({
  prompt_tokens: 210,
  completion_tokens: outputTokens,
  total_tokens: 210 + outputTokens,
  prompt_tokens_details: { cached_tokens: 0 },
});
const HEAD = { id: 'chatcmpl-bench', created: 1_700_000_000, model: 'gpt-4o-mini-2024-07-18' };
const ANSWER = Buffer.from(
  JSON.stringify({
    ...HEAD,
    object: 'chat.completion',
    choices: [
      { index: 0, message: { role: 'assistant', content: ANSWER_TEXT }, finish_reason: 'stop' },
    ],
    usage: usage(128),
    system_fingerprint: 'fp_bench',
  }),
);

const event = (choices: readonly object[], more: object = {}): string =>
  `data: ${JSON.stringify({ ...HEAD, object: 'chat.completion.chunk', choices, ...more })}\n\n`;
const CHUNK = Buffer.from(
  event([{ index: 0, delta: { role: 'assistant', content: 'word ' }, finish_reason: null }]),
);
const FINISH = event([{ index: 0, delta: {}, finish_reason: 'stop' }]);
const endOf = (chunks: number): Buffer =>
  Buffer.from(`${FINISH}${event([], { usage: usage(chunks) })}data: [DONE]\n\n`);

function answer(res: ServerResponse): void {
  res.writeHead(200, { 'content-type': 'application/json', 'content-length': ANSWER.length });
  res.end(ANSWER);
}

function stream(res: ServerResponse, shape: StreamShape): void {
  res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  res.write(CHUNK);
  let sent = 1;
  const next = (): boolean => {
    if (res.destroyed) return true;
    if (sent++ < shape.chunks) {
      res.write(CHUNK);
      return false;
    }
    res.end(endOf(shape.chunks));
    return true;
  };
  if (shape.intervalMs === 0) while (!next());
  else {
    const timer = setInterval(() => next() && clearInterval(timer), shape.intervalMs);
  }
}

const server = createServer({ keepAliveTimeout: 120_000 }, (req, res) => {
  const pieces: Buffer[] = [];
  req.on('data', (piece: Buffer) => pieces.push(piece));
  req.on('end', () => {
    const body = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
    const shape = shapeAskedFor(body.toString('latin1'));
    if (shape === undefined) answer(res);
    else stream(res, shape);
  });
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`listening ${(server.address() as AddressInfo).port}\n`);
});
process.on('disconnect', () => process.exit(0));
