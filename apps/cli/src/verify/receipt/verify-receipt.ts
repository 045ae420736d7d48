import { join } from 'node:path';
import { decodeEvent, type GenerationClosed } from '#libs/audit-events';
import { isGenerationEvent } from '#libs/ledger';
import {
  leafHash,
  parseTlogProof,
  TransparencyError,
  verifyInclusion,
  type NoteVerifier,
} from '#libs/transparency';
import { BooksAgain } from '../books/books-again.js';
import { journalRecord, sumOf } from '../books/journal-record.js';
import { JournalMatch } from '../books/match-journals.js';
import { PriceBookShelf } from '../books/price-books.js';
import { readHead, type SignedHead } from '../log/signed-head.js';
import { judgeQuorum, readPolicy } from '../log/verify-witness.js';
import type { Mode } from '../mode.js';
import type { Findings } from '../report.js';
import { DirectorySource, isDirectory } from '../source/directory-source.js';
import { FILE_BYTES_MAX } from '../source/export-source.js';
import { fileBytes } from '../verify-options.js';
import { parseReceipt, type Receipt, type ReceiptEvent } from './receipt.js';
import { checkPlaces, type PlacedEvent } from './said-places.js';

/** Everything that was recorded of one generation: proved to be in the signed log, and its amounts to follow from it. */
export const RECEIPT: Mode = {
  inputs: { min: 1, max: 1 },
  needsKey: true,
  run: async (options, findings) => {
    const [file = ''] = options.inputs;
    const receipt = parseReceipt(fileBytes(file, FILE_BYTES_MAX.receipt));
    if (typeof receipt === 'string') return findings.fault('altered', { file }, receipt);
    const check = new ReceiptCheck(receipt, file, findings);
    if (options.policy !== undefined)
      judgeQuorum(receipt.checkpoint, readPolicy(options.policy), { file }, findings);
    else findings.notCovered('witnesses: a policy of who must have signed is needed (--policy)');
    const proved = check.proveEvents(options.key);
    checkPlaces(proved, (leaf) => check.placeOf(leaf), findings);
    check.checkStory(proved);
    check.checkPriceBooks(proved);
    findings.claim('ledger', receipt.ledgerId);
    findings.claim('topic, partition and offset of each record', 'where the log had it');
    findings.notCovered('when journals were written down (recordedAt): the ledger’s own word');
    await check.checkAmounts(proved, options.books);
  },
};

class ReceiptCheck {
  readonly #heads = new Map<string, SignedHead | undefined>();

  constructor(
    private readonly receipt: Receipt,
    private readonly file: string,
    private readonly findings: Findings,
  ) {}

  /** Events that stand in the signed log and are about this generation, in order of their leaves. */
  proveEvents(key: NoteVerifier | undefined): readonly PlacedEvent[] {
    const { receipt, findings } = this;
    const head = this.#head(receipt.checkpoint, key);
    if (head && head.origin !== receipt.origin)
      findings.fault('altered', { file: this.file }, `it names the origin ${receipt.origin}`);
    if (!head) return [];
    const proved: PlacedEvent[] = [];
    for (const event of receipt.events) {
      const place = this.placeOf(event.leafIndex);
      const fault = this.#proofFault(event, key);
      if (fault !== undefined) {
        if (fault !== '') findings.fault('altered', place, fault);
        continue;
      }
      const read = decodeEvent(event.bytes);
      if (!read.ok || !isGenerationEvent(read.event))
        findings.fault('altered', place, 'the record is none of a generation');
      else if (read.event.data.generationId !== receipt.generationId)
        findings.fault('altered', place, `it is about ${read.event.data.generationId}`);
      else proved.push({ ...event, event: read.event });
    }
    Object.assign(findings.checked, {
      generation: receipt.generationId,
      origin: head.origin,
      size: head.size,
      events: proved.length,
    });
    return proved.sort((a, b) => a.leafIndex - b.leafIndex);
  }

  /** From the opening (or the refusal) to the close, with every attempt in between. */
  checkStory(proved: readonly PlacedEvent[]): void {
    const { file, findings, receipt } = this;
    const missing = (what: string): void =>
      findings.fault('incomplete', { file, generationId: receipt.generationId }, what);
    const types = new Set(proved.map(({ event }) => event.type));
    const refused = types.has('custos.generation.refused.v1');
    if (!refused && !types.has('custos.generation.opened.v1')) missing('the opening is missing');
    const closes = proved.flatMap(({ event }) =>
      event.type === 'custos.generation.closed.v1' ? [event.data] : [],
    );
    if (!refused && closes.length === 0)
      findings.notCovered('how the generation ended: no record of its close is here');
    const dispatched = new Set(
      proved.flatMap(({ event }) =>
        event.type === 'custos.attempt.dispatched.v1' ? [event.data.attempt.number] : [],
      ),
    );
    for (const number of closes.flatMap(furtherAttempts))
      if (!dispatched.has(number))
        missing(`the record that authorised attempt ${number} is missing`);
    const corrections = proved.flatMap(({ event }) =>
      event.type === 'custos.ledger.correction.v1' ? [event.data.number] : [],
    );
    // Numbered from one: the last may be missing, and nobody could tell.
    const highest = corrections.reduce((most, number) => Math.max(most, number), 0);
    if (new Set(corrections).size < highest)
      missing(`corrections are numbered up to ${highest}, and one of them is missing`);
    findings.notCovered(
      'progress, a later close or a later correction that the receipt leaves out: that takes the export',
    );
  }

