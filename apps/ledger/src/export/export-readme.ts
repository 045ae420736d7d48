import type { ExportManifest } from './manifest.js';

/** What an auditor reads first. */
export const exportReadme = (m: ExportManifest): string => `# Export of an audit log

Origin: ${m.origin}
Leaves of the tree: ${m.size}; with their records here: ${m.firstLeaf} to ${m.endLeaf} (exclusive)
Records taken by the log from ${m.from ?? 'its beginning'} to ${m.to ?? 'the checkpoint'}

Everything in this directory can be checked offline, without trust in whoever made it. What you need besides is the log's
verifier key, from a source that you trust (not from this directory):

    ${m.verifierKey}

## With the program of the project

    npx custos verify log . --key <verifier key>      every tile, every record, the root, the signatures
    npx custos verify ledger . --key <verifier key>   every amount again from the records and the price books
    npx custos verify writers . --key <verifier key>  the chain of every writer, dense from its first record here
    npx custos verify witness . --key <verifier key>  who cosigned the checkpoint

Exit code 0: it holds. 1: it falls short, and says how.

## With anything else

The formats are open: RFC 6962 (hashes), C2SP tlog-tiles, signed-note, tlog-checkpoint, tlog-cosignature, tlog-policy
(https://c2sp.org), RFC 3161 (time stamps).

| file | what it is |
|---|---|
| \`checkpoint\` | the signed tree head: origin, size, root, signatures |
| \`policy\` | which log and which witnesses must have signed it (tlog-policy) |
| \`checkpoints.jsonl\` | earlier signed heads of the range, oldest first |
| \`tile/<level>/<n>\` | hashes of the whole tree, 256 a file; \`.p/<width>\` where a file is not full yet |
| \`tile/entries/<n>\` | the records themselves, 256 a file, each after its length (two bytes, big-endian) |
${m.cited === undefined ? '' : CITED_ROW}| \`price-books/<sha256>.book\` | the exact bytes of every price book that the range cites |
| \`ledger/journals.jsonl\` | every journal whose record lies in the range; postings in integer pico-USD (10^-12 USD), sum zero |
| \`ledger/opening-balances.jsonl\` | what every account had before the range |
| \`ledger/closing-balances.jsonl\` | what it had after it |
| \`time-stamps/<size>.tsr\` | RFC 3161 time stamps: \`openssl ts -verify -in <size>.tsr -data <size>.note -CAfile <the authority's root>\` |
| \`time-stamps/<size>.note\` | what each is over: the checkpoint with the signature of the log alone |
| \`manifest.json\` | this page for machines |

A record is one JSON text; its leaf hash is SHA-256 of a zero byte and its exact bytes.
${m.cited === undefined ? '' : CITED}
## What this export does not cover

${m.notCovered.length === 0 ? 'It covers the log from its first record to the checkpoint.' : m.notCovered.map((line) => `- ${line}`).join('\n')}
`;

const CITED_ROW = `| \`cited.jsonl\` | verdicts and slices of health that the range cites by digest and that were said before it, each with its proof |
`;

const CITED = `
A generation cites the verdict on it (\`data.decision.digest\`) and the slice of health that its plan read
(\`data.versions.health\`) by digest. What no record of the range says is a line of \`cited.jsonl\`, by leaf: \`leafIndex\`,
\`type\`, \`digest\`, \`bytes\` (base64 of the record's exact bytes) and \`proof\`, a C2SP tlog-proof under the checkpoint of
this export. The digest is SHA-256 over the canonical JSON (RFC 8785) of the record's \`data\` without its \`digest\`; of a
slice of health, of \`{"rows":<endpoints>,"scope":<scope>}\`. A line of \`type\` and \`digest\` alone is of what the ledger does
not have any more. \`manifest.json\` has the number of both and the file's SHA-256.
`;
