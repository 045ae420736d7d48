import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { takePastFastify } from './hot-route.js';

const JSON_TYPE = 'content-type: application/json';
const EIGHT = 'content-length: 8';
const BODY = '{"a": 1}';

describe('takePastFastify', () => {
  let server: Server;
  let taken: string[];

  beforeEach(async () => {
    taken = [];
    server = createServer((req, res) => {
      req.resume();
      res.end('the handler that was there');
    });
    takePastFastify(server, {
      paths: ['/v1/chat/completions'],
      bodyBytesMax: 64,
      take: (_req, res, body) => {
        taken.push(body.toString());
        res.end('taken');
      },
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  const dial = () => connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
  const request = (line: string, headers: readonly string[]): string =>
    [line, 'host: a', 'connection: close', ...headers, '', ''].join('\r\n');

  const answerTo = (text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = dial();
      let answer = '';
      socket.setEncoding('latin1').on('data', (piece: string) => (answer += piece));
      socket.on('end', () => resolve(answer)).on('error', reject);
      socket.write(text);
    });

  it.each([JSON_TYPE, `${JSON_TYPE}; charset=utf-8`])(
    'takes the usual request: %s',
    async (type) => {
      const head = request('POST /v1/chat/completions HTTP/1.1', [type, EIGHT]);
      expect(await answerTo(head + BODY)).toMatch(/^HTTP\/1.1 200 [^]*taken$/);
      expect(taken).toEqual([BODY]);
    },
  );

  it('puts a body together that comes in pieces', async () => {
    const socket = dial();
    const head = request('POST /v1/chat/completions HTTP/1.1', [JSON_TYPE, EIGHT]);
    socket.write(head + BODY.slice(0, 3));
    await once(server, 'request');
    socket.write(BODY.slice(3));
    socket.resume();
    await once(socket, 'end');
    expect(taken).toEqual([BODY]);
  });

  const post = 'POST /v1/chat/completions HTTP/1.1';
  it.each([
    ['another path', 'POST /v1/models HTTP/1.1', [JSON_TYPE, EIGHT], BODY],
    ['a query', 'POST /v1/chat/completions?a=b HTTP/1.1', [JSON_TYPE, EIGHT], BODY],
    ['another method', 'PUT /v1/chat/completions HTTP/1.1', [JSON_TYPE, EIGHT], BODY],
    ['another type', post, ['content-type: text/plain', EIGHT], BODY],
    ['no type', post, [EIGHT], BODY],
    ['no body', post, [JSON_TYPE, 'content-length: 0'], ''],
    ['no length', post, [JSON_TYPE], ''],
    ['too long a body', post, [JSON_TYPE, 'content-length: 65'], 'x'.repeat(65)],
    ['chunks', post, [JSON_TYPE, 'transfer-encoding: chunked'], `8\r\n${BODY}\r\n0\r\n\r\n`],
    ['an upgrade', post, [JSON_TYPE, EIGHT, 'upgrade: h2c'], BODY],
  ])('leaves to the handler that was there: %s', async (_, line, headers, body) => {
    expect(await answerTo(request(line, headers) + body)).toMatch(/the handler that was there$/);
    expect(taken).toEqual([]);
  });

  it('leaves an expectation to it, too', async () => {
    const head = request(post, [JSON_TYPE, EIGHT, 'expect: 100-continue']);
    expect(await answerTo(head + BODY)).toMatch(/the handler that was there$/);
  });

  it('leaves what comes over an open connection to it once the server closes', async () => {
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const socket = dial().setEncoding('latin1');
    let answer = '';
    socket.on('data', (piece: string) => (answer += piece));
    const text = request(post, [JSON_TYPE, EIGHT]) + BODY;
    // Begun before the server closes, so that it does not count as idle and is not cut.
    socket.write(text.slice(0, 20));
    const [theirs] = await accepted;
    while (theirs.bytesRead < 20) await new Promise((resolve) => setImmediate(resolve));
    server.close();
    socket.write(text.slice(20));
    await once(socket, 'end');
    expect(answer).toMatch(/the handler that was there$/);
    expect(taken).toEqual([]);
  });

  it('begins nothing for a client that leaves amid its body', async () => {
    const socket = dial();
    socket.write(request(post, [JSON_TYPE, EIGHT]) + BODY.slice(0, 3));
    const [req] = (await once(server, 'request')) as [NodeJS.ReadableStream];
    const gone = new Promise((resolve) => req.once('close', resolve));
    socket.destroy();
    await gone;
    expect(taken).toEqual([]);
  });
});
