import { BoundedValues } from './bounded-values.ts';
import { RecoveryTimes } from './recovery-times.ts';
import { Series } from './series.ts';

/** How many values of each label of a job are told apart. */
const mostValues = { region: 100, cause: 40, vertex: 200, operator: 100, component: 100, task: 10_000 } as const;

type BoundedLabel = keyof typeof mostValues;

/** What the runs of one job add up to, whether they have ended or not. */
export class JobTotals {
  readonly counters = new Series();
  readonly recovery = new RecoveryTimes();
  readonly #values = new Map<BoundedLabel, BoundedValues>();

  /** The value for a label: `other` if there are too many. */
  labelOf(label: BoundedLabel, value: string): string {
    let values = this.#values.get(label);
    if (values === undefined) this.#values.set(label, (values = new BoundedValues(mostValues[label])));
    return values.of(value);
  }
}
