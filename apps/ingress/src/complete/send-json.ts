import type { ServerResponse } from 'node:http';

/** One write, explicit length: no chunked framing for an answer that is already whole. */
export function sendJson(
  res: ServerResponse,
  status: number,
  body: string,
  headers: Readonly<Record<string, string>>,
): void {
  if (res.destroyed || res.headersSent) return;
  const bytes = Buffer.byteLength(body);
  res.writeHead(status, {
    ...headers,
    'content-type': 'application/json; charset=utf-8',
    'content-length': bytes,
  });
  // As many bytes as chars is ASCII, which needs no transcoding.
  res.end(body, bytes === body.length ? 'latin1' : 'utf8');
}
