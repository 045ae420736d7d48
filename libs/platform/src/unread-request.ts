import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { errorResponse, PLATFORM_ERRORS } from './error-response.js';
import { DomainError } from '#libs/kernel';

type UnreadCode = 'request_timeout' | 'headers_too_large' | 'invalid_request';

/** By Node's codes; whatever else its parser stumbles over is no HTTP. */
const CODES: Readonly<Record<string, UnreadCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
  HPE_HEADER_OVERFLOW: 'headers_too_large',
};
const MESSAGES: Readonly<Record<UnreadCode, string>> = {
  request_timeout: 'The request took too long to arrive.',
  headers_too_large: 'The headers are larger than allowed.',
  invalid_request: 'This is no HTTP request.',
};

/**
 * Ends a connection on which no request could be read (`clientError` of `node:http`), in the words that every other refusal
 * has. Where an answer is under way on it nothing is written: it would stand in the middle of that answer.
 */
export function refuseUnreadRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  // Node has no other word for it: https://nodejs.org/api/http.html#event-clienterror
  const { _httpMessage: answer } = socket as Socket & { _httpMessage?: ServerResponse };
  if (socket.writable && answer?.headersSent !== true) {
    const code = CODES[error.code ?? ''] ?? 'invalid_request';
    const { status, body } = errorResponse(new DomainError(code, MESSAGES[code]), PLATFORM_ERRORS);
    const text = JSON.stringify(body);
    socket.write(
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\ncontent-type: application/json\r\n` +
        `content-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`,
    );
  }
  socket.destroy(error);
}
