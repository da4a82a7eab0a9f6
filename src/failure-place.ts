/** Which record something failed at. Plain data. */
export interface RecordPlace {
  /**
   * Where the record came from: `flights.jsonl:18`, `array[17]`, or behind an exchange `rate → sums, result 3,
   * subpartition 2, record 1203`; records are counted from 0. undefined where it cannot be told.
   */
  readonly position: string | undefined;
  /** A short picture of it; long texts are cut, and what looks like a secret is left out. undefined for a key. */
  readonly picture: string | undefined;
}

/** Where in a task something failed. Plain data. */
export interface FailurePlace {
  /** uid of the operator, source or sink whose function failed. */
  readonly operator: string;
  /** The record that led to it; undefined where there was none, or more than one. */
  readonly record: RecordPlace | undefined;
}

/** `in "rate", at reviews.jsonl:18: {"product":"p1"}`, for messages. */
export function describePlace({ operator, record }: FailurePlace): string {
  if (record === undefined) return `in "${operator}"`;
  const at = [record.position, record.picture].filter((part) => part !== undefined).join(': ');
  return `in "${operator}", at ${at}`;
}
