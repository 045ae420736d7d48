import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import type { SimulatorOptions } from './simulator.js';

const schema = z.object({
  // The public API's default is 8080; its neighbour is free for the simulator.
  port: z.coerce.number().int().min(0).max(65_535).default(8081),
  host: z.string().min(1).default('127.0.0.1'),
  stateDir: z.string().min(1),
  profile: z.enum(['development', 'production']).default('development'),
});

/** `--port` and `--state-dir` before the environment. Throws one error that names every fault. */
export function loadSimulatorConfig(
  argv: readonly string[] = process.argv.slice(2),
  env: NodeJS.ProcessEnv = process.env,
): SimulatorOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      port: { type: 'string' },
      host: { type: 'string' },
      'state-dir': { type: 'string' },
    },
  });
  const parsed = schema.safeParse({
    port: values.port ?? env['PORT'],
    host: values.host ?? env['HOST'],
    stateDir: values['state-dir'] ?? join(env['CUSTOS_DATA_DIR'] ?? '.custos', 'simulator'),
    profile: env['CUSTOS_PROFILE'],
  });
  if (!parsed.success) throw new Error(`simulator: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
