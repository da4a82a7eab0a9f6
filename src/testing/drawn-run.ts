import { planJob } from '../api/job-planner.ts';
import type { JobPlan, JobMode } from '../run/job-plan.ts';
import type { JobDefinition } from '../api/stream-graph.ts';
import type { KeepInRun } from '../graph/keep-results.ts';
import { JobValidationError } from '../errors/usage-errors.ts';
import type { MemoryOverflow } from '../graph/exchange-settings.ts';
import { ExecutionGraph } from '../graph/execution-graph.ts';
import { pipelinedRegions } from '../graph/pipelined-region.ts';
import type { OperatorDescription } from '../operators/operator-description.ts';
import { taskFaultPoints } from '../operators/task/task-faults.ts';
import { slotDemand } from '../scheduling/slot-demand.ts';
import { SlotSharing } from '../scheduling/slot-sharing.ts';
import { partitionFaultPoints } from '../partitions/result-partition.ts';
import { spillFaultPoints } from '../partitions/storage/spill-store.ts';
import {
  type DrawnCheckpoints,
  drawCheckpointFaults,
  drawCheckpoints,
  type SavepointLimits,
} from './checkpoints/drawn-checkpoints.ts';
import type { DrawnCheckpointFault } from './checkpoints/moments.ts';
import { type DrawnSlowness, drawSlowness } from './speculation/slowed-tasks.ts';
import type { SeededRandom } from './seeded-random.ts';

/** A fault that a seed drew. */
export interface DrawnFault {
  readonly point: string;
  /** The vertex, for faults in tasks. */
  readonly vertex: string | undefined;
  readonly subtask: number | undefined;
  /** How often the point is passed before the fault fires. */
  readonly skip: number;
  /**
   * The effect: the point throws; or every spill file vanishes, has a byte changed or loses its end, and the task
   * continues; or the task's executor is lost with all its results.
   */
  readonly effect: 'throws' | 'files vanish' | 'bytes rot' | 'files are cut' | 'executor is lost';
}

/** The setup of a run, drawn from a seed. */
export interface DrawnShape {
  readonly seed: number;
  readonly mode: JobMode;
  readonly parallelism: number;
  readonly batchSize: number;
  readonly memoryBudgetBytes: number;
  readonly memoryOverflow: MemoryOverflow;
  readonly diskBudgetBytes: number;
  readonly diskOverflow: 'back-pressure' | 'drop-releasable';
  readonly keepResults: KeepInRun;
  readonly failoverStrategy: 'restartPipelinedRegion' | 'restartAll' | 'restartIndividual';
  /** Wait before a restart. */
  readonly delayMs: number;
  readonly executors: number;
  /** Slots per executor; enough for the largest region. */
  readonly slots: number;
  /** Maximum steps of tasks before timers and messages run. */
  readonly maxSteps: number;
  /** Whether sinks answer in drawn manners (later, by a thenable, twice) or synchronously. */
  readonly sinkAnswers: 'at once' | 'drawn';
  /**
   * Whether messages between the master and executors are cloned, delayed, repeated and reordered, or arrive unchanged
   * one turn later.
   */
  readonly messages: 'prompt' | 'rough';
  /** Whether the executors share nothing, as worker threads do, and are joined by such messages alone. */
  readonly areWorkers: boolean;
  /** How often a direction of a connection goes silent for a while; if it may, executors are watched by heartbeats. */
  readonly outages: number;
  /** Which attempts are slow, in a run with speculation; undefined without it. */
  readonly slowness: DrawnSlowness | undefined;
  /** How it is checkpointed; undefined if it is not. */
  readonly checkpoints: DrawnCheckpoints | undefined;
}

/** Everything drawn for a run. */
export interface DrawnRun extends DrawnShape {
  readonly faults: readonly DrawnFault[];
  /** What goes wrong with its checkpoints. */
  readonly checkpointFaults: readonly DrawnCheckpointFault[];
}

/** The number of restarts that a run may take beside those for its faults. */
export const sparedRestarts = 10;

/** What a shape may be. */
interface ShapeLimits {
  readonly maxParallelism?: number | undefined;
  readonly workers?: boolean | undefined;
  readonly checkpoints?: 'exactly-once' | 'at-least-once' | undefined;
  /** How long it takes undisturbed, in ms of virtual time. */
  readonly durationMs: number;
}

