import { recoveryBuckets } from './metric-definitions.ts';

/** A histogram of recovery times. */
export class RecoveryTimes {
  /** By bucket; the last one has no upper bound. */
  readonly counts: number[] = Array.from({ length: recoveryBuckets.length + 1 }, () => 0);
  sumSeconds = 0;

  add(seconds: number): void {
    const bucket = recoveryBuckets.findIndex((bound) => seconds <= bound);
    const index = bucket < 0 ? recoveryBuckets.length : bucket;
    this.counts[index] = (this.counts[index] as number) + 1;
    this.sumSeconds += seconds;
  }

  get count(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }
}
