import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyError, FastifyInstance } from 'fastify';
import type { Completions } from '../complete/complete.js';
import { sendJson } from '../complete/send-json.js';
import { errorBody, refusal, statusOf, type Refusal } from '../ingress.errors.js';
import { takePastFastify } from './hot-route.js';

/** A refused body is read on for this many times the limit and this long, then the connection is closed regardless. */
const DRAIN_FACTOR = 4;
const DRAIN_MS = 5_000;

const PATHS = ['/api/v1/chat/completions', '/v1/chat/completions'] as const;

/**
 * The completion routes stand on Fastify itself, in a scope of their own: the body arrives as bytes and the answer
 * leaves through the socket. Nest's pipeline (guards, pipes, interceptors) is for the slow routes (ADR 0005), and the usual
 * request is taken past Fastify's too (ADR 0033).
 */
export async function registerCompletionRoutes(
  fastify: FastifyInstance,
  completions: Completions,
  bodyBytesMax: number,
  onFault: (error: unknown) => void,
): Promise<void> {
  // What fails before the request has an id is a fault of ours; the hijacked socket must not be left open.
  const complete = (req: IncomingMessage, res: ServerResponse, body: Buffer): Promise<void> =>
    completions.complete(req, res, body).catch((error: unknown) => {
      onFault(error);
      const r = refusal('internal', 'An internal fault; nothing was sent.');
      sendJson(res, statusOf(r), JSON.stringify(errorBody(r)), { connection: 'close' });
    });
  takePastFastify(fastify.server, {
    paths: PATHS,
    bodyBytesMax,
    take: (req, res, body) => void complete(req, res, body),
  });
  await fastify.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(
      ['application/json', '*'],
      { parseAs: 'buffer', bodyLimit: bodyBytesMax },
      (_request, body, done) => done(null, body),
    );
    scope.setErrorHandler((error: FastifyError, request, reply) => {
      const r = bodyRefusal(error, bodyBytesMax);
      reply.hijack();
      drained(request.raw, DRAIN_FACTOR * bodyBytesMax, () =>
        sendJson(reply.raw, statusOf(r), JSON.stringify(errorBody(r)), { connection: 'close' }),
      );
    });
    for (const path of PATHS)
      scope.post(path, { bodyLimit: bodyBytesMax }, (request, reply) => {
        reply.hijack();
        const { body } = request;
        return complete(request.raw, reply.raw, Buffer.isBuffer(body) ? body : Buffer.alloc(0));
      });
  });
}

/**
 * Most clients read the answer only after their body has gone: closing earlier resets the connection and the refusal
 * never arrives. So the rest is read and thrown away, within bounds.
 */
function drained(req: IncomingMessage, bytesMax: number, then: () => void): void {
  let bytes = 0;
  const finish = (): void => {
    clearTimeout(timer);
    req.off('data', count).off('end', finish).off('close', finish);
    then();
  };
  const count = (chunk: Buffer): void => {
    bytes += chunk.length;
    if (bytes > bytesMax) finish();
  };
  const timer = setTimeout(finish, DRAIN_MS);
  if (req.readableEnded || req.destroyed) finish();
  else req.on('data', count).once('end', finish).once('close', finish).resume();
}

function bodyRefusal(error: FastifyError, bodyBytesMax: number): Refusal {
  switch (error.statusCode) {
    case 413:
      return refusal('payload_too_large', `The body is over ${bodyBytesMax} bytes.`);
    case 415:
      return refusal('unsupported_media_type', 'Send application/json.');
    case 400:
      return refusal('invalid_request', 'The request could not be read.');
    default:
      return refusal('internal', 'An internal fault; nothing was sent.');
  }
}
