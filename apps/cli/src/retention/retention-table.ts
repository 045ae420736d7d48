import { table } from '../policy/table.js';

interface Part {
  readonly firstLeaf: string;
  readonly endLeaf: string;
  readonly from: string;
  readonly to: string;
  readonly hold?: string;
}

interface Stayed {
  readonly firstLeaf: string;
  readonly endLeaf: string;
  readonly why: string;
}

/** `GET /audit/v1/retention`, as far as it is shown. */
export interface RetentionState {
  readonly policy: {
    readonly digest: string;
    readonly keepMonths: number;
    readonly effectiveFrom: string;
    readonly floors: readonly {
      readonly id: string;
      readonly floorMonths: number;
      readonly source: string;
    }[];
    readonly approvedBy: readonly {
      readonly name: string;
      readonly role: string;
      readonly on: string;
    }[];
  } | null;
  readonly plan: {
    readonly digest: string;
    readonly before: string;
    readonly removable: readonly Part[];
    readonly held: readonly Part[];
  } | null;
  readonly minimumIndex: string;
  readonly removed: readonly unknown[];
  readonly log: {
    readonly begins: readonly unknown[];
    readonly unswept: string;
  } | null;
  readonly holds: readonly {
    readonly holdId: string;
    readonly matter: string;
    readonly scope: Readonly<Record<string, string>>;
  }[];
}

/** The answer to a plan that was applied. */
export interface RetentionOutcome {
  readonly removed: number;
  readonly documents: number;
  readonly stayed: readonly Stayed[];
  readonly log: { readonly forgotten: number; readonly stayed: readonly Stayed[] };
}

/** For people: what is kept how long and why, what would go now, what keeps the rest. */
export function stateTable(state: RetentionState): string {
  return [policyLines(state), planLines(state), goneLines(state), holdLines(state)]
    .filter((part) => part !== '')
    .join('\n');
}

function policyLines({ policy }: RetentionState): string {
  if (policy === null) return 'no retention policy: nothing is ever removed\n';
  return [
    `keeps ${policy.keepMonths} months, in effect from ${policy.effectiveFrom}`,
    `policy ${policy.digest}`,
    `approved by ${policy.approvedBy.map((p) => plain(`${p.name} (${p.role}, ${p.on})`)).join(', ')}`,
    '',
    table(
      ['regime', 'months', 'source'],
      policy.floors.map((f) => [f.id, f.floorMonths, plain(f.source)]),
    ),
  ].join('\n');
}

function planLines({ plan }: RetentionState): string {
  if (plan === null) return '';
  const parts = [
    ...plan.removable.map((p) => row(p, 'goes')),
    ...plan.held.map((p) => row(p, `held by ${p.hold ?? ''}`)),
  ];
  if (parts.length === 0) return `nothing is older than ${plan.before}\n`;
  return [
    `plan ${plan.digest}: what is older than ${plan.before}`,
    table(['leaves', 'records', 'from', 'to', ''], parts),
  ].join('\n');
}

const row = (p: Part, what: string): readonly (string | number)[] => [
  `${p.firstLeaf}–${BigInt(p.endLeaf) - 1n}`,
  Number(BigInt(p.endLeaf) - BigInt(p.firstLeaf)),
  p.from.slice(0, 10),
  p.to.slice(0, 10),
  what,
];

function goneLines({ removed, minimumIndex, log }: RetentionState): string {
  if (removed.length === 0) return '';
  const inLog =
    log === null
      ? 'the log is not in the ledger’s database: what it keeps is its own'
      : `the log begins later in ${log.begins.length} partitions; bytes of ${log.unswept} records are still to be deleted`;
  return `${removed.length} ranges are gone; every entry from leaf ${minimumIndex} on is there\n${inLog}\n`;
}

function holdLines({ holds }: RetentionState): string {
  if (holds.length === 0) return '';
  return table(
    ['hold', 'matter', 'covers'],
    holds.map((h) => [
      h.holdId,
      plain(h.matter),
      Object.entries(h.scope)
        .map(([name, value]) => `${name} ${value}`)
        .join(', ') || 'everything',
    ]),
  );
}

/** What went, and what stayed for which reason. */
export function outcomeTable({ removed, documents, stayed, log }: RetentionOutcome): string {
  const rows = [
    ...stayed.map((s) => [`${s.firstLeaf}–${BigInt(s.endLeaf) - 1n}`, 'archive', words(s.why)]),
    ...log.stayed.map((s) => [`${s.firstLeaf}–${BigInt(s.endLeaf) - 1n}`, 'log', words(s.why)]),
  ];
  return [
    `removed ${removed} ranges and the documents of ${documents} generations; the log lets go of ${log.forgotten} ranges`,
    rows.length > 0 ? table(['stayed', 'in', 'why'], rows) : '',
  ].join('\n');
}

/** What people have written must not steer a terminal. */
const plain = (text: string): string => text.replaceAll(/\p{Cc}/gu, ' ');

const words = (why: string): string => why.replaceAll('_', ' ');
