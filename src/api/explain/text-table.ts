/** The first `limit` of `names`, and the number of the others. */
export function cut(names: readonly string[], limit: number): readonly string[] {
  return names.length <= limit ? names : [...names.slice(0, limit), `… ${names.length - limit} more`];
}

/** A title and a line per item with aligned columns, cut to the first lines. Empty without items. */
export function section<Item>(
  title: string,
  items: readonly Item[],
  rowOf: (item: Item) => readonly string[],
): string[] {
  if (items.length === 0) return [];
  const limit = 24;
  const lines = table(items.slice(0, limit).map(rowOf));
  return ['', title, ...lines, ...(items.length > limit ? [`  … ${items.length - limit} more`] : [])];
}

export function counted(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** Lines with aligned columns, indented by two. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  return rows.map((row) => {
    return `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd();
  });
}