  /** Those that the opening pins, and no others. */
  checkPriceBooks(proved: readonly PlacedEvent[]): void {
    const { file, findings, receipt } = this;
    const pinned = new Set(
      proved.flatMap(({ event }) =>
        event.type === 'custos.generation.opened.v1' ? [event.data.versions.priceBook] : [],
      ),
    );
    for (const version of receipt.priceBooks)
      if (!pinned.has(version))
        findings.fault('altered', { file }, `no record cites the price book ${version}`);
    const listed = new Set(receipt.priceBooks);
    for (const version of pinned)
      if (!listed.has(version) && receipt.journals.length > 0)
        findings.fault('removed', { file }, `the price book ${version} is not listed`);
  }

  async checkAmounts(proved: readonly PlacedEvent[], books: string | undefined): Promise<void> {
    const { file, findings, receipt } = this;
    const leaves = new Map(proved.map((event) => [event.leafIndex, event.bytes]));
    const match = new JournalMatch(findings, file);
    for (const value of receipt.journals) {
      const journal = journalRecord(value);
      if (!journal) findings.fault('altered', { file }, 'one of its journals is none');
      else if (!leaves.has(Number(journal.leafIndex)))
        findings.fault(
          'incomplete',
          { file, journalId: journal.id.toString(), leafIndex: journal.leafIndex.toString() },
          'the record that causes this journal is missing',
        );
      else if (books !== undefined) match.find(journal);
      else if (sumOf(journal) !== 0n)
        findings.fault(
          'altered',
          { file, journalId: journal.id.toString() },
          'it does not add up to zero',
        );
    }
    if (books === undefined) {
      findings.notCovered('amounts: the price book is needed (--books)');
      findings.notCovered('journals, but that each adds up to zero and names one of the records');
      return;
    }
    const folder = (await isDirectory(join(books, 'price-books'))) ? 'price-books/' : '';
    const shelf = new PriceBookShelf(new DirectorySource(books), folder, findings);
    const again = new BooksAgain(shelf, async (leaf) => leaves.get(leaf));
    for (const { leafIndex, bytes } of proved)
      for (const journal of (await again.take(leafIndex, bytes)).journals) match.expect(journal);
    match.finish(({ generationId = '' }) =>
      again.awaitsPrices(generationId) ? 'amounts without a price book' : undefined,
    );
    findings.checked['journals'] = match.matched;
  }

  /** Undefined where the proof holds; an empty text where that has been reported. */
  #proofFault(event: ReceiptEvent, key: NoteVerifier | undefined): string | undefined {
    let proof;
    try {
      proof = parseTlogProof(event.proof);
    } catch (error) {
      if (error instanceof TransparencyError) return error.message;
      throw error;
    }
    // One checkpoint for all: of a second one nobody could say that both were shown to the same witnesses.
    if (proof.checkpoint !== this.receipt.checkpoint)
      return 'the proof is for another checkpoint than the receipt’s';
    if (proof.index !== BigInt(event.leafIndex)) return `the proof is for leaf ${proof.index}`;
    const head = this.#head(proof.checkpoint, key);
    if (!head) return '';
    const { size, rootHash: root } = head;
    const claim = {
      leafHash: leafHash(event.bytes),
      index: proof.index,
      size: BigInt(size),
      root,
      proof: proof.proof,
    };
    return verifyInclusion(claim) ? undefined : 'the record does not lead to the signed root';
  }

  #head(note: string, key: NoteVerifier | undefined): SignedHead | undefined {
    if (this.#heads.has(note)) return this.#heads.get(note);
    const read = readHead(note, key);
    if (!read.ok) this.findings.fault('unsigned', { file: this.file }, read.message);
    const head = read.ok ? read.head : undefined;
    this.#heads.set(note, head);
    return head;
  }

  placeOf(leafIndex: number) {
    return { file: this.file, leafIndex: leafIndex.toString() };
  }
}

/** Attempts after the first that may have left: each had its own record before. */
const furtherAttempts = ({ attempts }: GenerationClosed): readonly number[] =>
  attempts.filter((a) => a.number > 1 && a.outcome !== 'not_dispatched').map((a) => a.number);
