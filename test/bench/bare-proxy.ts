// The yardstick: the least that a Node proxy does. node:http in, undici dispatch out, bytes as they came, with
// back-pressure and cancellation, and nothing else. Tells its port in one line on stdout.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool, type Dispatcher } from 'undici';

const upstream = process.argv[2];
if (upstream === undefined) throw new Error('usage: bare-proxy <upstream base url>');
const pool = new Pool(upstream, { connections: 256, pipelining: 1, headersTimeout: 60_000 });

const PASSED_ON = ['content-type', 'content-length'];

function relayTo(res: ServerResponse): Dispatcher.DispatchHandler {
  let control: Dispatcher.DispatchController | undefined;
  res.on('drain', () => control?.resume());
  res.on('close', () => {
    if (!res.writableFinished) control?.abort(new Error('the client left'));
  });
  return {
    onRequestStart(controller) {
      control = controller;
    },
    onResponseStart(_controller, status, headers) {
      const passed: Record<string, string | string[]> = {};
      for (const name of PASSED_ON) if (headers[name] !== undefined) passed[name] = headers[name];
      res.writeHead(status, passed);
    },
    onResponseData(controller, chunk) {
      if (!res.write(chunk)) controller.pause();
    },
    onResponseEnd() {
      res.end();
    },
    onResponseError() {
      if (res.headersSent) res.destroy();
      else res.writeHead(502).end();
    },
  };
}

function forward(req: IncomingMessage, res: ServerResponse): void {
  const pieces: Buffer[] = [];
  req.on('data', (piece: Buffer) => pieces.push(piece));
  req.on('end', () => {
    const body = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
    const headers = { 'content-type': 'application/json' };
    pool.dispatch({ path: req.url ?? '/', method: 'POST', headers, body }, relayTo(res));
  });
}

const server = createServer({ keepAliveTimeout: 120_000 }, forward);
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`listening ${(server.address() as AddressInfo).port}\n`);
});
process.on('disconnect', () => process.exit(0));
