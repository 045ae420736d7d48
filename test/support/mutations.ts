// Small changes to the files of an export or to a receipt, of every kind of byte in each: what a verifier must find.
import { Chance } from '../crash/chance.js';

/** Files by their path. */
export type FileSet = ReadonlyMap<string, Buffer>;

export interface Mutation {
  /** For people. */
  readonly what: string;
  readonly file: string;
  /** What is there in place of the honest files; undefined: nothing. */
  readonly files: ReadonlyMap<string, Buffer | undefined>;
}

export interface Campaign {
  readonly seed: number;
  /** Bytes tried of each class of bytes of a file; all of them with Infinity. */
  readonly perClass: number;
}

/** One byte at a time: a bit turned, the byte taken out, the byte said twice. */
export function* byteMutations(files: FileSet, campaign: Campaign): Generator<Mutation> {
  const chance = new Chance(campaign.seed);
  for (const [file, bytes] of files)
    for (const [name, places] of classesOf(file, bytes)) {
      const tried = sample(places, campaign.perClass, chance);
      for (const [nth, at] of tried.entries()) {
        const bit = 1 << chance.between(0, 7);
        for (const [how, changed] of changesAt(bytes, at, bit, campaign.perClass, nth))
          yield one(file, `${how} at ${at} (${name})`, changed);
      }
    }
}

function changesAt(
  bytes: Buffer,
  at: number,
  bit: number,
  perClass: number,
  nth: number,
): readonly (readonly [string, Buffer])[] {
  const turned = Buffer.from(bytes);
  turned[at]! ^= bit;
  const all = [
    [`bit ${bit} turned`, turned],
    ['byte taken out', Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)])],
    ['byte said twice', Buffer.concat([bytes.subarray(0, at + 1), bytes.subarray(at)])],
  ] as const;
  return perClass === Infinity ? all : [all[0], ...all.slice(1 + (nth % 2), 2 + (nth % 2))];
}

/** Files and lines taken out, put in twice, exchanged, cut off and made longer. */
export function* fileMutations(files: FileSet, campaign: Campaign): Generator<Mutation> {
  const chance = new Chance(campaign.seed);
  for (const [file, bytes] of files) {
    yield { what: 'file taken out', file, files: new Map([[file, undefined]]) };
    yield one(file, 'file emptied', Buffer.alloc(0));
    yield one(file, 'cut off by a byte', bytes.subarray(0, -1));
    yield one(file, 'cut off in the middle', bytes.subarray(0, bytes.length >> 1));
    yield one(file, 'a NUL behind it', Buffer.concat([bytes, Buffer.alloc(1)]));
    yield one(file, 'itself behind it', Buffer.concat([bytes, bytes]));
    for (const [other, content] of files) {
      if (other <= file || folderOf(other) !== folderOf(file) || content.equals(bytes)) continue;
      const swapped = new Map([
        [file, content],
        [other, bytes],
      ]);
      yield { what: `exchanged with ${other}`, file, files: swapped };
    }
    yield* lineMutations(file, bytes, campaign, chance);
  }
}

function* lineMutations(
  file: string,
  bytes: Buffer,
  { perClass }: Campaign,
  chance: Chance,
): Generator<Mutation> {
  const text = bytes.toString('latin1');
  if (!isText(file) || !text.endsWith('\n')) return;
  const lines = text.slice(0, -1).split('\n');
  if (lines.length < 2) return;
  const put = (what: string, changed: readonly string[]): Mutation =>
    one(file, what, Buffer.from(`${changed.join('\n')}\n`, 'latin1'));
  for (const at of sample([...lines.keys()], 3 * perClass, chance)) {
    yield put(`line ${at + 1} taken out`, lines.toSpliced(at, 1));
    yield put(`line ${at + 1} said twice`, lines.toSpliced(at, 0, lines[at]!));
    if (at > 0)
      yield put(
        `lines ${at} and ${at + 1} exchanged`,
        lines.toSpliced(at - 1, 2, lines[at]!, lines[at - 1]!),
      );
  }
}

const one = (file: string, what: string, content: Buffer): Mutation => ({
  what,
  file,
  files: new Map([[file, content]]),
});

const folderOf = (file: string): string => file.slice(0, file.lastIndexOf('/') + 1);
const isText = (file: string): boolean =>
  !file.startsWith('tile/') && !file.endsWith('.tsr') && !file.endsWith('.book');

/** Bytes of a file by what they are part of. */
function classesOf(file: string, bytes: Buffer): Map<string, number[]> {
  const classes = new Map<string, number[]>();
  const put = (name: string, at: number): void => {
    const places = classes.get(name);
    if (places) places.push(at);
    else classes.set(name, [at]);
  };
  if (file.startsWith('tile/entries/')) bundleClasses(bytes, put);
  else if (file.startsWith('tile/'))
    for (let at = 0; at < bytes.length; at++) put(`hash byte ${at % 4}`, at);
  else if (!isText(file)) for (let at = 0; at < bytes.length; at++) put(kindOf(bytes[at]!), at);
  else if (/json/.test(file)) jsonClasses(bytes, put);
  else noteClasses(bytes, put);
  return classes;
}

type Put = (name: string, at: number) => void;

function bundleClasses(bytes: Buffer, put: Put): void {
  for (let at = 0; at + 2 <= bytes.length;) {
    const end = at + 2 + bytes.readUInt16BE(at);
    put('high byte of a length', at);
    put('low byte of a length', at + 1);
    for (let inside = at + 2; inside < end; inside++)
      put(`record: ${kindOf(bytes[inside]!)}`, inside);
    at = end;
  }
}

function jsonClasses(bytes: Buffer, put: Put): void {
  const text = bytes.toString('latin1');
  let member = '';
  for (let at = 0; at < text.length; at++) {
    const named = /^"(\w+)":/.exec(text.slice(at, at + 40));
    if (named) member = named[1]!;
    put(`${member}: ${kindOf(bytes[at]!)}`, at);
  }
}

function noteClasses(bytes: Buffer, put: Put): void {
  let line = 1;
  for (let at = 0; at < bytes.length; at++) {
    put(`line ${line}: ${kindOf(bytes[at]!)}`, at);
    if (bytes[at] === 10) line += 1;
  }
}

function kindOf(byte: number): string {
  const char = String.fromCharCode(byte);
  if (/[0-9]/.test(char)) return 'digit';
  if (/[A-Za-z]/.test(char)) return 'letter';
  if (/\s/.test(char)) return 'space';
  return byte < 0x80 ? `sign ${byte < 0x20 ? 'control' : char}` : 'beyond ASCII';
}

function sample(places: readonly number[], count: number, chance: Chance): readonly number[] {
  if (places.length <= count) return places;
  return Array.from({ length: count }, () => chance.pick(places));
}
