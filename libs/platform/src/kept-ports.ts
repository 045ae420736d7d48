import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below the ports that systems give to outgoing connections (Linux from 32768, `ip_local_port_range`; elsewhere from 49152, RFC 6335).
 * One from there, which is what a system gives to who asks for any port, can belong to anybody's connection when a server comes back.
 */
const FIRST = 10_240;
const LAST = 32_767;
const TRIES_MAX = 1_000;

/** Ports of the loopback interface to listen on and, after a restart, to listen on again; free at this moment. */
export async function portsToKeep(count: number): Promise<readonly number[]> {
  const ports = new Set<number>();
  for (let tries = 0; ports.size < count; tries++) {
    if (tries === TRIES_MAX) throw new Error(`no ${count} free ports from ${FIRST} to ${LAST}`);
    const port = randomInt(FIRST, LAST + 1);
    if (!ports.has(port) && (await isFree(port))) ports.add(port);
  }
  return [...ports];
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
