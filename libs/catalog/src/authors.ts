import * as z from 'zod';
import { CatalogError } from './errors.js';

const author = z.strictObject({
  id: z.string(),
  name: z.string(),
  aliases: z.array(z.string()),
  originCountry: z.string().length(2).nullable(),
  basis: z.literal('public-knowledge'),
  readOn: z.iso.date(),
});

export type Author = z.infer<typeof author>;
export type Authors = ReadonlyMap<string, Author>;

/** Labs by canonical id. Throws CatalogError `import-invalid`. */
export function parseAuthors(text: string): Authors {
  try {
    const rows = text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => author.parse(JSON.parse(line)));
    return new Map(rows.map((row) => [row.id, row]));
  } catch (cause) {
    throw new CatalogError('import-invalid', 'author table breaks its format', {}, { cause });
  }
}

/** Canonical author of a spelling (`alibaba` → `qwen`); undefined where the table does not know it. */
export function authorLookup(authors: Authors): (spelling: string) => string | undefined {
  const spellings = new Map<string, string>();
  for (const { id, aliases } of authors.values()) {
    for (const spelling of [id, ...aliases]) {
      if (spellings.has(spelling)) {
        throw new CatalogError('import-invalid', 'a spelling belongs to two authors', { spelling });
      }
      spellings.set(spelling, id);
    }
  }
  return (spelling) => spellings.get(spelling);
}
