import { readFileSync } from 'node:fs';
import { ConfigError } from '#libs/platform';
import {
  openCheckpoint,
  parsePolicy,
  TransparencyError,
  type NoteSigner,
  type TlogPolicy,
} from '#libs/transparency';

const VARIABLE = 'CUSTOS_LOG_POLICY';

/** Who must have signed before a checkpoint is believed (C2SP tlog-policy): handed out with every receipt and export. */
export class LogPolicy {
  private constructor(
    readonly text: string,
    readonly parsed: TlogPolicy,
  ) {}

  /** The file's policy, which must name this log; without a file the log's own signature is enough. Throws ConfigError. */
  static open(path: string | undefined, signer: NoteSigner): LogPolicy {
    const text = path === undefined ? `log ${signer.verifierKey}\nquorum none\n` : read(path);
    try {
      const parsed = parsePolicy(text);
      if (parsed.logs.some(({ verifier }) => verifier.verifierKey === signer.verifierKey))
        return new LogPolicy(text, parsed);
      throw fault('does not name the key of this log on a log line');
    } catch (error) {
      throw error instanceof TransparencyError ? fault(error.message) : error;
    }
  }

  /** Whether whoever holds this policy would believe the note. */
  accepts(note: string): boolean {
    try {
      openCheckpoint(note, this.parsed);
      return true;
    } catch (error) {
      if (error instanceof TransparencyError) return false;
      throw error;
    }
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw fault('names a file that cannot be read');
  }
}

const fault = (problem: string): ConfigError => new ConfigError([{ variable: VARIABLE, problem }]);
