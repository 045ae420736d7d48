// YAML to values by the parser of a tool that is declared here anyway: enough of it for the manifests of the specs.
import { parsers } from 'prettier/plugins/yaml';

interface Node {
  readonly type: string;
  readonly value?: string;
  readonly children?: readonly (Node | null)[];
}

/** Throws on text that is not YAML, or has more than one document. */
export async function parseYaml(text: string): Promise<unknown> {
  const parse = parsers.yaml.parse as (text: string, options: object) => Node | Promise<Node>;
  const root = await parse(text, {});
  const documents = kids(root);
  if (documents.length !== 1) throw new Error(`${documents.length} documents`);
  return valueOf(kids(documents[0]!).find((n) => n.type === 'documentBody')!);
}

const kids = (node: Node): readonly Node[] => (node.children ?? []).filter((n) => n !== null);

function valueOf(node: Node): unknown {
  switch (node.type) {
    case 'mapping':
    case 'flowMapping':
      return Object.fromEntries(
        kids(node).map((item) => {
          const [key, value] = item.children ?? [];
          return [String(valueOf(key!)), value ? valueOf(value) : null];
        }),
      );
    case 'sequence':
    case 'flowSequence':
      return kids(node).map(valueOf);
    case 'quoteDouble':
    case 'quoteSingle':
      return node.value;
    case 'plain':
      return PLAIN[node.value ?? ''] ?? numberOr(node.value ?? '');
    default: {
      // Keys, values, items and bodies hold one thing.
      const [only] = kids(node);
      return only ? valueOf(only) : null;
    }
  }
}

/** As YAML 1.1 readers have it, which Kubernetes' is. */
const PLAIN: Readonly<Record<string, unknown>> = {
  true: true,
  false: false,
  yes: true,
  no: false,
  on: true,
  off: false,
};

const numberOr = (text: string): unknown => (/^-?\d+$/.test(text) ? Number(text) : text);
