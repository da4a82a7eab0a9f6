import type { SampleLine } from './sample-line.ts';

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
    this.#forgetHeld();
    if (this.all.push(sample) < mostSamples) return;
    const older = this.all.splice(0, mostSamples / 2);
    this.all.unshift(...older.filter((_, at) => at % 2 === 0));
  }

  /** Which results were held, and by whom, is shown for the present alone, and is most of a sample. */
  #forgetHeld(): void {
    if (this.latest === undefined) return;
    const { held: _, executors: __, ...sample } = this.latest;
    this.all[this.all.length - 1] = sample;
  }

  get latest(): SampleLine | undefined {
    return this.all.at(-1);
  }
}
