import { setOwn } from '../own-property.ts';

/** Makes records of the rows `from` to `to` of columns that lie side by side, called `names`. */
export type RowBuilder = (
  names: readonly string[],
  columns: readonly ArrayLike<unknown>[],
  from: number,
  to: number,
) => Record<string, unknown>[];

/**
 * The builder for columns called `names`: a name that cannot simply be assigned to is looked for once, not per value. No
 * closure, so that what the engine learns about the loop serves every file.
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
