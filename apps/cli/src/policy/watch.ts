import { watch } from 'node:fs';

/** Editors write a file in several steps, and a formatter right after: one run for all of them. */
const SETTLE_MS = 150;

/**
 * Runs once, and again after each change below a folder, until Ctrl-C; resolves then with the last run's exit code.
 * A run that is under way when something changes is followed by another one.
 */
export function runAndWatch(
  folder: string,
  run: () => number,
  signals: Pick<NodeJS.Process, 'once' | 'off'> = process,
): Promise<number> {
  return new Promise((resolve, reject) => {
    let code = run();
    let timer: NodeJS.Timeout | undefined;
    const watcher = watch(folder, { recursive: true }, () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        process.stdout.write(`\n${new Date().toISOString()}\n`);
        code = run();
      }, SETTLE_MS);
    });
    const end = (): void => {
      clearTimeout(timer);
      watcher.close();
      signals.off('SIGINT', end);
      signals.off('SIGTERM', end);
      resolve(code);
    };
    watcher.once('error', (error) => {
      end();
      reject(error);
    });
    signals.once('SIGINT', end);
    signals.once('SIGTERM', end);
  });
}
