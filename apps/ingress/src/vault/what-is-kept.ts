import type { IncomingHttpHeaders } from 'node:http';
import type { Organisation, Principal } from '#libs/identity';
import type { ChatBody } from '#libs/providers';
import type { Subject } from '#libs/vault';
import type { RunParts } from '../complete/run-parts.js';
import { refusal, type Refusal } from '../ingress.errors.js';
import type { CapturedOf } from './capture.js';
import type { ContentVault } from './content-vault.js';
import { readSubject } from './read-subject.js';

/** Undefined where its organisation has nothing kept: the whole cost of the vault for most. */
export const aboutWhom = (headers: IncomingHttpHeaders, body: ChatBody, principal: Principal) =>
  principal.organisation.contentVault === undefined
    ? undefined
    : readSubject(headers, body, principal);

/** Where its organisation would rather be refused than not kept, and it would not be kept now. */
export function refusedUnkept(
  { contentVault }: Organisation,
  vault: ContentVault | undefined,
  retryAfterSeconds: number,
): Refusal | undefined {
  if (contentVault?.required !== true || vault?.accepting === true) return undefined;
  return refusal(
    'vault_unavailable',
    'Your organisation requires its content to be kept, and the vault does not take it now; nothing was sent.',
    { retryAfterSeconds },
  );
}

/** For the run's parts: where its content is gathered, if it is. */
export function captureOf(
  vault: ContentVault | undefined,
  { subject, ...of }: Omit<CapturedOf, 'subject' | 'keepDays'> & { readonly subject?: Subject },
  request: Buffer,
): Pick<RunParts, 'capture'> {
  const keepDays = of.principal.organisation.contentVault?.keepDays;
  if (vault === undefined || subject === undefined || keepDays === undefined) return {};
  const { id, principal, lane, receivedAtMs } = of;
  return {
    capture: vault.capture({ id, principal, lane, receivedAtMs, subject, keepDays }, request),
  };
}
