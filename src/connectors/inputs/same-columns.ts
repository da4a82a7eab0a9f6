import { inQuotes } from '../../foreign-value.ts';
import { MalformedInputError } from '../../errors/connector-errors.ts';

/** A file and its column names; none if the file is empty. */
export interface FileColumns {
  readonly path: string;
  readonly columns: readonly string[];
}

/** @throws MalformedInputError unless all `files` have the same columns, in any order */
export function assertSameColumns(files: readonly FileColumns[]): void {
  const [first, ...others] = files.filter(({ columns }) => columns.length > 0);
  if (first === undefined) return;
  for (const { path, columns } of others) {
    const missing = first.columns.find((column) => !columns.includes(column));
    const further = columns.find((column) => !first.columns.includes(column));
    if (missing === undefined && further === undefined) continue;
    const difference =
      missing !== undefined
        ? `has no column ${inQuotes(missing)}, which ${first.path} has`
        : `has a column ${inQuotes(further as string)}, which ${first.path} does not have`;
    throw new MalformedInputError({ file: path }, `${difference}. Read files with other columns in a separate source`);
  }
}
