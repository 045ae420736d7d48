import type { IncomingMessage, Server, ServerResponse } from 'node:http';

export interface HotRouteOptions {
  readonly paths: readonly string[];
  readonly bodyBytesMax: number;
  readonly take: (req: IncomingMessage, res: ServerResponse, body: Buffer) => void;
}

/**
 * Takes the usual request past Fastify: a POST of JSON to one of the paths, of a length that it states and that is allowed.
 * All else (other types, chunked or oversized bodies, expectations, queries, a server that is closing) goes to the
 * handler that was there, which knows how to refuse. Fastify's own part cost as much as reading and writing the body.
 */
export function takePastFastify(server: Server, options: HotRouteOptions): void {
  const paths: ReadonlySet<string> = new Set(options.paths);
  const handlers = server.listeners('request') as ((
    req: IncomingMessage,
    res: ServerResponse,
  ) => void)[];
  server.removeAllListeners('request');
  server.on('request', (req: IncomingMessage, res: ServerResponse) => {
    if (isUsual(req, paths, options.bodyBytesMax) && server.listening) read(req, res, options.take);
    else for (const handle of handlers) handle.call(server, req, res);
  });
}

/** Node's parser sees to it that a body is as long as stated, and that a length and chunks never come together. */
function isUsual(
  { method, url, headers }: IncomingMessage,
  paths: ReadonlySet<string>,
  bodyBytesMax: number,
): boolean {
  if (method !== 'POST' || !paths.has(url ?? '')) return false;
  const length = Number(headers['content-length'] ?? Number.NaN);
  return (
    length > 0 &&
    length <= bodyBytesMax &&
    isJson(headers['content-type']) &&
    headers['transfer-encoding'] === undefined &&
    headers.expect === undefined &&
    headers.upgrade === undefined
  );
}

const isJson = (type: string | undefined): boolean =>
  type === 'application/json' || type === 'application/json; charset=utf-8';

/** A client that leaves amid its body is told nothing: no 'end' comes, and nothing was begun. */
function read(req: IncomingMessage, res: ServerResponse, take: HotRouteOptions['take']): void {
  const pieces: Buffer[] = [];
  req.on('data', (piece: Buffer) => pieces.push(piece));
  req.on('end', () => take(req, res, pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)));
}
