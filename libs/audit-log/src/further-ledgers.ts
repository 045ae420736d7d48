import { z } from 'zod';
import { LEDGER_ID } from './kafka/topic-names.js';

/** A ledger beside the first: where it leases, and, where its log is in PostgreSQL, the role that may append to it. */
export interface FurtherLedger {
  readonly id: string;
  readonly ledgerUrl: string;
  readonly auditDatabaseUrl?: string;
}

const SHAPE =
  'expected id=http://ledger:8084 or id=http://ledger:8084|postgres://…, commas between';

/** `CUSTOS_LEDGERS`: what a process serves beside its first ledger. */
export const furtherLedgers = z
  .string()
  .default('')
  .transform((text, issues): readonly FurtherLedger[] => {
    const found = text
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '')
      .map(readEntry);
    const ids = new Set(found.map((ledger) => ledger?.id));
    if (found.includes(undefined) || ids.size < found.length) {
      issues.addIssue({ code: 'custom', message: SHAPE });
      return z.NEVER;
    }
    return found.filter((ledger) => ledger !== undefined);
  });

function readEntry(entry: string): FurtherLedger | undefined {
  const [, id = '', rest = ''] = /^([^=]*)=(.*)$/.exec(entry) ?? [];
  const [ledgerUrl = '', auditDatabaseUrl, ...more] = rest.split('|');
  if (!LEDGER_ID.test(id) || more.length > 0 || !isUrl(ledgerUrl, 'http:', 'https:'))
    return undefined;
  if (auditDatabaseUrl === undefined) return { id, ledgerUrl };
  return isUrl(auditDatabaseUrl, 'postgres:', 'postgresql:')
    ? { id, ledgerUrl, auditDatabaseUrl }
    : undefined;
}

const isUrl = (text: string, ...protocols: readonly string[]): boolean =>
  protocols.includes(URL.parse(text)?.protocol ?? '');
