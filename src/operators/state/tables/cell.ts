/** The state of a key. It changes in place, because a `Map` that is written for every record takes twice the time. */
export interface Cell {
  accumulator: unknown;
  /** How often its table had been frozen when it changed for the last time. A cell of an older version is not changed. */
  version: number;
}

/** A cell of a table in memory. */
export interface VersionedCell extends Cell {
  /** What it was when the table was frozen, for those frozen tables that need it. */
  older: OlderVersion | undefined;
  /** Its place in the order of keys. */
  place: number;
}

/** What a cell was, newest first. */
export interface OlderVersion {
  readonly version: number;
  readonly accumulator: unknown;
  readonly older: OlderVersion | undefined;
}

/** The accumulator of a key that has none. */
export const gone = Symbol('gone');

/** What a cell was when its table was frozen for the `version`th time; {@link gone} if it was not there. */
export function accumulatorAt(cell: VersionedCell, version: number): unknown {
  if (cell.version <= version) return cell.accumulator;
  let { older } = cell;
  while (older !== undefined && older.version > version) older = older.older;
  return older === undefined ? gone : older.accumulator;
}
