/** How large drawn jobs and streams are. What goes wrong with them is drawn alike. */
export interface DrawnSize {
  /** Parallelism of a job, and that which a run draws for it, at most. */
  readonly parallelism: number;
  readonly runParallelism: number;
  /** Number of sources of a job, and of pipelines of a stream that nothing connects. */
  readonly sources: readonly number[];
  readonly pipelines: readonly number[];
  /** Steps of a job, of a pipeline of a stream, and stages of a job whose slow tasks have second attempts, at most. */
  readonly jobSteps: number;
  readonly streamSteps: number;
  readonly stages: number;
  /** Number of records of a source of a job, of a stream, and of stages, which draw it between two. */
  readonly jobRecords: readonly number[];
  readonly streamRecords: readonly number[];
  readonly stagedRecords: readonly [least: number, most: number];
  /** Share of the steps of a job whose functions fail at some records. */
  readonly poison: number;
  /** One in so many jobs consists of stages. */
  readonly staged: number;
}

export const large: DrawnSize = {
  ...{ parallelism: 3, runParallelism: 4 },
  ...{ sources: [1, 1, 1, 2, 3], pipelines: [1, 1, 1, 2, 3] },
  ...{ jobSteps: 7, streamSteps: 4, stages: 3 },
  ...{ jobRecords: [0, 1, 10, 60, 200], streamRecords: [1, 40, 90, 150], stagedRecords: [10, 200] },
  ...{ poison: 0.15, staged: 10 },
};

/** Five tasks on average instead of eleven, and few records: most faults of an engine show in small cases too, of which more can be drawn. */
export const small: DrawnSize = {
  ...{ parallelism: 2, runParallelism: 2 },
  ...{ sources: [1, 1, 1, 1, 1, 1, 1, 2], pipelines: [1, 1, 2] },
  ...{ jobSteps: 3, streamSteps: 2, stages: 2 },
  ...{ jobRecords: [1, 10, 30], streamRecords: [1, 2, 40], stagedRecords: [10, 40] },
  ...{ poison: 0.5, staged: 3 },
};

/** The option of `npm run simulate` for a size. */
export function optionOf(size: DrawnSize): string {
  return size === small ? ' --small' : '';
}
