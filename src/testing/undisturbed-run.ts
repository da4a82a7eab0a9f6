import { planJob } from '../api/job-planner.ts';
import type { JobDefinition } from '../api/stream-graph.ts';
import { CapturedOutput } from './captured-output.ts';
import type { DrawnShape } from './drawn-run.ts';
import { type FaultPlace, faultPlan } from './fault-plan.ts';
import { MemorySpillStore } from './storage/memory-spill-store.ts';
import { runSimulated, type UndrawnOptions } from './simulated-run.ts';
import { virtualEnvironment } from './virtual-environment.ts';

/** The outcome of a job without faults. */
export interface Undisturbed {
  readonly output: ReadonlyMap<string, readonly unknown[]>;
  /** The number of records that each vertex reads. */
  readonly recordsIn: ReadonlyMap<string, number>;
  /** How long it took, in ms of virtual time. */
  readonly durationMs: number;
}

const undisturbedByJob = new WeakMap<JobDefinition, Promise<Undisturbed>>();

/** Runs a job without faults, once per job. */
export function undisturbedRun(job: JobDefinition, options: UndrawnOptions): Promise<Undisturbed> {
  const known = undisturbedByJob.get(job);
  if (known !== undefined) return known;
  const running = runUndisturbed(job, options);
  undisturbedByJob.set(job, running);
  return running;
}

/** A setup without disturbances. */
const undrawn: Omit<DrawnShape, 'mode' | 'parallelism'> = {
  seed: 0,
  batchSize: 1_024,
  memoryBudgetBytes: Number.POSITIVE_INFINITY,
  memoryOverflow: 'drop',
  diskBudgetBytes: Number.POSITIVE_INFINITY,
  diskOverflow: 'back-pressure',
  keepResults: 'until-consumers-finish',
  failoverStrategy: 'restartPipelinedRegion',
  delayMs: 0,
  executors: 1,
  slots: Number.POSITIVE_INFINITY,
  maxSteps: 64,
  messages: 'prompt',
  areWorkers: false,
  outages: 0,
  slowness: undefined,
  checkpoints: undefined,
  sinkAnswers: 'at once',
};

async function runUndisturbed(job: JobDefinition, options: UndrawnOptions): Promise<Undisturbed> {
  const captured = new CapturedOutput();
  const { name, mode, parallelism } = job;
  const plan = planJob({ name, mode, parallelism, steps: captured.inPlaceOfSinks(job.steps) });
  const recordsIn = new Map<string, number>();
  const faults = faultPlan();
  faults.call(
    'task.finish',
    ({ vertex, records }: FaultPlace) => {
      recordsIn.set(String(vertex), (recordsIn.get(String(vertex)) ?? 0) + Number(records));
    },
    { times: Number.POSITIVE_INFINITY },
  );
  const environment = virtualEnvironment({ seed: 0, faults, logger: options.logger });
  const { failure } = await runSimulated(
    plan,
    environment,
    { ...undrawn, mode, parallelism },
    new MemorySpillStore(environment.clock),
    options,
  );
  if (failure !== undefined) throw failure;
  return { output: captured.records(), recordsIn, durationMs: environment.clock.now() };
}
