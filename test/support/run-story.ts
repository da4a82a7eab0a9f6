import {
  fixedDelay,
  type Job,
  type JobEvent,
  type JobReceipt,
  type JobRunOptions,
  type KeptResult,
  type Logger,
} from '../../src/index.ts';
import { planJob } from '../../src/api/job-planner.ts';
import { runJob, type RunSeams } from '../../src/run/run-job.ts';
import { LocalDataPlane } from '../../src/executors/local-data-plane.ts';
import { type Fault, type FaultPlan, faultPlan, virtualEnvironment } from '../../src/testing/index.ts';
import { workersInPlace } from './over-workers.ts';
import { ExecutionGraph } from '../../src/graph/execution-graph.ts';

/** The observations of a run in a story. */
export interface StoryEnd {
  readonly receipt: JobReceipt;
  readonly kept: readonly KeptResult[];
  readonly events: readonly JobEvent[];
  /** Attempts by vertex: the maximum over its subtasks. */
  readonly attempts: Readonly<Record<string, number>>;
  /** Faults that were armed but never fired, in which case the story proves nothing. */
  readonly unfired: readonly Fault[];
  /** Tasks that were canceled or restarted, in order of the first time. */
  readonly disturbed: readonly string[];
  /** Tasks that ran at least twice, with their number of attempts. */
  readonly ranAgain: Readonly<Record<string, number>>;
}

/**
 * Where the tasks of a story run: on executors that share a data plane and their results, or on workers that share nothing
 * but messages. Both are on this thread and on virtual time.
 */
export const storyKinds = ['in one data plane', 'over workers'] as const;

export type StoryKind = (typeof storyKinds)[number];

let told: StoryKind = storyKinds[0];

/** Stories that name no kind are of this one, from now on. */
export function tellStoriesOf(kind: StoryKind): void {
  told = kind;
}

/** Declares stories that do not hold over workers, and why: there they are skipped. */
export function inOneDataPlane(why: string, declare: () => void): void {
  if (told === 'in one data plane') declare();
  else describe.skip(`not over workers: ${why}`, declare);
}

export interface StoryOptions extends JobRunOptions {
  /** Default: in one data plane, unless the file says otherwise. */
  readonly kind?: StoryKind;
  readonly faults?: FaultPlan;
  /** Executors behave like separate machines: their results are lost with them. */
  readonly resultsOfLostExecutors?: 'kept' | 'lost';
  readonly logger?: Logger;
}

/** Plays a story on virtual time. `strike` may arm faults that need the cluster. */
export async function runStory(
  job: Job,
  { kind = told, faults = faultPlan(), resultsOfLostExecutors = 'kept', logger, ...options }: StoryOptions = {},
  strike: (story: { faults: FaultPlan; loseExecutorOf: (task: string) => void }) => void = () => {},
): Promise<StoryEnd> {
  const environment = virtualEnvironment({ faults, logger });
  const plan = planJob(job);
  const graph = new ExecutionGraph(plan.jobGraph);
  let cluster: Parameters<NonNullable<RunSeams['cluster']>>[0] | undefined;
  const loseExecutorOf = (task: string): void => {
    for (let vertex = 0; vertex < graph.vertexCount; vertex++) {
      if (graph.nameOf(vertex as never) !== task) continue;
      const executor = cluster?.executors.executorOf(vertex as never);
      if (executor === undefined) throw new Error(`${task} runs nowhere`);
      if (resultsOfLostExecutors === 'lost') cluster?.executors.kill(executor, 'its machine is off');
      else cluster?.connections.declareLost(executor, 'its machine is off');
      return;
    }
    throw new Error(`There is no task ${task}`);
  };
  strike({ faults, loseExecutorOf });
  const run = runJob(
    plan,
    {
      restartBackoff: fixedDelay({ maxAttempts: 20, delayMs: 10 }),
      batchSize: 8,
      environment,
      ...options,
    },
    {
      ...(kind === 'in one data plane'
        ? { dataPlane: (given, resolved) => new LocalDataPlane(given, { ...resolved, maxSteps }) }
        : { executors: (parts) => workersInPlace(parts, options, maxSteps) }),
      cluster: (made) => {
        cluster = made;
      },
    },
  );
  const events: JobEvent[] = [];
  run.events$.subscribe((event) => events.push(event));
  const { receipt, kept } = await environment.drive(run.result);
  const disturbed = new Set<string>();
  const starts = new Map<string, number>();
  for (const event of events) {
    if (event.type !== 'task.stateChanged') continue;
    if (event.state === 'canceling' || event.attempt > 0) disturbed.add(event.task);
    if (event.state === 'running') starts.set(event.task, (starts.get(event.task) ?? 0) + 1);
  }
  return {
    receipt,
    kept,
    events,
    attempts: receipt.attemptsByVertex,
    unfired: faults.unfired(),
    disturbed: [...disturbed],
    ranAgain: Object.fromEntries([...starts].filter(([, count]) => count > 1)),
  };
}

/** Few per turn, so that messages arrive in between. */
const maxSteps = (): number => 8;

/** Kills a task after it has taken some batches, `times` times. */
export function killing(vertex: string, { subtask = 0, skip = 3, times = 1 } = {}, faults = faultPlan()): FaultPlan {
  faults.fail('task.batch', {
    when: (place) => place['vertex'] === vertex && place['subtask'] === subtask,
    skip,
    times,
  });
  return faults;
}
