import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cliConfig } from '../cli.config.js';

const TYPES = { csv: 'text/csv', jsonl: 'application/jsonl', ndjson: 'application/jsonl' } as const;

export interface ReconcileOptions {
  readonly url: string;
  readonly key: string;
  readonly file: string;
  /** Of its lines. */
  readonly type: string;
  /** The file is gzip already. */
  readonly packed: boolean;
  readonly query: URLSearchParams;
  readonly report: string | undefined;
  readonly json: boolean;
}

/** Undefined on bad usage; a text where a gateway or key is missing. */
export function reconcileOptions(args: string[]): ReconcileOptions | string | undefined {
  try {
    const { values } = parseArgs({
      args,
      options: {
        provider: { type: 'string' },
        file: { type: 'string' },
        from: { type: 'string' },
        to: { type: 'string' },
        url: { type: 'string' },
        key: { type: 'string' },
        report: { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    });
    const { provider, file, from, to, report, json } = values;
    if (provider === undefined || file === undefined) return undefined;
    const [, extension = '', gz] = /\.(csv|jsonl|ndjson)(\.gz)?$/i.exec(file) ?? [];
    const type = TYPES[extension.toLowerCase() as keyof typeof TYPES];
    if (type === undefined)
      return 'the file must end in .csv, .jsonl or .ndjson (or these and .gz)';
    if (!existsSync(file)) return 'there is no such file';
    const found = bootstrap();
    const url = values.url ?? found.baseUrl;
    const key = values.key ?? cliConfig().CUSTOS_API_KEY ?? found.adminKey;
    if (url === undefined) return 'name a gateway with --url: none runs from this data directory';
    if (key === undefined) return 'name an administrator’s key with --key or CUSTOS_API_KEY';
    const query = new URLSearchParams({ provider });
    if (from !== undefined) query.set('from', from);
    if (to !== undefined) query.set('to', to);
    const base = url.replace(/\/+$/, '');
    return { url: base, key, file, type, packed: gz !== undefined, query, report, json };
  } catch {
    return undefined;
  }
}

/** What a gateway of this data directory has left there. */
function bootstrap(): { readonly baseUrl?: string; readonly adminKey?: string } {
  const path = join(cliConfig().CUSTOS_DATA_DIR, 'bootstrap.json');
  return existsSync(path)
    ? (JSON.parse(readFileSync(path, 'utf8')) as { baseUrl?: string; adminKey?: string })
    : {};
}
