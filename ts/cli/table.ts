/** Tables for a terminal. */

/**
 * Columns two spaces apart, as wide as their longest cell, numbers to the right.
 * @param nText how many of the first columns hold text, to the left
 */
export function renderTable(head: readonly string[], rows: readonly (readonly string[])[], nText = 1): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    widths
      .map((width, column) => {
        const cell = row[column] ?? '';
        return column < nText ? cell.padEnd(width) : cell.padStart(width);
      })
      .join('  ')
      .trimEnd();
  return `${all.map(line).join('\n')}\n`;
}
