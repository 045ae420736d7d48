// PostgreSQL's own binary form of values, as columns of rows or as arrays: what the driver would write as text, the server would
// parse again, a field at a time on both sides.

/** How a value is put; what is null or undefined is NULL, whatever its type. */
export type ColumnType =
  | 'bool'
  | 'int2'
  | 'int4'
  /** A bigint, or its decimal string. */
  | 'int8'
  /** An integer as bigint or decimal string. */
  | 'numeric'
  | 'text'
  /** As text, which the database checks. */
  | 'json'
  | 'bytea'
  /** RFC 3339 in UTC with milliseconds, or a Date. */
  | 'timestamptz'
  | 'text[]'
  | 'int8[]';

export interface Column<R> {
  readonly name: string;
  readonly type: ColumnType;
  readonly of: (row: R) => unknown;
}

const OIDS: Readonly<Record<Exclude<ColumnType, 'text[]' | 'int8[]'>, number>> = {
  bool: 16,
  bytea: 17,
  int8: 20,
  int2: 21,
  int4: 23,
  text: 25,
  json: 114,
  timestamptz: 1184,
  numeric: 1700,
};

/** `PGCOPY\n\377\r\n\0`, no flags, no extension. */
const COPY_HEADER = Buffer.from('5047434f50590aff0d0a000000000000000000', 'hex');
const COPY_TRAILER = -1;
/** 2000-01-01 in Unix ms: where PostgreSQL counts from. */
const EPOCH_MS = 946_684_800_000;
const FIRST_BYTES = 64 * 1_024;

/** Rows as `COPY … FROM STDIN (FORMAT binary)` reads them. */
export function copyData<R>(columns: readonly Column<R>[], rows: readonly R[]): Buffer {
  const out = new ByteWriter();
  out.raw(COPY_HEADER);
  for (const row of rows) {
    out.int16(columns.length);
    for (const { type, of } of columns) out.value(type, of(row));
  }
  out.int16(COPY_TRAILER);
  return out.bytes();
}

/** Each column as one array, in the order of the columns: parameters for `unnest`. */
export const arraysOf = <R>(columns: readonly Column<R>[], rows: readonly R[]): Buffer[] =>
  columns.map(({ type, of }) => {
    if (type === 'text[]' || type === 'int8[]') throw new TypeError('arrays have no arrays');
    const out = new ByteWriter();
    out.array(OIDS[type], type, rows.length, (i) => of(rows[i]!));
    return out.bytes();
  });

class ByteWriter {
  #buffer = Buffer.allocUnsafe(FIRST_BYTES);
  #end = 0;

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#end);
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  int16(value: number): void {
    this.#room(2);
    this.#end = this.#buffer.writeInt16BE(value, this.#end);
  }

  int32(value: number): void {
    this.#room(4);
    this.#end = this.#buffer.writeInt32BE(value, this.#end);
  }

  /** Length and value; -1 for NULL. Throws a RangeError or TypeError on what the type cannot hold. */
  value(type: ColumnType, value: unknown): void {
    if (value === null || value === undefined) return this.int32(-1);
    switch (type) {
      case 'text':
      case 'json':
        return this.#text(value as string);
      case 'bytea':
        this.int32((value as Uint8Array).length);
        return this.raw(value as Uint8Array);
      case 'int8':
        this.int32(8);
        return this.#int64(BigInt(value as bigint | string));
      case 'int4':
        this.int32(4);
        return this.int32(value as number);
      case 'int2':
        this.int32(2);
        return this.int16(value as number);
      case 'bool':
        this.int32(1);
        this.#room(1);
        this.#buffer[this.#end++] = value === true ? 1 : 0;
        return undefined;
      case 'timestamptz':
        this.int32(8);
        return this.#int64(microsecondsOf(value as string | Date));
      case 'numeric':
        return this.#numeric(value as bigint | string);
      case 'text[]':
        return this.#sized(() => this.#list(OIDS.text, 'text', value as readonly string[]));
      case 'int8[]':
        return this.#sized(() => this.#list(OIDS.int8, 'int8', value as readonly string[]));
    }
  }

  /** An array of one dimension; none at all where it is empty. */
  array(oid: number, of: ColumnType, length: number, at: (index: number) => unknown): void {
    this.int32(length === 0 ? 0 : 1);
    // Whether there are NULLs is only a hint.
    this.int32(1);
    this.int32(oid);
    if (length === 0) return;
    this.int32(length);
    this.int32(1);
    for (let i = 0; i < length; i++) this.value(of, at(i));
  }

  #list(oid: number, of: ColumnType, values: readonly unknown[]): void {
    this.array(oid, of, values.length, (i) => values[i]);
  }

  #sized(put: () => void): void {
    const at = this.#end;
    this.int32(0);
    put();
    this.#buffer.writeInt32BE(this.#end - at - 4, at);
  }

  #text(text: string): void {
    // Three bytes at most for each UTF-16 unit.
    this.#room(4 + text.length * 3);
    const length = this.#buffer.write(text, this.#end + 4, 'utf8');
    this.#buffer.writeInt32BE(length, this.#end);
    this.#end += 4 + length;
  }

  #int64(value: bigint): void {
    this.#room(8);
    this.#end = this.#buffer.writeBigInt64BE(value, this.#end);
  }

  /** Groups of four decimal digits, the weight of the first, sign, digits after the point (none). */
  #numeric(value: bigint | string): void {
    const signed = BigInt(value).toString();
    const negative = signed.startsWith('-');
    const digits = negative ? signed.slice(1) : signed;
    const groups: number[] = [];
    if (digits !== '0')
      for (let end = digits.length; end > 0; end -= 4)
        groups.unshift(Number(digits.slice(Math.max(0, end - 4), end)));
    this.int32(8 + 2 * groups.length);
    this.int16(groups.length);
    this.int16(groups.length === 0 ? 0 : groups.length - 1);
    this.int16(negative ? 0x4000 : 0);
    this.int16(0);
    for (const group of groups) this.int16(group);
  }

  #room(bytes: number): void {
    if (this.#end + bytes <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#end + bytes));
    this.#buffer.copy(grown, 0, 0, this.#end);
    this.#buffer = grown;
  }
}

function microsecondsOf(time: string | Date): bigint {
  const ms = typeof time === 'string' ? Date.parse(time) : time.getTime();
  if (Number.isNaN(ms)) throw new RangeError('not a time');
  return BigInt(ms - EPOCH_MS) * 1_000n;
}
