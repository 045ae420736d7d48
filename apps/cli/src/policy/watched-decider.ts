import type { Catalog } from '#libs/catalog';
import { createDecider, type Decider, type PolicyBundle } from '#libs/policy';

/**
 * A decider that says aloud when the compiled evaluator disagrees with cedar-wasm. The answer is cedar-wasm's then, here
 * and for the rest of this process; the gateway finds and remembers it by itself.
 */
export const watchedDecider = (bundle: PolicyBundle, catalog: Catalog): Decider =>
  createDecider(bundle, catalog, {
    onMismatch: ({ policyVersion, endpointId }) =>
      process.stderr.write(
        `the compiled evaluator is wrong under ${policyVersion} about ${endpointId}: decided by cedar-wasm alone\n`,
      ),
  });
