import { DomainError } from '#libs/kernel';
import type { SimulationReport } from '#libs/policy';
import { cliConfig } from '../cli.config.js';

/** A month over many models takes minutes; beyond this the gateway is not answering. */
const ANSWER_DEADLINE_MS = 600_000;

/** Asks a running gateway to simulate a bundle that it has stored. Throws DomainError with what it answered. */
export async function simulateByApi(
  url: string,
  key: string | undefined,
  version: string,
  since: Date,
): Promise<SimulationReport> {
  const bearer = key ?? cliConfig().CUSTOS_API_KEY;
  if (bearer === undefined)
    throw new DomainError('no-key', 'name a key with --key or CUSTOS_API_KEY');
  if (!version.startsWith('sha256:'))
    throw new DomainError(
      'no-bundle',
      'a gateway simulates a version that it has stored: name sha256:…',
    );
  const path = `/policy/v1/bundles/${encodeURIComponent(version)}/simulate`;
  const response = await fetch(`${url.replace(/\/+$/, '')}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
    body: JSON.stringify({ since: since.toISOString() }),
    signal: AbortSignal.timeout(ANSWER_DEADLINE_MS),
  });
  const body = (await response.json()) as {
    readonly report?: SimulationReport;
    readonly error?: { readonly message?: string };
  };
  if (!response.ok)
    throw new DomainError(
      'refused',
      body.error?.message ?? `the gateway answered ${response.status}`,
    );
  if (body.report === undefined)
    throw new DomainError('refused', 'the gateway answered without a report');
  return body.report;
}
