/** Records of one partition in a row. */
interface Run {
  /** Number of the first among the records of the reader. */
  readonly first: number;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** How many. */
  count: number;
}

/** Runs that are kept. What is older is not told. */
const mostRuns = 1_000;

/** Where the latest records of a reader came from, for messages. */
export class ReadPlaces {
  readonly #runs: Run[] = [];
  /** Number of records so far. */
  #count = 0;

  add(topic: string, partition: number, offset: number): void {
    const last = this.#runs.at(-1);
    const isNext = last?.topic === topic && last.partition === partition && last.offset + last.count === offset;
    if (isNext) last.count++;
    else this.#runs.push({ first: this.#count, topic, partition, offset, count: 1 });
    this.#count++;
    // Seldom, because it moves all.
    if (this.#runs.length === 2 * mostRuns) this.#runs.splice(0, mostRuns);
  }

  of(record: number): string | undefined {
    const run = this.#runs.findLast(({ first }) => first <= record);
    if (run === undefined || record >= run.first + run.count) return undefined;
    return placeOf(run.topic, run.partition, run.offset + record - run.first);
  }
}

/** `orders[3], offset 17`. */
export function placeOf(topic: string, partition: number, offset: number): string {
  return `${topic}[${partition}], offset ${offset}`;
}