/** Draws the setup of a run of `job`. */
export function drawShape(
  random: SeededRandom,
  job: JobDefinition,
  { maxParallelism = mostParallelism, workers = false, checkpoints, durationMs }: ShapeLimits,
): DrawnShape {
  const shape = random.fork('shape');
  const connections = random.fork('connections');
  const drawnMode = shape.pick<JobMode>(['batch', 'streaming']);
  const mode = checkpoints === undefined ? drawnMode : 'streaming';
  const plan = fittingPlan(job, mode, shape.integer(1, maxParallelism));
  const { parallelism } = plan;
  const hereExecutors = shape.integer(1, 2);
  const executors = workers ? random.fork('workers').integer(1, 4) : hereExecutors;
  const slowness = executors > 1 && mayBeSlow(random, checkpoints) ? drawSlowness(random.fork('slowness')) : undefined;
  const slots = shape.pick([0, 1, 5, Number.POSITIVE_INFINITY]) + slotsTakenTogether(plan);
  return {
    seed: random.seed,
    mode,
    parallelism,
    batchSize: shape.pick([1, 2, 7, 64, 1_024]),
    memoryBudgetBytes: shape.pick([0, 2_000, Number.POSITIVE_INFINITY]),
    memoryOverflow: shape.pick(['drop', 'spill']),
    // Checkpoints are not about that.
    diskBudgetBytes: checkpoints === undefined ? shape.pick(diskBudgets) : infinity,
    diskOverflow: shape.pick(['back-pressure', 'drop-releasable']),
    keepResults: shape.pick<KeepInRun>([
      'until-consumers-finish',
      'until-consumers-finish',
      'until-job-ends',
      { ttlMs: 5 },
    ]),
    failoverStrategy: shape.pick([
      'restartPipelinedRegion',
      'restartPipelinedRegion',
      'restartAll',
      'restartIndividual',
    ]),
    delayMs: shape.pick([0, 10, 1_000]),
    executors,
    slots,
    maxSteps: shape.pick([1, 4, 32]),
    sinkAnswers: shape.chance(0.25) ? 'drawn' : 'at once',
    ...drawMessages(shape, connections),
    areWorkers: workers,
    slowness,
    checkpoints:
      checkpoints &&
      drawCheckpoints(random.fork('checkpoints'), {
        ...{ mode: checkpoints, durationMs, isSlow: slowness !== undefined },
        ...savepointLimits(job, plan, maxParallelism),
        ...((workers || slowness) && { rescales: [] }),
      }),
  };
}

/** What a savepoint of a run with this plan may be. */
function savepointLimits(job: JobDefinition, plan: FittingPlan, most: number): SavepointLimits {
  return {
    rescales: rescalesOf(job, plan, most),
    mayDrain: plan.programs.every(({ operators }) => !operators.some(handsOnAtEnd)),
  };
}

/** At which parallelism a run can continue from a savepoint; none, if it can take none. */
function rescalesOf(job: JobDefinition, { jobGraph, parallelism }: FittingPlan, most: number): number[] {
  if (jobGraph.edges.some(({ exchange }) => exchange.consumption === 'after-producer-finished')) return [];
  const sources = job.steps.flatMap(({ step }) => (step.kind === 'source' ? [step.source] : []));
  if (sources.some(({ redistribute }) => redistribute === undefined)) return [parallelism];
  return Array.from({ length: most }, (_, index) => index + 1).filter(
    (drawn) => fittingPlan(job, 'streaming', drawn).parallelism === drawn,
  );
}

/** Whether an operator has results of all its records at the end of its input. */
function handsOnAtEnd(operator: OperatorDescription): boolean {
  if (operator.kind === 'aggregate') return operator.emit !== 'updates';
  if (operator.kind === 'process') return operator.onEnd !== undefined;
  return operator.kind === 'pipe' && operator.isStateless !== true;
}

/** Slow tasks take hundreds of intervals, and as many checkpoints: now and then is enough. */
function mayBeSlow(random: SeededRandom, checkpoints: ShapeLimits['checkpoints']): boolean {
  return checkpoints === undefined || random.fork('slow checkpoints').chance(0.03);
}

