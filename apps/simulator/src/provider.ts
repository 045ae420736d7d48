import { hash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { answer, countInputTokens } from './answer.js';
import type { Answer, Asked } from './answer.js';
import type { SimulatedDialect } from './dialect.js';
import type { Fault, FaultTable } from './faults.js';
import { parseObject } from './json.js';
import type { RequestJournal, RequestRecord } from './request-journal.js';

/** Twice what the gateway accepts. */
const BODY_BYTES_MAX = 40 * 1024 * 1024;

const UNPARSABLE: { message: string; param?: string } = {
  message: 'We could not parse the JSON body of your request.',
};

/** A brisk model: 200 tokens a second. */
const CHUNK_INTERVAL_MS = 5;

/** Answers as a provider would, after noting that it was asked. */
export class SimulatedProvider {
  constructor(
    private readonly journal: RequestJournal,
    private readonly faults: FaultTable,
  ) {}

  serve(
    dialect: SimulatedDialect,
    endpoint: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    const receivedAt = new Date().toISOString();
    const parts: Buffer[] = [];
    let bytes = 0;
    const note = (asked: Asked | undefined, sha256: string): RequestRecord => {
      const id = request.headers['x-client-request-id'];
      return this.journal.arrive({
        receivedAt,
        endpoint,
        requestId: typeof id === 'string' ? id : '',
        bodySha256: sha256,
        stream: asked?.stream ?? false,
        inputTokens: asked ? countInputTokens(asked) : 0,
      });
    };
    request.on('data', (part: Buffer) => {
      bytes += part.length;
      if (bytes <= BODY_BYTES_MAX) parts.push(part);
    });
    // A request cut off on its way has reached us all the same.
    request.on('error', () => {
      this.journal.end(note(undefined, hash('sha256', Buffer.concat(parts), 'hex')), 'aborted');
    });
    request.on('end', () => {
      const body = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
      const sha256 = hash('sha256', body, 'hex');
      const json = bytes > BODY_BYTES_MAX ? undefined : parseObject(body.toString('utf8'));
      const read = json && dialect.read(json, request.headers);
      const asked = read?.ok === true ? read.asked : undefined;
      const record = note(asked, sha256);
      response.on('close', () => this.journal.end(record, 'aborted'));
      if (!asked) {
        const status = bytes > BODY_BYTES_MAX ? 413 : 400;
        const fault = read?.ok === false ? read : UNPARSABLE;
        this.refuse(record, response, status, dialect.error(status, fault.message, fault.param));
        return;
      }
      const fault = this.faults.of(endpoint, record.n);
      const go = (): void => {
        if (response.destroyed) return;
        const made = answer(asked, sha256, record.n, fault);
        if (fault?.usage !== undefined) record.classes = made.classes;
        this.deliver(dialect, asked, made, record, response, fault);
      };
      if (fault?.latencyMs) setTimeout(go, fault.latencyMs);
      else go();
    });
  }

  private deliver(
    dialect: SimulatedDialect,
    asked: Asked,
    made: Answer,
    record: RequestRecord,
    response: ServerResponse,
    fault: Fault | undefined,
  ): void {
    response.setHeader('x-request-id', `req_${made.id}`);
    if (fault?.hang === true) return;
    if (fault?.reset === true) {
      this.journal.end(record, 'failed');
      response.socket?.resetAndDestroy();
    } else if (fault?.status !== undefined) {
      if (fault.retryAfterSeconds !== undefined) {
        response.setHeader('retry-after', String(fault.retryAfterSeconds));
      }
      const body = dialect.error(fault.status, 'a fault that was asked for');
      this.refuse(record, response, fault.status, body);
    } else if (asked.stream) {
      this.stream(dialect, asked, made, record, response, fault);
    } else {
      this.whole(dialect.whole(made, asked), made, record, response, fault);
    }
  }

  private refuse(record: RequestRecord, response: ServerResponse, status: number, body: string) {
    this.journal.end(record, 'failed');
    send(response, status, body);
  }

  private whole(
    body: string,
    made: Answer,
    record: RequestRecord,
    response: ServerResponse,
    fault: Fault | undefined,
  ): void {
    if (fault?.malformed === true) {
      this.journal.end(record, 'failed');
      send(response, 200, body.slice(0, body.length / 2));
      return;
    }
    record.outputTokens = made.pieces.length;
    if (fault?.dieAfterChunks !== undefined) {
      this.journal.end(record, 'failed');
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write(body.slice(0, body.length / 2), () => response.destroy());
      return;
    }
    this.journal.end(record, 'completed');
    send(response, 200, body);
  }

  private stream(
    dialect: SimulatedDialect,
    asked: Asked,
    made: Answer,
    record: RequestRecord,
    response: ServerResponse,
    fault: Fault | undefined,
  ): void {
    const frames = dialect.frames(made, asked);
    const intervalMs = fault?.chunkIntervalMs ?? CHUNK_INTERVAL_MS;
    const dieAfter = fault?.dieAfterChunks ?? Infinity;
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
    });
    if (fault?.malformed === true) {
      this.journal.end(record, 'failed');
      response.end(frames.broken);
      return;
    }
    response.write(frames.opening);
    const next = (): void => {
      if (response.destroyed) return;
      for (;;) {
        const sent = record.outputTokens;
        if (sent >= dieAfter) {
          this.journal.end(record, 'failed');
          response.write('', () => response.destroy());
          return;
        }
        if (sent === made.pieces.length) {
          this.journal.end(record, 'completed');
          response.end(frames.closing);
          return;
        }
        const flowing = response.write(frames.piece(sent));
        record.outputTokens++;
        if (!flowing) {
          response.once('drain', next);
          return;
        }
        if (intervalMs > 0) {
          setTimeout(next, intervalMs);
          return;
        }
      }
    };
    next();
  }
}

function send(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}
