import { ensureBootstrapKeys, readBootstrapFile } from '../../control/src/bootstrap-file.js';
import type { ControlPlane } from '../../control/src/control-plane.js';
import type { StandaloneConfig } from './standalone.config.js';

export interface Running {
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly adminKey: string;
  readonly auditorKey: string;
  readonly text: string;
}

interface Where {
  readonly baseUrl: string;
  readonly metricsUrl: string | undefined;
  readonly simulatorUrl: string | undefined;
  readonly logVerifierKey: string;
  readonly logName: string;
  readonly models: number;
}

/** Keys are shown once by control; the file (mode 0600) is where they live on. Lost, they are replaced. */
export async function writeFirstKeys(
  config: StandaloneConfig,
  control: ControlPlane,
  where: Where,
): Promise<Running> {
  await ensureBootstrapKeys(config.CUSTOS_DATA_DIR, control, {
    baseUrl: where.baseUrl,
    metricsUrl: where.metricsUrl,
    simulatorUrl: where.simulatorUrl,
    logVerifierKey: where.logVerifierKey,
  });
  const keys = (await readBootstrapFile(config.CUSTOS_DATA_DIR))!;
  const apiKey = keys.apiKey!;
  const adminKey = keys.adminKey!;
  const auditorKey = keys.auditorKey!;
  return {
    baseUrl: where.baseUrl,
    apiKey,
    adminKey,
    auditorKey,
    text: `
Custos is ready: ${where.baseUrl}   (audit log: ${where.logName}; ${where.models} models; providers: ${config.CUSTOS_PROVIDERS})

  api key      ${apiKey}
  admin key    ${adminKey}
  auditor key  ${auditorKey}
  all of them  ${config.CUSTOS_DATA_DIR}/bootstrap.json

  curl ${where.baseUrl}/v1/chat/completions -H "authorization: Bearer ${apiKey}" -H "content-type: application/json" \\
    -d '{"model":"openai/gpt-4o-mini","messages":[{"role":"user","content":"Hello"}]}'

Ctrl-C stops it; the next start goes on with the data.
`,
  };
}
