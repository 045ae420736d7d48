import { join } from 'node:path';
import type { Lifecycle } from '#libs/platform';
import { startSimulator } from '../../simulator/src/simulator.js';
import type { StandaloneConfig } from './standalone.config.js';

/** Base of the simulator in use: one that runs on its own, one in this process, or none where nothing is simulated. */
export async function openSimulator(
  config: StandaloneConfig,
  lifecycle: Lifecycle,
): Promise<string | undefined> {
  if (config.CUSTOS_PROVIDERS === 'live' || config.CUSTOS_PROFILE === 'production')
    return undefined;
  if (config.CUSTOS_SIMULATOR_URL !== undefined)
    return config.CUSTOS_SIMULATOR_URL.replace(/\/+$/, '');
  const simulator = await startSimulator({
    port: 0,
    host: '127.0.0.1',
    stateDir: join(config.CUSTOS_DATA_DIR, 'simulator'),
    profile: config.CUSTOS_PROFILE,
  });
  lifecycle.onShutdown(65, 'simulator', () => simulator.close());
  return simulator.url;
}
