import { createServer, request, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ClientStream } from './client-stream.js';

const SERVER_TIMEOUT_MS = 54_321;

describe('ClientStream', () => {
  let server: Server;
  let answered: Promise<ServerResponse>;
  let drains: number;

  beforeEach(async () => {
    drains = 0;
    answered = new Promise((resolve) => {
      server = createServer((_req, res) => resolve(res));
    });
    server.timeout = SERVER_TIMEOUT_MS;
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  const port = (): number => (server.address() as AddressInfo).port;
  const streamOn = (res: ServerResponse): ClientStream =>
    new ClientStream(res, () => drains++, performance.now());

  const get = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const req = request({ port: port(), host: '127.0.0.1' }, (res) => {
        let text = '';
        res.setEncoding('latin1').on('data', (piece: string) => (text += piece));
        res.on('end', () => resolve(text)).on('error', reject);
      });
      req.on('error', reject).end();
    });

  it('gives events, keep-alives and the end in their order, whatever way each takes', async () => {
    const text = get();
    const stream = streamOn(await answered);
    stream.sendHead({ 'x-test': '1' });
    stream.relay('data: 1\n\n', 0);
    stream.relay('data: 2 \u00c3\u00a9\n\n', 0);
    stream.keepAlive(10, 5, {});
    stream.relay('data: 3\n\n', 10);
    await new Promise((resolve) => setImmediate(resolve));
    stream.relay('', 10);
    stream.relay('data: 4\n\n', 10);
    stream.end('data: [DONE]\n\n');
    expect(await text).toBe(
      'data: 1\n\ndata: 2 \u00c3\u00a9\n\n: CUSTOS PROCESSING\n\ndata: 3\n\ndata: 4\n\ndata: [DONE]\n\n',
    );
  });

  it('an event is on its way before the turn of the loop is over', async () => {
    void get().catch(() => undefined);
    const res = await answered;
    const stream = streamOn(res);
    stream.sendHead({});
    stream.relay('data: 1\n\n', 0);
    await new Promise((resolve) => setImmediate(resolve));
    const { bytesWritten } = res.socket!;
    stream.relay('data: 2\n\n', 0);
    expect(res.socket!.bytesWritten).toBe(bytesWritten + '9\r\ndata: 2\n\n\r\n'.length);
    expect(res.socket!.writableLength).toBe(0);
    stream.end('');
  });

  it('leaves the framing to the server for a client of HTTP/1.0', async () => {
    const socket = connect({ port: port(), host: '127.0.0.1' });
    socket.write('GET / HTTP/1.0\r\n\r\n');
    const stream = streamOn(await answered);
    stream.sendHead({});
    stream.relay('data: 1\n\n', 0);
    stream.relay('data: 2\n\n', 0);
    stream.end('data: [DONE]\n\n');
    expect((await textOf(socket)).split('\r\n\r\n')[1]).toBe(
      'data: 1\n\ndata: 2\n\ndata: [DONE]\n\n',
    );
  });

  it('waits its turn behind an earlier answer on the same connection', async () => {
    const both: ServerResponse[] = [];
    server.removeAllListeners('request');
    const second = new Promise<void>((resolve) =>
      server.on('request', (_req, res) => {
        if (both.push(res) === 2) resolve();
      }),
    );
    const socket = connect({ port: port(), host: '127.0.0.1' });
    socket.write(
      'GET / HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n',
    );
    await second;
    const stream = streamOn(both[1]!);
    stream.sendHead({});
    stream.relay('data: 1\n\n', 0);
    stream.relay('data: 2\n\n', 0);
    both[0]!.end('first');
    await once(both[0]!, 'close');
    stream.relay('data: 3\n\n', 0);
    stream.relay('data: 4\n\n', 0);
    stream.end('data: [DONE]\n\n');
    const text = await textOf(socket);
    expect(text.indexOf('first')).toBeLessThan(text.indexOf('data: 1'));
    expect(text.match(/data: [^\n]+/g)).toEqual([1, 2, 3, 4, '[DONE]'].map((n) => `data: ${n}`));
  });

  it('holds the provider back while the reader takes nothing, and goes on when it does', async () => {
    const socket = connect({ port: port(), host: '127.0.0.1' });
    socket.pause();
    socket.write('GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
    const stream = streamOn(await answered);
    stream.sendHead({});
    stream.relay('data: 0\n\n', 0);
    const event = `data: ${'x'.repeat(60_000)}\n\n`;
    let events = 0;
    do events++;
    while (stream.relay(event, 1_000) && events < 1_000);
    expect(events).toBeLessThan(1_000);
    expect(stream.blockedForMs(3_000)).toBe(2_000);
    expect(stream.keepAlive(1e9, 1, {})).toBe(false);
    const text = textOf(socket);
    while (drains === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(stream.blockedForMs(3_000)).toBe(0);
    stream.end('data: [DONE]\n\n');
    expect((await text).match(/data: x/g)).toHaveLength(events);
    expect(drains).toBe(1);
  });

  it('has the server watch the socket again once the stream has ended', async () => {
    const text = get();
    const res = await answered;
    const stream = streamOn(res);
    const { socket } = res;
    expect(socket!.timeout).toBe(SERVER_TIMEOUT_MS);
    stream.sendHead({});
    stream.relay('data: 1\n\n', 0);
    expect(socket!.timeout).toBe(0);
    stream.end('data: [DONE]\n\n');
    expect(socket!.timeout).toBe(SERVER_TIMEOUT_MS);
    await text;
  });
});

function textOf(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    socket.setEncoding('latin1').on('data', (piece: string) => (text += piece));
    socket.on('end', () => resolve(text)).on('error', reject);
    socket.resume();
  });
}
