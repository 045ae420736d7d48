import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { parseConfig, variable } from './config.js';
import { ConfigError } from './errors.js';
import { describeError, Logger } from './logger.js';
import { isServerAway } from './server-away.js';

/** One step of the way down gets this long unless it asks for another time. */
const STEP_DEADLINE_MS = 10_000;

interface ShutdownStep {
  readonly order: number;
  readonly name: string;
  readonly deadlineMs: number;
  readonly run: () => Promise<void> | void;
}

/** What a process must undo before it ends, lowest order first; equal orders in reverse of their registration. */
export class Lifecycle {
  readonly #steps: ShutdownStep[] = [];
  readonly #stopping = new AbortController();
  #finished: Promise<boolean> | undefined;

  constructor(public logger: Logger) {}

  /** Aborts when the way down begins. */
  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Orders by convention: 10 stop taking requests, 50 finish work, 90 close connections. */
  onShutdown(
    order: number,
    name: string,
    run: () => Promise<void> | void,
    deadlineMs: number = STEP_DEADLINE_MS,
  ): void {
    this.#steps.push({ order, name, deadlineMs, run });
  }

  /** Runs every step once, a failing or late one does not keep the next from running. True when all went well. */
  shutdown(reason: string): Promise<boolean> {
    this.#finished ??= this.#runSteps(reason);
    return this.#finished;
  }

  async #runSteps(reason: string): Promise<boolean> {
    this.logger.info('shutdown.begun', { reason });
    this.#stopping.abort(new Error(`shutting down: ${reason}`));
    let clean = true;
    const steps = this.#steps.toReversed().sort((a, b) => a.order - b.order);
    for (const step of steps) {
      const failure = await withinDeadline(step);
      if (failure === undefined) continue;
      clean = false;
      this.logger.error('shutdown.step_failed', { step: step.name, ...describeError(failure) });
    }
    this.logger.info('shutdown.done', { clean });
    return clean;
  }
}

async function withinDeadline(step: ShutdownStep): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`not done after ${step.deadlineMs} ms`)),
      step.deadlineMs,
    );
  });
  try {
    await Promise.race([Promise.resolve().then(step.run), late]);
    return undefined;
  } catch (error) {
    return error ?? new Error('failed');
  } finally {
    clearTimeout(timer);
  }
}

/** The part of `process` that a main uses; a test passes its own. */
export interface ProcessControl {
  readonly env: Readonly<Record<string, string | undefined>>;
  on(event: string, listener: (...args: never[]) => void): unknown;
  exit(code: number): void;
}

const runMainVariables = z.object({
  /** How long a start waits for a server that is away, 0 not at all. A PostgreSQL recovers from a crash within this. */
  CUSTOS_START_WAIT: variable.spanMs().default(60_000),
});
const START_AGAIN_FIRST_MS = 250;
const START_AGAIN_MAX_MS = 2_000;

/**
 * A whole `main`: starts, then waits for SIGINT, SIGTERM or, with CUSTOS_PARENT_IPC=1, the parent's end. A start that finds
 * a server away is undone and made again, for CUSTOS_START_WAIT from the first on.
 * Exit codes: 0 clean, 1 failed to start or to stop, 2 bad configuration. A second signal exits at once.
 */
export async function runMain(
  start: (lifecycle: Lifecycle) => Promise<void>,
  control: ProcessControl = process,
): Promise<void> {
  let lifecycle = new Lifecycle(new Logger({ app: 'custos', level: 'info' }));
  const asked = new AbortController();
  const stop = (reason: string): void => {
    if (asked.signal.aborted) return control.exit(130);
    asked.abort();
    void lifecycle.shutdown(reason).then((clean) => control.exit(clean ? 0 : 1));
  };
  control.on('SIGINT', () => stop('SIGINT'));
  control.on('SIGTERM', () => stop('SIGTERM'));
  // The parent ends after it passed a signal on; that is no second wish.
  if (control.env['CUSTOS_PARENT_IPC'] === '1')
    control.on('disconnect', () => {
      if (!asked.signal.aborted) stop('parent');
    });
  // A programmer's error: nothing in memory can be trusted any more. Logged without its message where that may quote.
  const die = (error: unknown): void => {
    lifecycle.logger.error('process.failed', describeError(error));
    control.exit(1);
  };
  control.on('uncaughtException', die);
  control.on('unhandledRejection', die);
  try {
    const { CUSTOS_START_WAIT: waitMs } = parseConfig(runMainVariables, control.env);
    const endsAtMs = performance.now() + waitMs;
    for (
      let pauseMs = START_AGAIN_FIRST_MS;
      ;
      pauseMs = Math.min(START_AGAIN_MAX_MS, pauseMs * 2)
    ) {
      const failure = await failureOf(() => start(lifecycle));
      if (failure === undefined) return;
      const leftMs = endsAtMs - performance.now();
      if (leftMs <= 0 || !isServerAway(failure.error)) throw failure.error;
      const facts = { ...describeError(failure.error), leftMs: Math.round(leftMs) };
      lifecycle.logger.warn('start.waits', facts);
      await lifecycle.shutdown('to start again');
      await sleep(Math.min(pauseMs, leftMs), undefined, { signal: asked.signal });
      lifecycle = new Lifecycle(lifecycle.logger);
    }
  } catch (error) {
    // Who asked for the end waits for the way down that began then.
    if (!asked.signal.aborted) await failToStart(lifecycle, error, control);
  }
}

async function failureOf(
  work: () => Promise<void>,
): Promise<{ readonly error: unknown } | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return { error };
  }
}

async function failToStart(
  lifecycle: Lifecycle,
  error: unknown,
  control: ProcessControl,
): Promise<void> {
  const { logger } = lifecycle;
  if (error instanceof ConfigError)
    for (const { variable: name, problem } of error.faults)
      logger.error('config.invalid', { variable: name, problem });
  else logger.error('start.failed', describeError(error));
  await lifecycle.shutdown('start failed');
  control.exit(error instanceof ConfigError ? 2 : 1);
}
