import type { JobPlan } from '../api/job-planner.ts';
import type { JobMode } from '../api/stream-graph.ts';
import { taskFaultPoints } from '../operators/fault-points.ts';
import type { SeededRandom } from './seeded-random.ts';
import { spillFaultPoints } from '../partitions/spill-store.ts';

/** A fault that a seed drew. */
export interface DrawnFault {
  readonly point: string;
  /** Where, for faults of tasks. */
  readonly vertex: string | undefined;
  readonly subtask: number | undefined;
  /** How often the point is passed before it strikes. */
  readonly skip: number;
}

/** Everything that a seed drew for a run. */
export interface DrawnRun {
  readonly seed: number;
  readonly mode: JobMode;
  readonly parallelism: number;
  readonly batchSize: number;
  readonly memoryBudgetBytes: number;
  readonly failoverStrategy: 'restartPipelinedRegion' | 'restartAll' | 'restartIndividual';
  /** Wait before a restart. */
  readonly delayMs: number;
  readonly executors: number;
  /** The most steps a task makes before another has its turn. */
  readonly maxSteps: number;
  readonly faults: readonly DrawnFault[];
}

/** Draws a run of `plan`; `recordsIn` says how many records each vertex reads, so that faults strike while it does. */
export function drawRun(
  random: SeededRandom,
  plan: JobPlan,
  recordsIn: ReadonlyMap<string, number>,
  { maxParallelism = 4, maxFaults = 4 }: { readonly maxParallelism?: number; readonly maxFaults?: number },
): DrawnRun {
  const shape = random.fork('shape');
  const parallelism = shape.integer(1, maxParallelism);
  const batchSize = shape.pick([1, 2, 7, 64, 1_024]);
  const faultRandom = random.fork('faults');
  const faults = Array.from({ length: faultRandom.integer(0, maxFaults) }, (): DrawnFault => {
    const point = faultRandom.pick(points);
    if (!taskPoints.has(point))
      return { point, vertex: undefined, subtask: undefined, skip: faultRandom.integer(0, 20) };
    const vertex = faultRandom.pick(plan.jobGraph.vertices).id;
    const batches = Math.ceil((recordsIn.get(vertex) ?? 0) / parallelism / batchSize);
    return {
      point,
      vertex,
      subtask: faultRandom.integer(0, parallelism - 1),
      // Now and then in a later attempt.
      skip:
        point === taskFaultPoints.batch ? faultRandom.integer(0, Math.max(0, batches)) : faultRandom.pick([0, 0, 0, 1]),
    };
  });
  return {
    seed: random.seed,
    mode: shape.pick(['batch', 'streaming']),
    parallelism,
    batchSize,
    memoryBudgetBytes: shape.pick([0, 2_000, Number.POSITIVE_INFINITY]),
    failoverStrategy: shape.pick([
      'restartPipelinedRegion',
      'restartPipelinedRegion',
      'restartAll',
      'restartIndividual',
    ]),
    delayMs: shape.pick([0, 10, 1_000]),
    executors: shape.integer(1, 2),
    maxSteps: shape.pick([1, 4, 32]),
    faults,
  };
}

/** Batches are where most of the time is spent; the others are the edges where recovery goes wrong. */
const points: readonly string[] = [
  taskFaultPoints.batch,
  taskFaultPoints.batch,
  taskFaultPoints.batch,
  ...Object.values(taskFaultPoints),
  ...Object.values(spillFaultPoints),
];

const taskPoints: ReadonlySet<string> = new Set(Object.values(taskFaultPoints));