/** How messages travel. Only rough ones meet outages. */
function drawMessages(shape: SeededRandom, connections: SeededRandom): Pick<DrawnShape, 'messages' | 'outages'> {
  if (!shape.chance(0.5)) return { messages: 'prompt', outages: 0 };
  return { messages: 'rough', outages: connections.pick([0, 1, 2, 4]) };
}

/**
 * Draws faults for `plan`; `recordsIn` is the number of records that each vertex reads, so that faults fire while it
 * reads.
 */
export function drawFaults(
  random: SeededRandom,
  plan: JobPlan,
  recordsIn: ReadonlyMap<string, number>,
  { batchSize }: DrawnShape,
  { maxFaults = 4 }: { readonly maxFaults?: number | undefined },
): DrawnFault[] {
  const faults = random.fork('faults');
  return Array.from({ length: faults.integer(0, maxFaults) }, (): DrawnFault => {
    const point = faults.pick(points);
    const drawnEffect = faults.pick(effects);
    if (!taskPoints.has(point)) {
      const effect = drawnEffect === 'executor is lost' ? 'throws' : drawnEffect;
      return { point, vertex: undefined, subtask: undefined, skip: faults.integer(0, 20), effect };
    }
    const { id, parallelism } = faults.pick(plan.jobGraph.vertices);
    const batches = Math.ceil((recordsIn.get(id) ?? 0) / parallelism / batchSize);
    return {
      point,
      vertex: id,
      subtask: faults.integer(0, parallelism - 1),
      effect: drawnEffect,
      // Occasionally in a later attempt.
      skip: point === taskFaultPoints.batch ? faults.integer(0, batches) : faults.pick([0, 0, 0, 1]),
    };
  });
}

/** Draws what goes wrong with the checkpoints of `plan`. */
export function drawFaultsOfCheckpoints(
  random: SeededRandom,
  plan: JobPlan,
  { checkpoints }: DrawnShape,
  { maxFaults = 4 }: { readonly maxFaults?: number | undefined },
): DrawnCheckpointFault[] {
  return checkpoints === undefined ? [] : drawCheckpointFaults(random.fork('checkpoint faults'), plan, maxFaults);
}

/** The plan with the drawn parallelism, unless it conflicts with operators that set their own. */
function fittingPlan({ name, steps, parallelism }: JobDefinition, mode: JobMode, drawn: number): FittingPlan {
  const planned = (fitting: number): FittingPlan => {
    const { jobGraph, programs } = planJob({ name, steps, mode, parallelism: fitting });
    return { parallelism: fitting, jobGraph, programs };
  };
  try {
    return planned(drawn);
  } catch (error) {
    if (error instanceof JobValidationError) return planned(parallelism);
    throw error;
  }
}

interface FittingPlan extends Pick<JobPlan, 'jobGraph' | 'programs'> {
  readonly parallelism: number;
}

/**
 * Number of slots of the largest region; of all tasks if producers would wait for their consumers when memory is full.
 */
function slotsTakenTogether({ jobGraph }: FittingPlan): number {
  const graph = new ExecutionGraph(jobGraph);
  if (jobGraph.edges.some(({ exchange }) => exchange.name === 'memory')) return new SlotSharing(graph).count;
  return slotDemand(graph, pipelinedRegions(graph)).least;
}

/** Most time is spent in batches; the other points are the edges where recovery tends to break. */
const points: readonly string[] = [
  taskFaultPoints.batch,
  taskFaultPoints.batch,
  taskFaultPoints.batch,
  ...Object.values(taskFaultPoints),
  ...Object.values(spillFaultPoints),
  ...Object.values(partitionFaultPoints),
];

/** That of operators that set none, unless a simulation says otherwise. */
const mostParallelism = 4;

const infinity = Number.POSITIVE_INFINITY;

const diskBudgets = [infinity, infinity, infinity, 20_000, 3_000];

/** Most faults are thrown by tasks. */
const effects = [
  'throws',
  'throws',
  'throws',
  'throws',
  'files vanish',
  'bytes rot',
  'files are cut',
  'executor is lost',
] as const;

const taskPoints: ReadonlySet<string> = new Set(Object.values(taskFaultPoints));
