import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { refuseUnreadRequest } from './unread-request.js';

const SEPARATOR = '\r\n\r\n';

describe('a request that cannot be read', () => {
  let server: Server;
  let port: number;
  beforeEach(async () => {
    server = createServer(
      { requestTimeout: 50, connectionsCheckingInterval: 20, maxHeaderSize: 1_024 },
      (request, response) => {
        if (request.url === '/streams') response.write('begun');
        // Answers nothing else: what a client hears is the refusal.
      },
    );
    server.on('clientError', refuseUnreadRequest);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  /** All that is heard until the other side ends the connection. */
  const heard = (sent: string): Promise<string> =>
    new Promise((resolve) => {
      let text = '';
      const socket = connect(port, '127.0.0.1', () => socket.write(sent));
      socket.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')));
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(text));
    });

  it.each([
    [
      'that never ends',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf',
      408,
      'request_timeout',
      'timeout',
    ],
    [
      'whose headers are too large',
      `GET / HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(2_000)}\r\n\r\n`,
      431,
      'headers_too_large',
      'invalid_request',
    ],
    ['that is no HTTP', 'what?\r\n\r\n', 400, 'invalid_request', 'invalid_request'],
  ])(
    '%s is refused in the words of every other refusal',
    async (_what, sent, status, code, type) => {
      const [head = '', body = ''] = (await heard(sent)).split(SEPARATOR);
      expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
      expect(head).toContain(`content-length: ${Buffer.byteLength(body)}`);
      expect(JSON.parse(body)).toMatchObject({
        error: { code: status, metadata: { error_type: type, custos_code: code } },
      });
      expect(body).not.toContain('half');
    },
  );

  it('says nothing into an answer that is under way', async () => {
    const text = await heard('POST /streams HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf');
    expect(text).toContain('begun');
    expect(text).not.toContain('408');
  });
});
