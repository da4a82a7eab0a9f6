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
  /** The failed attempts of the task just before this one, if all of them failed at this record. Absent if there are none. */
  readonly earlierAttempts?: readonly number[];
}

/** `in "rate", at reviews.jsonl:18: {"product":"p1"}`, for messages. */
export function describePlace({ operator, record, earlierAttempts = [] }: FailurePlace): string {
  if (record === undefined) return `in "${operator}"`;
  const at = [record.position, record.picture].filter((part) => part !== undefined).join(': ');
  if (earlierAttempts.length === 0) return `in "${operator}", at ${at}`;
  const last = earlierAttempts.at(-1);
  const attempts =
    earlierAttempts.length === 1
      ? `attempt ${last}`
      : `attempts ${earlierAttempts.slice(0, -1).join(', ')} and ${last}`;
  return `in "${operator}", at ${at}, the record at which ${attempts} failed too: \`onError\` of an operator can skip it`;
}
