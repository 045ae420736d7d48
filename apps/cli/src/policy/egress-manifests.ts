import type { EgressList } from '#libs/policy';

/** What the manifests select: pods that carry this label. */
export const GATEWAY_LABEL = { 'app.kubernetes.io/name': 'custos' } as const;
const DNS_PORT = 53;

/** A host name may stand unquoted in YAML only by luck; JSON's strings are YAML's. */
const quoted = (text: string): string => JSON.stringify(text);

const header = (list: EgressList, says: readonly string[]): string =>
  [
    ...says,
    `policy ${list.policyVersion}`,
    `catalog ${list.catalogVersion}`,
    ...(list.withoutHost.length > 0
      ? [`permitted, but the base URL is yours to add: ${list.withoutHost.join(', ')}`]
      : []),
  ]
    .map((line) => `# ${line}\n`)
    .join('');

const LABEL = Object.entries(GATEWAY_LABEL)
  .map(([name, value]) => `${name}: ${value}`)
  .join(', ');

/** Cilium's policy by name: what the rules permit is what the network lets out, and nothing else. */
export function ciliumPolicy(list: EgressList): string {
  const ports = [...new Set(list.hosts.map((h) => h.port))].toSorted((a, b) => a - b);
  const rules = ports.map((port) => {
    const names = list.hosts.filter((h) => h.port === port).map((h) => h.host);
    return [
      '    - toFQDNs:',
      ...names.map((host) => `        - matchName: ${quoted(host)}`),
      '      toPorts:',
      '        - ports:',
      `            - { port: "${port}", protocol: TCP }`,
      '',
    ].join('\n');
  });
  return `${header(list, ['Hosts that the policies let the gateway reach. Database, brokers and metrics need rules of their own.'])}apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata:
  name: custos-egress
spec:
  endpointSelector:
    matchLabels: { ${LABEL} }
  egress:
    - toEndpoints:
        - matchLabels:
            k8s:io.kubernetes.pod.namespace: kube-system
            k8s-app: kube-dns
      toPorts:
        - ports:
            - { port: "${DNS_PORT}", protocol: ANY }
          rules:
            dns:
              - matchPattern: "*"
${rules.join('')}`;
}

/**
 * Kubernetes' own NetworkPolicy knows addresses and no names, and providers' addresses change: so it can only shut the
 * door (nothing out but DNS inside the cluster) and say which names must be let out by something that knows names.
 */
export function networkPolicy(list: EgressList): string {
  const hosts = list.hosts.map((h) => `${h.host}:${h.port}`).join(' ');
  return `${header(list, [
    'A NetworkPolicy cannot name hosts. This one denies all egress but DNS; let the hosts of the annotation out by an',
    'egress proxy or by Cilium (--format cilium). Database, brokers and metrics need rules of their own.',
  ])}apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: custos-egress
  annotations:
    custos/permitted-hosts: ${quoted(hosts)}
spec:
  podSelector:
    matchLabels: { ${LABEL} }
  policyTypes: [Egress]
  egress:
    - to:
        - namespaceSelector:
            matchLabels: { kubernetes.io/metadata.name: kube-system }
          podSelector:
            matchLabels: { k8s-app: kube-dns }
      ports:
        - { port: ${DNS_PORT}, protocol: UDP }
        - { port: ${DNS_PORT}, protocol: TCP }
`;
}
