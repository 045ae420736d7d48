import { isPlainText } from './encoding.js';
import { TransparencyError } from './errors.js';
import { parseVerifierKey, sameKey } from './key.js';
import type { KeyIdentity, KeyPurpose, NoteVerifier } from './key.js';

/** C2SP asks for at least 32 logs, witnesses and groups; a policy is written by hand. */
const MAX_LINES = 1_000;

export interface PolicyLog {
  readonly verifier: NoteVerifier;
  readonly url?: string;
}

export interface PolicyWitness extends PolicyLog {
  /** The name within this policy only; the key's name may differ. */
  readonly name: string;
}

interface PolicyGroup {
  readonly name: string;
  readonly threshold: number;
  readonly members: readonly string[];
}

/** Which logs are ours, and which witnesses must have cosigned before we believe a checkpoint (C2SP tlog-policy). */
export interface TlogPolicy {
  readonly logs: readonly PolicyLog[];
  readonly witnesses: readonly PolicyWitness[];
  readonly groups: readonly PolicyGroup[];
  /** A witness, a group, or `none`. */
  readonly quorum: string;
}

/** Reads a policy file. Throws invalid_policy with the number of the line, invalid_key for a bad vkey. */
export function parsePolicy(text: string): TlogPolicy {
  if (!isPlainText(text, '\t\n') || text.includes('\u007f'))
    throw new TransparencyError(
      'invalid_policy',
      'the only control characters are tab and newline',
    );
  const lines = text.split('\n');
  if (lines.length > MAX_LINES)
    throw new TransparencyError('invalid_policy', 'the policy has too many lines');
  const draft = new PolicyDraft();
  lines.forEach((line, at) =>
    draft.read(
      line.split(/[ \t]+/).filter((item) => item !== ''),
      at + 1,
    ),
  );
  return draft.finish();
}

/** Whether these keys, all of which signed the same checkpoint, make up the quorum. Takes the `verified` of an open note. */
export function isSatisfied(policy: TlogPolicy, cosigners: readonly KeyIdentity[]): boolean {
  if (policy.quorum === 'none') return true;
  const witnessed = new Set(
    policy.witnesses
      .filter(({ verifier }) => cosigners.some((cosigner) => sameKey(cosigner, verifier)))
      .map(({ name }) => name),
  );
  // A group names only what stands before it, so that one pass in order settles them all.
  for (const { name, threshold, members } of policy.groups)
    if (members.filter((member) => witnessed.has(member)).length >= threshold) witnessed.add(name);
  return witnessed.has(policy.quorum);
}

class PolicyDraft {
  readonly #logs: PolicyLog[] = [];
  readonly #witnesses: PolicyWitness[] = [];
  readonly #groups: PolicyGroup[] = [];
  readonly #names = new Set(['none']);
  readonly #members = new Set<string>();
  #quorum: string | undefined;

  read(items: readonly string[], line: number): void {
    const [keyword, ...rest] = items;
    if (keyword === undefined || keyword.startsWith('#')) return;
    if (keyword === 'log')
      this.#logs.push(withUrl(this.#key(rest[0], 'note', line), rest.slice(1), line));
    else if (keyword === 'witness') this.#witness(rest, line);
    else if (keyword === 'group') this.#group(rest, line);
    else if (keyword === 'quorum') this.#setQuorum(rest, line);
    else throw invalid(line, 'a line begins with log, witness, group or quorum');
  }

  finish(): TlogPolicy {
    if (this.#quorum === undefined)
      throw new TransparencyError('invalid_policy', 'there is no quorum line');
    return {
      logs: this.#logs,
      witnesses: this.#witnesses,
      groups: this.#groups,
      quorum: this.#quorum,
    };
  }

  #witness([name, vkey, ...rest]: readonly string[], line: number): void {
    const defined = this.#define(name, line);
    const verifier = this.#key(vkey, 'cosignature', line);
    this.#witnesses.push({ name: defined, ...withUrl(verifier, rest, line) });
  }

  #group([name, count, ...members]: readonly string[], line: number): void {
    for (const member of members) {
      if (member === 'none' || !this.#names.has(member))
        throw invalid(line, 'a member must be defined before');
      if (this.#members.has(member))
        throw invalid(line, 'a name may be a member of one group only');
      this.#members.add(member);
    }
    const threshold = count === 'all' ? members.length : count === 'any' ? 1 : decimal(count);
    if (!(threshold >= 1 && threshold <= members.length))
      throw invalid(line, 'a group needs all, any or a number between 1 and its members');
    this.#groups.push({ name: this.#define(name, line), threshold, members });
  }

  #setQuorum([name, ...rest]: readonly string[], line: number): void {
    if (this.#quorum !== undefined) throw invalid(line, 'there is a quorum already');
    if (name === undefined || rest.length > 0 || !this.#names.has(name))
      throw invalid(line, 'a quorum is one name defined before, or none');
    this.#quorum = name;
  }

  #define(name: string | undefined, line: number): string {
    if (name === undefined || this.#names.has(name))
      throw invalid(line, 'the name is missing or taken');
    this.#names.add(name);
    return name;
  }

  /** The same public key under two names would let one party count twice: a log's, as its own witness, as well. */
  #key(vkey: string | undefined, purpose: KeyPurpose, line: number): NoteVerifier {
    if (vkey === undefined) throw invalid(line, 'the key is missing');
    const verifier = parseVerifierKey(vkey);
    if (verifier.purpose !== purpose) throw invalid(line, 'the key is of the other kind');
    const others = [...this.#logs, ...this.#witnesses];
    if (others.some((other) => other.verifier.publicKey.equals(verifier.publicKey)))
      throw invalid(line, 'the key stands here already');
    return verifier;
  }
}

function withUrl(
  verifier: NoteVerifier,
  [url, ...rest]: readonly string[],
  line: number,
): PolicyLog {
  if (rest.length > 0) throw invalid(line, 'nothing may follow the URL');
  return url === undefined ? { verifier } : { verifier, url };
}

const decimal = (text: string | undefined): number =>
  /^[1-9][0-9]{0,3}$/.test(text ?? '') ? Number(text) : NaN;

const invalid = (line: number, message: string): TransparencyError =>
  new TransparencyError('invalid_policy', `line ${line}: ${message}`);
