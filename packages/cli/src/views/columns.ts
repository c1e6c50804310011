/** A text in a table, and how to paint it. */
export interface Cell {
  readonly text: string;
  readonly paint?: (text: string) => string;
}

const gap = "  ";

/** Returns: one line for each row, in aligned columns. The last column is not padded. */
export function columns(rows: readonly (readonly (Cell | string)[])[]): string[] {
  const cells = rows.map((row) =>
    row.map((cell) => (typeof cell === "string" ? { text: cell } : cell)),
  );
  const widths: number[] = [];
  for (const row of cells) {
    for (const [index, { text }] of row.entries()) {
      widths[index] = Math.max(widths[index] ?? 0, text.length);
    }
  }
  return cells.map((row) =>
    row
      .map(({ text, paint = (plain) => plain }, index) => {
        const padding =
          index === row.length - 1 ? "" : " ".repeat((widths[index] ?? 0) - text.length);
        return paint(text) + padding;
      })
      .join(gap)
      .trimEnd(),
  );
}
