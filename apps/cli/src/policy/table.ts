/** Columns in as much room as they need; numbers to the right. */
export function table(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const cells = rows.map((row) => row.map(String));
  const widths = head.map((name, at) =>
    Math.max(name.length, ...cells.map((r) => r[at]?.length ?? 0)),
  );
  const isNumber = head.map(
    (_, at) => rows.length > 0 && rows.every((r) => typeof r[at] === 'number'),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((text, at) => (isNumber[at] ? text.padStart(widths[at]!) : text.padEnd(widths[at]!)))
      .join('  ')
      .trimEnd();
  return [line(head), ...cells.map(line), ''].join('\n');
}
