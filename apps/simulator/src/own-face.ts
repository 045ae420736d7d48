import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { json as readJson } from 'node:stream/consumers';
import type { FaultTable } from './faults.js';
import type { RequestJournal } from './request-journal.js';
import { USAGE_EXPORT_FORMATS, usageExport } from './usage-export.js';

/** `/__sim`: what reached the simulator, and the faults it is to show. */
export class OwnFace {
  constructor(
    private readonly journal: RequestJournal,
    private readonly faults: FaultTable,
  ) {}

  serve(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://simulator');
    const operation = `${request.method} ${pathname}`;
    switch (operation) {
      case 'GET /__sim/requests': {
        const since = searchParams.get('since') ?? '0';
        if (/^\d{1,15}$/.test(since)) {
          say(response, 200, { requests: this.journal.since(Number(since)) });
        } else {
          say(response, 400, { error: { message: 'since must be a number' } });
        }
        break;
      }
      case 'GET /__sim/usage-export':
        this.exportUsage(searchParams, response);
        break;
      case 'GET /__sim/faults':
        say(response, 200, { faults: this.faults.list() });
        break;
      case 'PUT /__sim/faults':
        void this.putFault(request, response);
        break;
      case 'DELETE /__sim/faults':
        this.faults.clear(searchParams.get('endpoint') ?? undefined);
        say(response, 200, { faults: this.faults.list() });
        break;
      default:
        say(response, 404, { error: { message: `there is no ${operation}` } });
    }
  }

  /** `?provider=<id>&format=csv|jsonl`: without a provider everybody's. */
  private exportUsage(asked: URLSearchParams, response: ServerResponse): void {
    const format = USAGE_EXPORT_FORMATS.find((f) => f === (asked.get('format') ?? 'csv'));
    if (format === undefined) {
      say(response, 400, { error: { message: 'format must be csv or jsonl' } });
      return;
    }
    const lines = usageExport(this.journal.all(), asked.get('provider') ?? undefined, format);
    const type = format === 'csv' ? 'text/csv' : 'application/jsonl';
    response.writeHead(200, { 'content-type': `${type}; charset=utf-8` });
    // A caller who leaves ends it; there is nobody to tell.
    Readable.from(lines).pipe(response);
  }

  private async putFault(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let value: unknown;
    try {
      value = await readJson(request);
    } catch {
      say(response, 400, { error: { message: 'the body is not JSON' } });
      return;
    }
    const put = this.faults.put(value);
    if (put.ok) say(response, 200, { faults: this.faults.list() });
    else say(response, 400, { error: { message: put.message } });
  }
}

function say(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
}
