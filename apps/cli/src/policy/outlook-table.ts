import type { BundleOutlook } from '#libs/policy';
import { table } from './table.js';

/** Rows of one list that are shown; JSON has more. */
const SHOWN_MAX = 15;

/** What a bundle means whoever asks: models out of reach, rules without effect. */
export function outlookTable(outlook: BundleOutlook): string {
  const { contexts, endpoints, dead, shadowed, notAsked } = outlook;
  return [
    `over ${endpoints} endpoints in ${contexts} kinds of request, recorded or not:\n`,
    unreachable(outlook.newlyUnreachable),
    rules('Dead: never match', dead),
    rules('Shadowed: match, and are never the only reason', shadowed),
    rules('Not judged: wait for a wish in the request itself', notAsked),
  ]
    .filter((part) => part !== '')
    .join('');
}

function unreachable(lost: BundleOutlook['newlyUnreachable']): string {
  if (lost.models === 0) return 'no model loses its last endpoint\n';
  const shown = lost.listed.slice(0, SHOWN_MAX);
  const more = lost.models - shown.length;
  return (
    `${lost.models} models lose their last endpoint, in ${lost.contexts} kinds of request:\n` +
    table(
      ['leaves no endpoint for', 'kinds', 'first of them', 'closed by'],
      shown.map((m) => [
        m.modelId,
        m.contexts,
        m.inContexts[0] ?? '',
        m.closedBy.length > 0 ? m.closedBy.join(' ') : '(no permit or evaluation error)',
      ]),
    ) +
    (more > 0 ? `… and ${more} more\n` : '')
  );
}

function rules(title: string, ids: readonly string[]): string {
  if (ids.length === 0) return '';
  const more = ids.length - SHOWN_MAX;
  const lines = ids.slice(0, SHOWN_MAX).map((id) => `  ${id}\n`);
  return `${title} (${ids.length}):\n${lines.join('')}${more > 0 ? `  … and ${more} more\n` : ''}`;
}
