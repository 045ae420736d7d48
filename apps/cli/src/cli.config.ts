import { z } from 'zod';
import { parseConfig } from '#libs/platform';

/** What verbs take from the environment where no option says otherwise; the names are the product's own. */
const schema = z.object({
  CUSTOS_DATABASE_URL: z.string().optional(),
  CUSTOS_DATA_DIR: z.string().default('.custos'),
  /** A key that may ask the API of a running gateway. */
  CUSTOS_API_KEY: z.string().optional(),
});

export const cliConfig = (): z.output<typeof schema> => parseConfig(schema, process.env);
