// Runs the second verifier on folders of its own. Without Python it is skipped aloud; in CI that is a failure.
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { describe } from '@jest/globals';
import { writeFiles } from './log-directory.js';
import type { Files, Receipt } from './log-directory.js';

const home = fileURLToPath(new URL('.', import.meta.url));

function hasPython(): boolean {
  try {
    execFileSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))']);
    return true;
  } catch {
    return false;
  }
}

const python = hasPython();
if (!python && process.env.CI === 'true')
  throw new Error('CI must have python3 >= 3.9: the second verifier did not run');
if (!python) console.warn('SKIPPED: no python3 >= 3.9, the second verifier did not run');

export const describeWithPython = python ? describe : describe.skip;

/** Runs a program beside the verifier's modules and gives what it prints. */
export const runPython = (program: string): string =>
  execFileSync('python3', ['-B', '-c', program], { cwd: home, encoding: 'utf8' });

export interface Question {
  readonly files: Files;
  readonly key: string;
  readonly policy?: string;
  readonly receipt?: Receipt | string;
}

export class PythonVerifier {
  readonly #folder = mkdtempSync(join(tmpdir(), 'verify-log-'));
  #runs = 0;

  /** What it prints: "accepted: ..." or "rejected: <word>: ...". Throws when it fails in any other way. */
  async ask({ files, key, policy, receipt }: Question): Promise<string> {
    const directory = join(this.#folder, String(this.#runs++));
    writeFiles(directory, files);
    const args = ['-B', join(home, 'verify_log.py'), directory, key];
    const put = (option: string, content: string) => {
      writeFileSync(`${directory}${option}`, content);
      args.push(option, `${directory}${option}`);
    };
    if (policy !== undefined) put('--policy', policy);
    if (receipt !== undefined)
      put('--receipt', typeof receipt === 'string' ? receipt : JSON.stringify(receipt));
    return promisify(execFile)('python3', args, { encoding: 'utf8' }).then(
      ({ stdout }) => stdout,
      (error: { code: number; stdout: string; stderr: string }) => {
        if (error.code < 10 || !error.stdout.startsWith('rejected: '))
          throw new Error(error.stderr);
        return error.stdout;
      },
    );
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Answers one question after the other: what main() prints, on one line. A stack trace is an answer, too. */
const LOOP = `
import contextlib, io, json, sys, traceback
import verify_log
for line in sys.stdin:
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            verify_log.main(json.loads(line))
    except BaseException:
        said.write(traceback.format_exc())
    print(json.dumps(said.getvalue()), flush=True)
`;

/** One process for hundreds of questions: to start one takes longer than to answer. */
export class RunningVerifier {
  readonly #process = spawn('python3', ['-B', '-c', LOOP], {
    cwd: home,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  readonly #answers = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();

  /** What it prints. */
  async ask(args: readonly string[]): Promise<string> {
    this.#process.stdin.write(`${JSON.stringify(args)}\n`);
    const { value, done } = await this.#answers.next();
    if (done === true) throw new Error('the second verifier has ended');
    return JSON.parse(value) as string;
  }

  async close(): Promise<void> {
    const ended = once(this.#process, 'exit');
    this.#process.stdin.end();
    await ended;
  }
}
