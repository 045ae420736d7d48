import { createServer } from 'node:net';
import { expect, it } from '@jest/globals';
import { isFree, portsToKeep } from './kept-ports.js';

it('gives different free ports that no outgoing connection is given', async () => {
  const ports = await portsToKeep(50);
  expect(new Set(ports).size).toBe(50);
  for (const port of ports) {
    expect(port).toBeGreaterThan(1_023);
    expect(port).toBeLessThan(32_768);
  }
});

it('gives none on which somebody listens', async () => {
  const [port] = await portsToKeep(1);
  const server = createServer();
  await new Promise<void>((listening) => server.listen(port, '127.0.0.1', listening));
  expect(await isFree(port!)).toBe(false);
  await new Promise((closed) => server.close(closed));
  expect(await isFree(port!)).toBe(true);
});
