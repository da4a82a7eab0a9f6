/** The record at which a function failed. Plain data. */
export interface RecordPlace {
  /**
   * The origin of the record: `flights.jsonl:18`, `array[17]`, or after an exchange `rate → sums, result 3,
   * subpartition 2, record 1203`, counted from 0. undefined if unknown.
   */
  readonly position: string | undefined;
  /** A short rendering of the record, without long texts and likely secrets. undefined for a key. */
  readonly picture: string | undefined;
}

/** Where in a task a function failed. Plain data. */
export interface FailurePlace {
  /** The uid of the failed operator, source or sink. */
  readonly operator: string;
  /** The record that led to the failure; undefined if there was none, or more than one. */
  readonly record: RecordPlace | undefined;
}

/** `in "rate", at reviews.jsonl:18: {"product":"p1"}`, for messages. */
export function describePlace({ operator, record }: FailurePlace): string {
  if (record === undefined) return `in "${operator}"`;
  const at = [record.position, record.picture].filter((part) => part !== undefined).join(': ');
  return `in "${operator}", at ${at}`;
}
