import type { Sink } from '../operators/sink.ts';

/** A sink that collects its records in memory. */
export interface Collected<In> extends Sink<In> {
  /** The records of the finished subtasks, in subtask order. */
  readonly records: readonly In[];
}

/**
 * Collects records in memory, for tests and small results. Read `collected.records` once the job has finished.
 *
 * Exactly once: the records of a subtask become visible when it finishes, and replace those it committed before. A run
 * with a different parallelism starts empty.
 */
export function collect<In>(): Collected<In> {
  const commits = new Map<string, Commits<In>>();
  let records: readonly In[] | undefined;
  return {
    name: 'collect',
    guarantee: 'exactly-once',
    redo: 'collects',
    takesSecondAttempts: true,
    definition: { kind: 'collect' },
    get records() {
      records ??= [...commits.values()].flatMap((vertex) => vertex.bySubtask.flat(1) as In[]);
      return records;
    },
    open: ({ vertex, subtask, parallelism }) => {
      const written: In[] = [];
      return {
        write: (batch) => {
          for (const record of batch) written.push(record);
        },
        writeOne: (record) => {
          written.push(record);
        },
        commit: () => {
          let own = commits.get(vertex);
          if (own?.parallelism !== parallelism) {
            own = { parallelism, bySubtask: Array.from({ length: parallelism }, () => []) };
            commits.set(vertex, own);
          }
          own.bySubtask[subtask] = written;
          records = undefined;
        },
        abort: () => {},
      };
    },
  };
}

interface Commits<In> {
  readonly parallelism: number;
  readonly bySubtask: (readonly In[])[];
}
