/** Stands for a value that does not fit the options, until its row is known. */
export class UnfitValue {
  /** The problem, and the option that solves it. */
  readonly problem: string;

  constructor(problem: string) {
    this.problem = problem;
  }
}

/**
 * Collects problems while the values of a leaf are decoded. A dictionary is decoded before the rows that refer to it,
 * so an unfit value only counts if a row has it: an {@link UnfitValue} takes its place and is searched for afterwards.
 */
export class ValueFaults {
  hasUnfit = false;
  /** Whether digits below the millisecond were dropped. */
  hasDropped = false;
  isDropToldAlready = false;

  unfit(problem: string): UnfitValue {
    this.hasUnfit = true;
    return new UnfitValue(problem);
  }
}

/** The first unfit value in `value`, however deep. */
export function findUnfit(value: unknown): UnfitValue | undefined {
  if (value instanceof UnfitValue) return value;
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return undefined;
  for (const member of Array.isArray(value) ? (value as unknown[]) : Object.values(value)) {
    const unfit = findUnfit(member);
    if (unfit !== undefined) return unfit;
  }
  return undefined;
}
