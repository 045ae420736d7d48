import { describe, expect, it } from '@jest/globals';
import type { EgressList } from '#libs/policy';
import { ciliumPolicy, networkPolicy } from './egress-manifests.js';
import { parseYaml } from './parse-yaml.spec-support.js';

const list: EgressList = {
  policyVersion: `sha256:${'1'.repeat(64)}`,
  catalogVersion: `sha256:${'2'.repeat(64)}`,
  contexts: 10,
  hosts: [
    { host: 'api.one.example', port: 443, providers: ['one'] },
    { host: 'no', port: 443, providers: ['two'] }, // unquoted, YAML 1.1 reads this as false
    { host: 'three.example', port: 8443, providers: ['three'] },
  ],
  providers: [],
  withoutHost: ['amazon-bedrock'],
  closed: [],
};

describe('egress manifests', () => {
  it('Cilium lets out the hosts, each by its port, and names only through DNS', async () => {
    const policy = await parseYaml(ciliumPolicy(list));
    expect(policy).toMatchObject({
      apiVersion: 'cilium.io/v2',
      kind: 'CiliumNetworkPolicy',
      spec: { endpointSelector: { matchLabels: { 'app.kubernetes.io/name': 'custos' } } },
    });
    const { egress } = (policy as { spec: { egress: unknown[] } }).spec;
    expect(egress).toEqual([
      expect.objectContaining({ toEndpoints: expect.anything() }),
      {
        toFQDNs: [{ matchName: 'api.one.example' }, { matchName: 'no' }],
        toPorts: [{ ports: [{ port: '443', protocol: 'TCP' }] }],
      },
      {
        toFQDNs: [{ matchName: 'three.example' }],
        toPorts: [{ ports: [{ port: '8443', protocol: 'TCP' }] }],
      },
    ]);
  });

  it('NetworkPolicy denies all but DNS, and says what it cannot do', async () => {
    const text = networkPolicy(list);
    expect(text).toContain('# permitted, but the base URL is yours to add: amazon-bedrock');
    expect(await parseYaml(text)).toMatchObject({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: {
        annotations: {
          'custos/permitted-hosts': 'api.one.example:443 no:443 three.example:8443',
        },
      },
      spec: {
        policyTypes: ['Egress'],
        egress: [
          {
            ports: [
              { port: 53, protocol: 'UDP' },
              { port: 53, protocol: 'TCP' },
            ],
          },
        ],
      },
    });
  });
});
