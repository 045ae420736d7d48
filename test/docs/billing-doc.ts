import type { Provider } from '#libs/catalog';

/** Parts of docs/billing.md that follow from the catalog stand between these. */
const BEGIN = '<!-- from the catalog: who stops billing on cancel -->';
const END = '<!-- end -->';

/** The document with its table as the catalog has it. Throws where the place for it is missing. */
export function billingDocument(text: string, providers: Iterable<Provider>): string {
  const [before, rest] = text.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined)
    throw new Error('docs/billing.md has no place for the table');
  return `${before}${BEGIN}\n\n${table([...providers])}\n${END}${after}`;
}

function table(providers: readonly Provider[]): string {
  const names = (stops: boolean | undefined): string =>
    providers
      .filter((p) => p.stopsBillingOnCancel === stops)
      .map((p) => `\`${p.id}\``)
      .sort()
      .join(', ');
  const unknown = providers.filter((p) => p.stopsBillingOnCancel === undefined).length;
  return `| a cancel | providers | what the gateway does with a stream whose client has left | usage | customer and provider cost |
|---|---|---|---|---|
| stops the bill | ${names(true)} | closes the connection at once | \`counted\`: input as the provider told it, else estimated; output as it came | by that usage |
| does not stop the bill | ${names(false)} | reads on to the end and discards | \`reported\`, of the whole answer | by that usage |
| may or may not | the other ${unknown} | closes the connection at once | \`counted\` | by that usage; flagged \`provider_may_bill_more\` |
`;
}
