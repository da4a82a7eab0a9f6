import type { SampleLine } from './recording-line.ts';

/** Maximum number of samples. */
const mostSamples = 1_024;

/**
 * The samples of a run, oldest first. At `mostSamples` each second one of the older half goes: a long run keeps its
 * whole course, the older the sparser.
 */
export class SampleSeries {
  readonly all: SampleLine[];

  constructor(plain: readonly SampleLine[] = []) {
    this.all = [...plain];
  }

  next(sample: SampleLine): void {
    if (this.all.push(sample) < mostSamples) return;
    const older = this.all.splice(0, mostSamples / 2);
    this.all.unshift(...older.filter((_, at) => at % 2 === 0));
  }

  get latest(): SampleLine | undefined {
    return this.all.at(-1);
  }
}
