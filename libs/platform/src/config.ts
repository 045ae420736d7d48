import { z } from 'zod';
import { ConfigError } from './errors.js';

export type Environment = Readonly<Record<string, string | undefined>>;

const MS_PER_UNIT = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION = /^(\d{1,12})(ms|s|m|h|d)?$/;

/** Node fires a timer for more than 2^31-1 ms, some 24.8 days, at once. */
const TIMER_MS_MAX = 24 * MS_PER_UNIT.d;

const fault = (message: string): { error: () => string } => ({ error: () => message });

const spanMs = () =>
  z
    .string()
    .regex(DURATION, fault('expected a duration such as 250ms, 30s, 5m, 12h, 7d'))
    .transform((text) => {
      const [, digits, unit] = DURATION.exec(text)!;
      return Number(digits) * MS_PER_UNIT[(unit ?? 'ms') as keyof typeof MS_PER_UNIT];
    });

/** The pieces that configurations are made of. Messages say what is expected and never repeat the input. */
export const variable = {
  /** 0 means any free port. */
  port: () =>
    z
      .string()
      .regex(/^\d{1,5}$/, fault('expected a port, 0 to 65535'))
      .transform(Number)
      .refine((n) => n <= 65_535, fault('expected a port, 0 to 65535')),

  /** An absolute URL with one of these schemes (written without the colon). */
  url: (...schemes: readonly string[]) =>
    z.string().refine(
      (text) => {
        if (!URL.canParse(text)) return false;
        return schemes.includes(new URL(text).protocol.slice(0, -1));
      },
      fault(`expected a URL that starts with ${schemes.map((s) => `${s}://`).join(' or ')}`),
    ),

  /** `250ms`, `30s`, `5m`, `12h`, `7d`; a bare number is milliseconds. Gives milliseconds. At most what a timer waits for. */
  durationMs: () =>
    spanMs().refine((ms) => ms <= TIMER_MS_MAX, fault('expected a duration of at most 24d')),

  /** The same of any length: for what is only compared with passed time, or waited for in steps. */
  spanMs,

  integer: (min: number, max: number) =>
    z
      .string()
      .regex(/^\d{1,15}$/, fault(`expected a whole number, ${min} to ${max}`))
      .transform(Number)
      .refine((n) => n >= min && n <= max, fault(`expected a whole number, ${min} to ${max}`)),

  ratio: () =>
    z
      .string()
      .regex(/^(0(\.\d+)?|1(\.0+)?)$/, fault('expected a number from 0 to 1'))
      .transform(Number),

  flag: () =>
    z
      .enum(['1', '0', 'true', 'false'], fault('expected 1, 0, true or false'))
      .transform((v) => v === '1' || v === 'true'),

  /** Comma list without empty members. */
  list: () =>
    z
      .string()
      .transform((text) =>
        text
          .split(',')
          .map((part) => part.trim())
          .filter((part) => part !== ''),
      )
      .refine((parts) => parts.length > 0, fault('expected a comma list')),

  /** At least 16 characters: shorter ones are guessed. */
  secret: () => z.string().min(16, fault('expected a secret of at least 16 characters')),
};

/**
 * Parses an environment once, before anything starts. An empty variable counts as unset. Reports every fault at
 * once as ConfigError; the result is frozen, through and through.
 */
export function parseConfig<S extends z.ZodType>(schema: S, environment: Environment): z.output<S> {
  const present = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = schema.safeParse(present);
  if (parsed.success) return deepFreeze(parsed.data);
  throw new ConfigError(
    parsed.error.issues.map((issue) => ({
      variable: issue.path.map(String).join('.') || '(configuration)',
      problem:
        present[String(issue.path[0])] === undefined ? missing(issue.message) : issue.message,
    })),
  );
}

const missing = (message: string): string =>
  message.startsWith('Invalid input') ? 'is required and not set' : message;

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) deepFreeze(member);
  }
  return value;
}
