import type { Findings } from './report.js';
import type { ExportSource } from './source/export-source.js';
import { openSource } from './source/open-source.js';
import { UsageError, type VerifyOptions } from './verify-options.js';

/** A way to verify. `run` fills in what it finds; it throws UsageError for inputs that are none. */
export interface Mode {
  readonly inputs: { readonly min: number; readonly max: number };
  readonly needsKey: boolean;
  readonly run: (options: VerifyOptions, findings: Findings) => Promise<void>;
}

/** The first input as a source. Throws UsageError where it is neither a directory nor a URL. */
export async function sourceOf(options: VerifyOptions): Promise<ExportSource> {
  const [name = ''] = options.inputs;
  const source = await openSource(name, options.auditorKey);
  if (!source) throw new UsageError(`${name} is neither a directory nor a URL`);
  return source;
}
