import { decodeEvent } from '#libs/audit-events';
import { walkLog } from '../log/walk-log.js';
import { sourceOf, type Mode } from '../mode.js';
import { WriterChains } from './writer-chains.js';

/** Every writer's chain over the entries that are at hand, each of which is proved to be its leaf. */
export const WRITERS: Mode = {
  inputs: { min: 1, max: 1 },
  needsKey: false,
  run: async (options, findings) => {
    const source = await sourceOf(options);
    let chains: WriterChains | undefined;
    const walked = await walkLog({
      source,
      key: options.key,
      findings,
      whole: options.whole,
      begin: ({ firstLeaf }) => (chains = new WriterChains(findings, firstLeaf)),
      take: (leaf, bytes) => chains?.take(leaf, bytes, decodeEvent(bytes)),
    });
    if (!walked?.entriesRead)
      findings.fault('incomplete', {}, 'the entries are needed and were not handed over');
    chains?.finish(options.silenceMs);
  },
};
