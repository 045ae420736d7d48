import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cliConfig } from '../cli.config.js';

export interface RetentionOptions {
  readonly url: string;
  readonly key: string;
  /** Digest of the plan to be applied; undefined where it is only looked at. */
  readonly apply: string | undefined;
  readonly json: boolean;
}

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** Undefined on bad usage; a text where a gateway, a key or the plan's digest is missing. */
export function retentionOptions(args: string[]): RetentionOptions | string | undefined {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        plan: { type: 'string' },
        url: { type: 'string' },
        key: { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    });
    const [verb = 'plan', ...more] = positionals;
    if (more.length > 0 || (verb !== 'plan' && verb !== 'apply')) return undefined;
    if ((verb === 'apply') !== (values.plan !== undefined)) return undefined;
    if (values.plan !== undefined && !DIGEST.test(values.plan))
      return 'name the plan by the digest that `custos retention plan` shows: sha256:…';
    const found = bootstrap();
    const url = values.url ?? found.baseUrl;
    const key = values.key ?? cliConfig().CUSTOS_API_KEY ?? found.adminKey;
    if (url === undefined) return 'name a gateway with --url: none runs from this data directory';
    if (key === undefined) return 'name an administrator’s key with --key or CUSTOS_API_KEY';
    return { url: url.replace(/\/+$/, ''), key, apply: values.plan, json: values.json };
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
