import { z } from 'zod';
import { usageClassesSchema } from './usage-classes.js';

/** Half an hour: longer than any time-out that a test waits for. */
const WAIT_MS_MAX = 30 * 60 * 1000;

const faultSchema = z.strictObject({
  endpoint: z.string().min(1).max(200),
  rate: z.number().min(0).max(1).optional(),
  latencyMs: z.number().int().min(0).max(WAIT_MS_MAX).optional(),
  status: z.number().int().min(300).max(599).optional(),
  retryAfterSeconds: z.number().int().min(0).max(86_400).optional(),
  hang: z.boolean().optional(),
  reset: z.boolean().optional(),
  malformed: z.boolean().optional(),
  chunkIntervalMs: z.number().min(0).max(WAIT_MS_MAX).optional(),
  chunks: z.number().int().min(1).max(100_000).optional(),
  dieAfterChunks: z.number().int().min(0).max(100_000).optional(),
  /** Not a fault: of which classes the usage is that it reports. */
  usage: usageClassesSchema
    .partial()
    .transform((u) => usageClassesSchema.parse(u))
    .optional(),
});

export type Fault = z.infer<typeof faultSchema>;

export type SetFault =
  { readonly ok: true; readonly fault: Fault } | { readonly ok: false; readonly message: string };

/** Faults on demand: at most one per endpoint, and one for all others (`*`). */
export class FaultTable {
  private readonly faults = new Map<string, Fault>();

  put(value: unknown): SetFault {
    const parsed = faultSchema.safeParse(value);
    if (!parsed.success) return { ok: false, message: z.prettifyError(parsed.error) };
    this.faults.set(parsed.data.endpoint, parsed.data);
    return { ok: true, fault: parsed.data };
  }

  list(): readonly Fault[] {
    return [...this.faults.values()];
  }

  clear(endpoint?: string): void {
    if (endpoint === undefined) this.faults.clear();
    else this.faults.delete(endpoint);
  }

  /** The fault that request number `n` meets, if any. The same numbers meet it in every run. */
  of(endpoint: string, n: number): Fault | undefined {
    const fault = this.faults.get(endpoint) ?? this.faults.get('*');
    if (fault?.rate === undefined) return fault;
    return spread(n) < fault.rate ? fault : undefined;
  }
}

/** Spreads whole numbers evenly over 0..1 (multiples of the golden ratio): a rate holds over any run of requests. */
const spread = (n: number): number => (n * 0.6180339887498949) % 1;
