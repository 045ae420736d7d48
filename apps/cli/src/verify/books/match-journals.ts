import type { Journal } from '#libs/ledger';
import type { Findings } from '../report.js';
import { differences, sumOf, type JournalRecord } from './journal-record.js';

/** Journals that wait for their other half. In an honest export they are few: closes that were read before their opening. */
const WAITING_MAX = 1_000_000;
const MISSING =
  'the leaf causes this journal, and it is missing (or its record stood in a topic where it has no effect, which the bytes do not tell)';

/** Journals that cannot be judged, and so are not blamed: why, or undefined where they can. */
export type Excuse = (journal: JournalRecord) => string | undefined;

/**
 * Holds the journals that follow from the leaves against those that were handed over, whichever comes first. A journal
 * that no leaf causes, one that is missing and one that differs are faults.
 */
export class JournalMatch {
  readonly #expected = new Map<bigint, Journal>();
  readonly #found = new Map<bigint, JournalRecord>();
  #last = -1n;
  #matched = 0;

  constructor(
    private readonly findings: Findings,
    private readonly file: string,
    /** Months may have been closed by leaves that are not here. */
    private readonly monthsUnknown: () => boolean = () => false,
    /** Told of each journal that was handed over as it follows from its leaf. */
    private readonly onMatched: (journal: Journal) => void = () => undefined,
    private readonly waitingMax = WAITING_MAX,
  ) {}

  get matched(): number {
    return this.#matched;
  }

  /** False where it is not waited for. */
  expect(journal: Journal): boolean {
    const found = this.#found.get(journal.id);
    if (found === undefined) {
      // Those handed over are read along with the leaves: one that claims a far leaf must not hold up all that follow.
      if (this.#expected.size >= this.waitingMax) {
        this.#fault('removed', journal, MISSING);
        return false;
      }
      this.#expected.set(journal.id, journal);
    } else {
      this.#found.delete(journal.id);
      this.#compare(journal, found);
    }
    return true;
  }

  find(journal: JournalRecord): void {
    const { id } = journal;
    if (id <= this.#last) {
      const twice = id === this.#last || this.#found.has(id);
      if (twice) return this.#fault('altered', journal, 'its id is there twice');
      this.#fault('reordered', journal, 'ids do not ascend');
    } else this.#last = id;
    const sum = sumOf(journal);
    if (sum !== 0n) this.#fault('altered', journal, `its postings add up to ${sum}, not to zero`);
    const expected = this.#expected.get(id);
    if (expected !== undefined) {
      this.#expected.delete(id);
      this.#compare(expected, journal);
    } else if (this.#found.size < this.waitingMax) this.#found.set(id, journal);
    else this.#fault('altered', journal, 'no leaf causes it');
  }

  finish(excuse: Excuse): void {
    this.#forgetUnwritten();
    for (const journal of this.#expected.values()) this.#fault('removed', journal, MISSING);
    for (const journal of this.#found.values()) {
      const why = excuse(journal);
      if (why === undefined) this.#fault('altered', journal, 'no leaf causes this journal');
      else this.findings.notCovered(why);
    }
  }

  /**
   * A price book that came late is applied to the close in force then: a journal that would have been taken back by that
   * time was never written, nor was its reversal. Together they are nothing.
   */
  #forgetUnwritten(): void {
    for (const journal of this.#expected.values()) {
      if (journal.reverses === undefined || !this.#expected.has(journal.reverses)) continue;
      this.#expected.delete(journal.reverses);
      this.#expected.delete(journal.id);
      this.findings.notCovered(
        'journals that are missing together with the one that takes each back: they add up to nothing',
      );
    }
  }

  #compare(expected: Journal, found: JournalRecord): void {
    const names = differences(expected, found);
    if (names.length === 0) {
      this.#matched += 1;
      this.onMatched(expected);
    } else if (names.length === 1 && names[0] === 'period' && this.monthsUnknown()) {
      this.#matched += 1;
      this.findings.notCovered('months of journals that leaves before these may have closed');
    } else this.#fault('altered', found, `${names.join(', ')}: not what follows from its leaf`);
  }

  #fault(
    reason: 'altered' | 'removed' | 'reordered',
    journal: Pick<JournalRecord, 'id' | 'leafIndex' | 'generationId'> | Journal,
    message: string,
  ): void {
    this.findings.fault(
      reason,
      {
        file: this.file,
        journalId: journal.id.toString(),
        leafIndex: journal.leafIndex.toString(),
        ...(journal.generationId !== undefined && { generationId: journal.generationId }),
      },
      message,
    );
  }
}
