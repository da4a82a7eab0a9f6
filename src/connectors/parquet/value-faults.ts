/** Stands for a value that cannot be given as asked, until it is known in which row it is. */
export class UnfitValue {
  /** What is wrong with it, and the option that helps. */
  readonly problem: string;

  constructor(problem: string) {
    this.problem = problem;
  }
}

/**
 * What went wrong while the values of a leaf were decoded. A dictionary is decoded before any row that refers to it, so
 * an unfit value only counts once a row has it: {@link UnfitValue} takes its place, and is looked for if there was one.
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
