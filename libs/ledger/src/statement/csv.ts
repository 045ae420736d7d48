/** After RFC 4180, with the line's end. Undefined is empty: null, as FOCUS and other readers take it. */
export const csvLine = (cells: readonly (string | undefined)[]): string =>
  `${cells.map(csvCell).join(',')}\r\n`;

/**
 * A cell that begins like a formula is quoted with an apostrophe: reasons and ids are people's words, and whoever gets
 * the file opens it in a spreadsheet. Numbers stay numbers.
 */
function csvCell(value: string | undefined): string {
  if (value === undefined) return '';
  const safe = /^[=+\-@\t\r]/.test(value) && !/^-?\d+(\.\d+)?$/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
