import { IllegalStateError } from '../errors/usage-errors.ts';
import type { RuntimeContext } from '../operators/runtime-context.ts';
import type { Sink, SinkWriter } from '../operators/sink.ts';

/** A sink that collects its records in memory. */
export interface Collected<In> extends Sink<In> {
  /** The records of the finished subtasks, and those of completed checkpoints, in subtask order. */
  readonly records: readonly In[];
}

/**
 * Collects records in memory, for tests and small results. Read `collected.records` once the job has finished.
 *
 * Exactly once: the records of a subtask become visible when it finishes, and replace those it committed before. With
 * checkpoints, those up to its barrier become visible when the checkpoint is complete. A run with a different parallelism
 * starts empty.
 */
export function collect<In>(): Collected<In> {
  const collection = new Collection<In>();
  return {
    name: 'collect',
    guarantee: 'exactly-once',
    redo: 'collects',
    takesSecondAttempts: true,
    definition: { kind: 'collect' },
    get records() {
      return collection.records;
    },
    open: (context, from) => new CollectWriter(collection, context, from as PreparedRecords | undefined),
    commitPrepared: (prepared) => collection.commitPrepared(prepared as PreparedRecords),
  };
}

/** The task that collects. */
type Place = Pick<RuntimeContext, 'vertex' | 'subtask' | 'parallelism'>;

/** What a writer has collected for a checkpoint: plain data, which names records that stay in the process. */
interface PreparedRecords extends Place {
  readonly attempt: number;
  /** The number of the next part of the subtask. */
  readonly next: number;
  /** Number of records in the part before, which is prepared; 0 if there is none. */
  readonly records: number;
}

interface Commits<In> {
  readonly parallelism: number;
  /** By subtask: its parts. */
  readonly bySubtask: (readonly In[])[][];
}

/** The records of all subtasks: parts that are committed, and those whose checkpoints are not complete. */
class Collection<In> {
  readonly #commits = new Map<string, Commits<In>>();
  /** By place, then by attempt and number of the part. */
  readonly #pending = new Map<string, Map<string, readonly In[]>>();
  #records: readonly In[] | undefined;

  get records(): readonly In[] {
    this.#records ??= [...this.#commits.values()].flatMap((vertex) => vertex.bySubtask.flat(2) as In[]);
    return this.#records;
  }

  /**
   * A new attempt begins behind the first `parts` parts: all others will be written again.
   * @throws IllegalStateError if these were not collected here
   */
  begin(place: Place, parts: number | undefined): void {
    this.#pending.delete(keyOf(place));
    if (parts === undefined) return;
    const count = this.#commits.get(place.vertex)?.bySubtask[place.subtask]?.length ?? 0;
    if (count < parts) {
      throw new IllegalStateError(
        `The checkpoint continues behind ${parts} parts that "${place.vertex}" has collected, but this process has ${count}: collect() keeps records in the process that collected them. Write to files instead`,
      );
    }
    this.cut(place, parts);
  }

  prepare(place: Place, part: string, records: readonly In[]): void {
    const pending = this.#pending.get(keyOf(place)) ?? new Map<string, readonly In[]>();
    this.#pending.set(keyOf(place), pending.set(part, records));
  }

  /** No effect if it was done before. */
  commitPrepared(prepared: PreparedRecords): void {
    const number = prepared.next - 1;
    const pending = this.#pending.get(keyOf(prepared));
    const records = pending?.get(partOf(prepared.attempt, number));
    if (records === undefined) return;
    pending?.delete(partOf(prepared.attempt, number));
    this.commit(prepared, number, records);
  }

  /** A part takes the place of the one with its number, and of all after it. */
  commit(place: Place, number: number, records: readonly In[]): void {
    this.cut(place, number).push(records);
  }

  /** Removes all parts from `number` on. @returns those before */
  cut({ vertex, subtask, parallelism }: Place, number: number): (readonly In[])[] {
    let own = this.#commits.get(vertex);
    if (own?.parallelism !== parallelism) {
      own = { parallelism, bySubtask: Array.from({ length: parallelism }, () => []) };
      this.#commits.set(vertex, own);
    }
    const parts = own.bySubtask[subtask] as (readonly In[])[];
    parts.length = number;
    this.#records = undefined;
    return parts;
  }
}

/** Its methods are its own, for sinks that spread it. */
class CollectWriter<In> implements SinkWriter<In> {
  readonly #collection: Collection<In>;
  readonly #place: Place;
  readonly #attempt: number;
  #next: number;
  #written: In[] = [];

  constructor(
    collection: Collection<In>,
    { vertex, subtask, parallelism, attempt }: RuntimeContext,
    from: PreparedRecords | undefined,
  ) {
    this.#collection = collection;
    this.#place = { vertex, subtask, parallelism };
    this.#attempt = attempt;
    this.#next = from?.next ?? 0;
    collection.begin(this.#place, from?.next);
  }

  readonly write = (batch: readonly In[]): void => {
    for (const record of batch) this.#written.push(record);
  };

  readonly writeOne = (record: In): void => {
    this.#written.push(record);
  };

  readonly prepareCheckpoint = (): PreparedRecords => {
    const records = this.#written;
    if (records.length > 0) {
      this.#written = [];
      this.#collection.prepare(this.#place, partOf(this.#attempt, this.#next++), records);
    }
    return { ...this.#place, attempt: this.#attempt, next: this.#next, records: records.length };
  };

  readonly commit = (): void => {
    if (this.#written.length > 0) this.#collection.commit(this.#place, this.#next, this.#written);
    else this.#collection.cut(this.#place, this.#next);
  };

  readonly abort = (): void => {};
}

function keyOf({ vertex, subtask }: Place): string {
  return JSON.stringify([vertex, subtask]);
}

function partOf(attempt: number, number: number): string {
  return `${attempt}/${number}`;
}
