import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ConfigError } from '#libs/platform';
import { LEAST_MONTHS, REGIME_FLOORS, type RegimeFloor } from './regime-floors.js';

const VARIABLE = 'CUSTOS_RETENTION_POLICY';
/** A slip of the keyboard is told from a policy. */
const MONTHS_MAX = 1_200;

const day = z.iso.date();
const months = z.int().min(LEAST_MONTHS).max(MONTHS_MAX);
const person = z.strictObject({
  name: z.string().min(1).max(200),
  role: z.string().min(1).max(200),
  on: day,
});
const regime = z.strictObject({
  id: z.string().regex(/^[a-z0-9-]{1,64}$/),
  /** Of a regime that is not built in, or a longer one than the built-in. */
  floorMonths: months.optional(),
  source: z.string().min(1).max(500).optional(),
});

const schema = z.strictObject({
  format: z.literal('custos-retention-v1'),
  ledger: z.string().min(1).max(64),
  keepMonths: months,
  regimes: z.array(regime).min(1).max(50),
  approvedBy: z.array(person).min(2).max(10),
  effectiveFrom: day,
  note: z.string().max(2_000).optional(),
});

type PolicyText = z.output<typeof schema>;

export interface AppliedFloor extends RegimeFloor {
  readonly id: string;
}

/** A written policy of what is kept how long. Without one nothing is ever removed. */
export class RetentionPolicy {
  private constructor(
    private readonly text: PolicyText,
    /** `sha256:` and hex, of the file's bytes. */
    readonly digest: string,
    readonly floors: readonly AppliedFloor[],
  ) {}

  /** Throws ConfigError where the file is none, or would keep less than a regime that it names asks for. */
  static open(path: string | undefined, ledgerId: string): RetentionPolicy | undefined {
    if (path === undefined) return undefined;
    let bytes: Buffer;
    try {
      bytes = readFileSync(path);
    } catch {
      throw fault('names a file that cannot be read');
    }
    return RetentionPolicy.parse(bytes, ledgerId);
  }

  /** The same, of the file's bytes. */
  static parse(bytes: Uint8Array, ledgerId: string): RetentionPolicy {
    const text = read(bytes);
    if (text.ledger !== ledgerId) throw fault(`is the policy of another ledger than ${ledgerId}`);
    if (new Set(text.approvedBy.map((p) => p.name)).size < 2)
      throw fault('must be approved by two persons');
    const floors = text.regimes.map(floorOf);
    for (const { id, floorMonths, source } of floors)
      if (text.keepMonths < floorMonths)
        throw fault(
          `keeps entries for ${text.keepMonths} months, ${id} asks for ${floorMonths} (${source})`,
        );
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    return new RetentionPolicy(text, digest, floors);
  }

  get keepMonths(): number {
    return this.text.keepMonths;
  }

  get effectiveFrom(): string {
    return this.text.effectiveFrom;
  }

  get approvedBy(): PolicyText['approvedBy'] {
    return this.text.approvedBy;
  }

  /** What is older may go, RFC 3339: the beginning of a day. Undefined while the policy is not in effect. */
  before(nowMs: number): string | undefined {
    if (nowMs < Date.parse(`${this.text.effectiveFrom}T00:00:00.000Z`)) return undefined;
    const now = new Date(nowMs);
    const month = now.getUTCMonth() - this.text.keepMonths;
    // The last day of a shorter month: never later than the policy says.
    const lastDay = new Date(Date.UTC(now.getUTCFullYear(), month + 1, 0)).getUTCDate();
    const date = Math.min(now.getUTCDate(), lastDay);
    return new Date(Date.UTC(now.getUTCFullYear(), month, date)).toISOString();
  }
}

function read(bytes: Uint8Array): PolicyText {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    throw fault('is not JSON');
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw fault(`${issue?.path.join('.') || 'the file'}: ${issue?.message ?? 'is not a policy'}`);
}

function floorOf({ id, floorMonths, source }: PolicyText['regimes'][number]): AppliedFloor {
  const known = REGIME_FLOORS[id];
  if (known === undefined && (floorMonths === undefined || source === undefined))
    throw fault(`names the regime ${id}, of which no floor is known: state floorMonths and source`);
  if (known !== undefined && (floorMonths ?? known.floorMonths) < known.floorMonths)
    throw fault(`states less than the ${known.floorMonths} months that ${id} asks for`);
  return {
    id,
    floorMonths: floorMonths ?? known?.floorMonths ?? LEAST_MONTHS,
    source: source ?? known?.source ?? '',
  };
}

const fault = (problem: string): ConfigError => new ConfigError([{ variable: VARIABLE, problem }]);
