import { setOwn } from '../own-property.ts';

/** Builds records from rows `from` (inclusive) to `to` (exclusive) of parallel columns with these `names`. */
export type RowBuilder = (
  names: readonly string[],
  columns: readonly ArrayLike<unknown>[],
  from: number,
  to: number,
) => Record<string, unknown>[];

/**
 * The row builder for columns `names`. It checks once, not per value, for a name that plain assignment would not
 * define. It is not a closure, so that JIT feedback about the loop is shared by all files.
 */
export function rowBuilder(names: readonly string[]): RowBuilder {
  return names.includes('__proto__') ? rowsWithProto : plainRows;
}

const plainRows: RowBuilder = (names, columns, from, to) => {
  const rows: Record<string, unknown>[] = [];
  for (let at = from; at < to; at++) {
    const row: Record<string, unknown> = {};
    for (let column = 0; column < names.length; column++) {
      row[names[column] as string] = (columns[column] as ArrayLike<unknown>)[at];
    }
    rows.push(row);
  }
  return rows;
};

const rowsWithProto: RowBuilder = (names, columns, from, to) => {
  const rows: Record<string, unknown>[] = [];
  for (let at = from; at < to; at++) {
    const row: Record<string, unknown> = {};
    for (let column = 0; column < names.length; column++) setOwn(row, names[column] as string, columns[column]?.[at]);
    rows.push(row);
  }
  return rows;
};
