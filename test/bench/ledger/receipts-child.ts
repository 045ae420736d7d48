// Verifies each receipt of a folder in turn, as `custos verify receipt` does once it runs, in a process that does nothing else: of a
// benchmark's heap an auditor has none. Arguments: folder, verifier key, folder of the export with the price books. Prints milliseconds
// of each as JSON.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseVerifierKey } from '#libs/transparency';
import { RECEIPT } from '../../../apps/cli/src/verify/receipt/verify-receipt.js';
import { verify } from '../../../apps/cli/src/verify/verify.js';

const [folder = '', key = '', books = ''] = process.argv.slice(2);
const times: number[] = [];
for (const name of readdirSync(folder)) {
  const startMs = performance.now();
  const report = await verify('receipt', RECEIPT, {
    inputs: [join(folder, name)],
    json: true,
    key: parseVerifierKey(key),
    books,
    silenceMs: 0,
  });
  times.push(performance.now() - startMs);
  if (!report.holds) throw new Error(`${name} does not verify: ${JSON.stringify(report.faults)}`);
}
process.stdout.write(JSON.stringify(times));
