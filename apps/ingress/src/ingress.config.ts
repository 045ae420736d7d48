import { z } from 'zod';
import { variable } from '#libs/platform';

const MIB = 1024 * 1024;

/** Settings of the data plane, shared by the process of its own and by the standalone product. */
export const ingressVariables = {
  CUSTOS_PROFILE: z.enum(['development', 'production']).default('development'),
  CUSTOS_PROVIDERS: z.enum(['simulated', 'live', 'auto']).default('auto'),
  CUSTOS_SIMULATOR_URL: variable.url('http').optional(),
  /** 20 MiB: images in base64 are large, a prompt of a million tokens is 4 MiB. */
  CUSTOS_BODY_BYTES_MAX: variable.integer(1_024, 512 * MIB).default(20 * MIB),
  /** Tool schemas reach some ten levels; deeper is a mistake or an attack on recursive readers. */
  CUSTOS_JSON_DEPTH_MAX: variable.integer(8, 512).default(64),
  /** How long an admission waits for the log before 503. */
  CUSTOS_APPEND_DEADLINE_MS: variable.durationMs().default(2_000),
  /** Snapshots older than this are not believed: the gateway fails closed. */
  CUSTOS_SNAPSHOT_MAX_AGE: variable.spanMs().default(15 * 60_000),
  CUSTOS_SNAPSHOT_POLL: variable.durationMs().default(1_000),
  CUSTOS_CONNECT_TIMEOUT: variable.spanMs().default(3_000),
  /** Reasoning models think for minutes before their first token. */
  CUSTOS_FIRST_CONTENT_TIMEOUT: variable.spanMs().default(120_000),
  CUSTOS_IDLE_TIMEOUT: variable.spanMs().default(60_000),
  CUSTOS_TOTAL_TIMEOUT: variable.spanMs().default(15 * 60_000),
  /** Load balancers cut silent connections after 60 s, some after 15. */
  CUSTOS_KEEP_ALIVE: variable.spanMs().default(5_000),
  /** A reader that takes nothing for this long is let go. */
  CUSTOS_READER_IDLE_TIMEOUT: variable.spanMs().default(60_000),
  /** Output reserved for a request without max_tokens, where the model's own maximum is larger. */
  CUSTOS_HOLD_OUTPUT_TOKENS: variable.integer(1, 1_000_000).default(16_384),
  /** How long running requests may take to end when the process is asked to. */
  CUSTOS_DRAIN_DEADLINE: variable.durationMs().default(10_000),
};

/** What a production profile refuses; to be used with `superRefine` on a schema that has these variables. */
export function refuseInProduction(
  settings: {
    readonly CUSTOS_PROFILE: string;
    readonly CUSTOS_PROVIDERS: string;
    readonly CUSTOS_SIMULATOR_URL?: string | undefined;
  },
  issues: z.core.$RefinementCtx,
): void {
  if (settings.CUSTOS_PROFILE !== 'production') return;
  const refuse = (variableName: string, message: string): void => {
    issues.addIssue({ code: 'custom', path: [variableName], message });
  };
  if (settings.CUSTOS_PROVIDERS !== 'live')
    refuse('CUSTOS_PROVIDERS', 'a production profile has live providers only: set it to live');
  if (settings.CUSTOS_SIMULATOR_URL !== undefined)
    refuse('CUSTOS_SIMULATOR_URL', 'a production profile has no simulator');
}

export type IngressSettings = z.output<z.ZodObject<typeof ingressVariables>>;

/** `<PROVIDER>_API_KEY` and `<PROVIDER>_BASE_URL`, by provider id; read where the environment is read. */
export function providerCredentials(
  environment: Readonly<Record<string, string | undefined>>,
  providers: Iterable<{ readonly id: string; readonly credentialVariable: string }>,
): { readonly credentials: Map<string, string>; readonly baseUrls: Map<string, string> } {
  const credentials = new Map<string, string>();
  const baseUrls = new Map<string, string>();
  for (const p of providers) {
    const key = environment[p.credentialVariable];
    if (key !== undefined && key !== '') credentials.set(p.id, key);
    const base = environment[p.credentialVariable.replace(/_API_KEY$|_TOKEN$|_KEY$/, '_BASE_URL')];
    if (base !== undefined && base !== '') baseUrls.set(p.id, base.replace(/\/+$/, ''));
  }
  return { credentials, baseUrls };
}
