import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { MismatchReporter } from './mismatch-reporter.js';

const found = (policyVersion: string) => ({
  policyVersion,
  catalogVersion: 'sha256:catalog',
  endpointId: 'a',
});

describe('findings against the evaluator', () => {
  let server: Server | undefined;
  afterEach(() => new Promise((resolve) => server?.close(resolve) ?? resolve(undefined)));

  it('are told until the policy engine has them, once per bundle, and without what was asked', async () => {
    const heard: { bearer: string | undefined; body: unknown }[] = [];
    let done: () => void;
    const both = new Promise<void>((resolve) => (done = resolve));
    server = createServer((request, response) => {
      let text = '';
      request.on('data', (chunk: Buffer) => (text += chunk.toString()));
      request.on('end', () => {
        heard.push({ bearer: request.headers.authorization, body: JSON.parse(text) });
        // The first ones meet a policy engine that cannot record.
        response.writeHead(heard.length < 3 ? 503 : 200).end();
        if (heard.length === 4) done();
      });
    });
    await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    let faults = 0;
    const reporter = new MismatchReporter(
      `http://127.0.0.1:${port}`,
      'token',
      () => (faults += 1),
      1,
    );
    reporter.report(found('one'));
    reporter.report(found('one'));
    reporter.report(found('two'));
    await both;
    reporter.close();
    expect(faults).toBe(2);
    const versions = heard.map((h) => (h.body as { policyVersion: string }).policyVersion);
    expect(versions.slice(0, 2)).toEqual(['one', 'two']);
    expect(versions.slice(2).toSorted()).toEqual(['one', 'two']);
    expect(heard[0]).toEqual({
      bearer: 'Bearer token',
      body: { ...found('one'), foundBy: 'ingress' },
    });
  });
});
