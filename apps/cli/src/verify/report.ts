/**
 * Why something falls short, from a closed set that scripts may rely on:
 *
 * - `altered`: bytes differ from the hash, amount or sum that is given for them;
 * - `removed`: a record, hash or journal that must be there is not;
 * - `reordered`: the right records in other places;
 * - `equivocated`: the log (or a writer) signed or said two things that cannot both be true;
 * - `unsigned`: a signature that must be there is missing or does not verify;
 * - `incomplete`: what is needed to judge was not handed over.
 */
export const REASONS = [
  'altered',
  'removed',
  'reordered',
  'equivocated',
  'unsigned',
  'incomplete',
] as const;
export type Reason = (typeof REASONS)[number];

/** Where to look. Indices and ids are decimal strings; `file` is a path inside the export or as given. */
export interface Place {
  readonly file?: string;
  readonly line?: number;
  readonly leafIndex?: string;
  readonly journalId?: string;
  readonly account?: string;
  readonly writer?: string;
  readonly wseq?: number;
  readonly generationId?: string;
  readonly size?: string;
}

export interface Fault {
  readonly reason: Reason;
  readonly place: Place;
  readonly message: string;
}

/** What a mode found. JSON as it stands; with `--json` it is printed on one line. */
export interface Report {
  readonly mode: string;
  readonly holds: boolean;
  /** Of the first fault, as is `place`. */
  readonly reason?: Reason;
  readonly place?: Place;
  readonly faultCount: number;
  /** The first ones. */
  readonly faults: readonly Fault[];
  /** What was looked at, in numbers and names. */
  readonly checked: Readonly<Record<string, string | number>>;
  /** What who handed it over says, and nothing that is signed bears out. */
  readonly claimed: Readonly<Record<string, string>>;
  /** Proved, and to be looked at: what the log says of itself. */
  readonly notes: readonly string[];
  /** What this run could not judge, and why. A report that holds says nothing about these. */
  readonly notCovered: readonly string[];
}

/** Faults that are listed; all are counted. One altered tile may take hundreds of others with it. */
const LISTED_MAX = 50;
const NOTES_MAX = 50;
const NOT_COVERED_MAX = 1_000;
/** Words come from whoever hands an export over, and may be megabytes. */
const WORDS_MAX = 2_000;

/** Gathers faults while a mode runs. */
export class Findings {
  readonly checked: Record<string, string | number> = {};
  readonly #claimed = new Map<string, string>();
  readonly #notes: string[] = [];
  readonly #faults: Fault[] = [];
  readonly #notCovered = new Set<string>();
  #count = 0;

  get faultCount(): number {
    return this.#count;
  }

  fault(reason: Reason, place: Place, message: string): void {
    this.#count += 1;
    if (this.#faults.length < LISTED_MAX)
      this.#faults.push({ reason, place: shortPlace(place), message: short(message) });
  }

  claim(what: string, value: string): void {
    this.#claimed.set(what, short(value));
  }

  note(what: string): void {
    if (this.#notes.length < NOTES_MAX) this.#notes.push(short(what));
  }

  notCovered(what: string): void {
    if (this.#notCovered.size < NOT_COVERED_MAX) this.#notCovered.add(short(what));
  }

  report(mode: string): Report {
    const first = this.#faults[0];
    return {
      mode,
      holds: this.#count === 0,
      ...(first !== undefined && { reason: first.reason, place: first.place }),
      faultCount: this.#count,
      faults: this.#faults,
      checked: this.checked,
      claimed: Object.fromEntries(this.#claimed),
      notes: this.#notes,
      notCovered: [...this.#notCovered],
    };
  }
}

/** For machines, on one line. JSON as it is, but for what would steer the terminal that it may be shown on. */
export const reportLine = (report: Report): string =>
  `${JSON.stringify(report).replace(STEERING, escaped)}\n`;

/** `\\u` and four digits for each UTF-16 unit: the same text to whoever reads the JSON. */
const escaped = (text: string): string =>
  text
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');

/** For people. */
export function reportText(report: Report): string {
  const lines = [
    report.holds ? `${report.mode}: holds` : `${report.mode}: falls short: ${report.reason ?? ''}`,
  ];
  for (const { reason, place, message } of report.faults)
    lines.push(`  ${reason} · ${placeText(place)}: ${message}`);
  const more = report.faultCount - report.faults.length;
  if (more > 0) lines.push(`  and ${more} more`);
  for (const [what, value] of Object.entries(report.checked)) lines.push(`  ${what}: ${value}`);
  for (const what of report.notes) lines.push(`  note: ${what}`);
  for (const [what, value] of Object.entries(report.claimed))
    lines.push(`  claimed, not proven: ${what}: ${value}`);
  for (const what of report.notCovered) lines.push(`  not covered: ${what}`);
  return `${lines.map(printable).join('\n')}\n`;
}

/** Words of an export must not steer the reader's terminal, nor turn a line around. */
const STEERING = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

const printable = (line: string): string => line.replace(STEERING, '?');

const short = (words: string): string =>
  words.length > WORDS_MAX ? `${words.slice(0, WORDS_MAX)}…` : words;

const shortPlace = (place: Place): Place =>
  Object.fromEntries(
    Object.entries(place).map(([key, value]) => [
      key,
      typeof value === 'string' ? short(value) : value,
    ]),
  );

const PLACE_WORDS: Readonly<Record<keyof Place, string>> = {
  file: '',
  line: 'line ',
  leafIndex: 'leaf ',
  journalId: 'journal ',
  account: '',
  writer: 'writer ',
  wseq: 'wseq ',
  generationId: '',
  size: 'size ',
};

function placeText(place: Place): string {
  const words: string[] = [];
  for (const [key, word] of Object.entries(PLACE_WORDS)) {
    const value = place[key as keyof Place];
    if (value !== undefined) words.push(`${word}${value}`);
  }
  return words.join(', ') || 'as a whole';
}
