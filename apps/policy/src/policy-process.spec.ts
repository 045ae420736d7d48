import { afterEach, describe, expect, it } from '@jest/globals';
import { Lifecycle, Logger } from '#libs/platform';
import { decodeBundle } from '#libs/policy';
import { startPolicy } from './policy-process.js';
import { readPolicyConfig } from './policy.config.js';

const TOKEN = 'internal-token-of-the-spec';

describe('the policy engine as a process of its own', () => {
  let lifecycle: Lifecycle;
  afterEach(() => lifecycle.shutdown('end of spec'));

  it('serves the shipped rules with control away', async () => {
    lifecycle = new Lifecycle(new Logger({ app: 'spec', level: 'error', write: () => undefined }));
    const config = readPolicyConfig({
      PORT: '0',
      CUSTOS_INTERNAL_TOKEN: TOKEN,
      // Nobody listens on the discard port of loopback.
      CUSTOS_CONTROL_URL: 'http://127.0.0.1:9',
      CUSTOS_LOG_LEVEL: 'error',
    });
    const http = await startPolicy(config, lifecycle);
    const headers = { authorization: `Bearer ${TOKEN}` };
    const served = await fetch(`${http.url}/internal/v1/snapshots/policy`, { headers });
    expect(served.headers.get('etag')).toBe(`"${decodeBundle(await served.json()).version}"`);
    expect((await fetch(`${http.url}/health/ready`)).status).toBe(200);
    // Without a list of keys nobody is admitted.
    const question = await fetch(`${http.url}/policy/v1/bundles/active`, { headers });
    expect(question.status).toBe(503);
  });
});
