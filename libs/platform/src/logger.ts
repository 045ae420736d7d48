import { DomainError } from '#libs/kernel';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Only plain facts: an object or array could carry content, so none can be passed. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** A longer string is not a fact but content. */
const STRING_CHARS_MAX = 300;
const URL_PASSWORD = /(:\/\/)[^@/\s]+@/g;
const CUSTOS_SECRET = /sk-custos-[A-Za-z0-9_-]+/g;
const MARK: Record<LogLevel, string> = { debug: '·', info: '•', warn: '!', error: '✗' };

export interface LoggerOptions {
  readonly app: string;
  readonly level: LogLevel;
  /** One line for people, in place of JSON; default: when stdout is a terminal. */
  readonly pretty?: boolean;
  /** Receives whole lines without the newline. Default: warn and error to stderr, the rest to stdout. */
  readonly write?: (line: string, level: LogLevel) => void;
  readonly nowMs?: () => number;
}

/** Structured log of events with plain fields. `event` is a constant of the code, never built from input. */
export class Logger {
  readonly #threshold: number;
  readonly #write: (line: string, level: LogLevel) => void;

  constructor(
    private readonly options: LoggerOptions,
    private readonly bound: LogFields = {},
  ) {
    this.#threshold = LOG_LEVELS.indexOf(options.level);
    this.#write = options.write ?? writeToProcess;
  }

  debug(event: string, fields?: LogFields): void {
    if (this.#threshold <= 0) this.#emit('debug', event, fields);
  }

  info(event: string, fields?: LogFields): void {
    if (this.#threshold <= 1) this.#emit('info', event, fields);
  }

  warn(event: string, fields?: LogFields): void {
    if (this.#threshold <= 2) this.#emit('warn', event, fields);
  }

  error(event: string, fields?: LogFields): void {
    this.#emit('error', event, fields);
  }

  /** A logger whose lines carry these fields too. */
  child(fields: LogFields): Logger {
    return new Logger(this.options, { ...this.bound, ...fields });
  }

  #emit(level: LogLevel, event: string, fields: LogFields = {}): void {
    const at = new Date(this.options.nowMs?.() ?? Date.now()).toISOString();
    const facts: Record<string, string | number | boolean> = {};
    for (const [name, value] of Object.entries({ ...this.bound, ...fields }))
      if (value !== undefined) facts[name] = typeof value === 'string' ? safeText(value) : value;
    if (this.options.pretty ?? process.stdout.isTTY) {
      const tail = Object.entries(facts).map(
        ([name, value]) => ` ${name}=${JSON.stringify(value)}`,
      );
      this.#write(`${at.slice(11, 23)} ${MARK[level]} ${event}${tail.join('')}`, level);
    } else
      this.#write(JSON.stringify({ ...facts, at, level, app: this.options.app, event }), level);
  }
}

/**
 * An error as log fields. The engine's own messages quote values (JSON.parse what it parsed, `in` the string it searched),
 * which may be a prompt: left out. Messages of our own errors are safe by their contract.
 */
export function describeError(error: unknown): LogFields {
  if (error instanceof DomainError)
    return {
      error: error.code,
      reason: error.message,
      ...(error.cause === undefined ? {} : { cause: nameOf(error.cause) }),
    };
  if (!(error instanceof Error)) return { error: typeof error };
  return {
    error: nameOf(error),
    ...(error instanceof SyntaxError || error instanceof TypeError
      ? {}
      : { reason: error.message }),
    // Where, without the message that a stack repeats in its head.
    ...(error.stack === undefined ? {} : { stack: framesOf(error.stack) }),
  };
}

function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const { code } = error as Error & { code?: unknown };
  return typeof code === 'string' ? `${error.name} ${code}` : error.name;
}

const framesOf = (stack: string): string =>
  stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 4)
    .map((line) => line.trim())
    .join(' < ');

function safeText(text: string): string {
  const clean = text.replace(URL_PASSWORD, '$1…@').replace(CUSTOS_SECRET, 'sk-custos-…');
  return clean.length <= STRING_CHARS_MAX ? clean : `${clean.slice(0, STRING_CHARS_MAX)}…`;
}

function writeToProcess(line: string, level: LogLevel): void {
  (level === 'warn' || level === 'error' ? process.stderr : process.stdout).write(`${line}\n`);
}
