import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fixedDelay, type Job, type JobEvent, type JobRun, type JobRunOptions, workers } from '../../src/index.ts';
import { planJob } from '../../src/api/job-planner.ts';
import { workerThreads } from '../../src/executors/workers/worker-threads.ts';
import { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import { pipelinedRegions } from '../../src/graph/pipelined-region.ts';
import { insideOf } from '../../src/run/run-inside.ts';
import { slotDemand } from '../../src/scheduling/slot-demand.ts';
import { writeCollected } from './chaos-job.ts';
import chaosModule, { collected, Fate } from './chaos-module.ts';
import type { ChaosPlan, Disturbance } from './plans/chaos-plan.ts';
import { Instants } from './instants.ts';
import { killAtFileOperation } from './kill-at-file-operation.ts';
import { toldOf } from './told-events.ts';
import type { WorkersPlan } from './plans/worker-plan.ts';

/** How a process that was not killed ended. */
export interface ChildReport {
  /** Tasks that were taken over; undefined if there was no earlier run. */
  readonly restored: number | undefined;
  readonly calls: number;
}

/** What a process is started with. */
export interface ChildTask {
  readonly home: string;
  /** Its directory, for what it counts and tells. */
  readonly marks: string;
  readonly version: number;
  readonly disturbance: Disturbance;
  /** The modules that its workers load: the job, and their entry. */
  readonly module: string;
  readonly entry: string;
}

/** A process that runs the job of a directory until it has finished, or is killed. */
async function main({ home, marks, version, disturbance, module, entry }: ChildTask): Promise<void> {
  const plan = JSON.parse(readFileSync(join(home, 'plan.json'), 'utf8')) as ChaosPlan;
  const instants = new Instants(marks);
  const fate = new Fate(instants, disturbance);
  const { kill, workers: threads } = disturbance;
  const isArmed = (kill?.afterCheckpoints ?? 0) === 0;
  if (kill?.at === 'file' && isArmed) killAtFileOperation(kill, () => fate.die());
  const job = chaosModule({ home, marks, version: `${version}`, disturbance: JSON.stringify(disturbance) });
  const run = job.run({
    stateDirectory: join(home, 'state'),
    spillDirectory: join(home, 'spilled'),
    batchSize: 8,
    restartBackoff: fixedDelay({ maxAttempts: 20, delayMs: 1 }),
    checkpoints: checkpointsOf(plan),
    ...(threads && overWorkers(job, threads, module, entry)),
  });
  run.events$.subscribe((event) => {
    tell(marks, event);
    fate.passed('event');
    if (event.type === 'checkpoint.completed' && fate.checkpointed()) process.stderr.write('armed\n');
  });
  if (threads !== undefined) {
    terminate(run, threads, instants);
    drain(run, threads, instants);
  }
  process.stderr.write(isArmed ? 'began\narmed\n' : 'began\n');
  const { receipt } = await run.result;
  writeCollected(plan, home, collected);
  const report: ChildReport = {
    restored: receipt.resumed?.tasks,
    calls: instants.count('call'),
  };
  process.stdout.write(JSON.stringify(report));
}

function checkpointsOf({ checkpointsEveryMs, stream }: ChaosPlan): JobRunOptions['checkpoints'] {
  return checkpointsEveryMs === undefined
    ? undefined
    : { intervalMs: checkpointsEveryMs, retained: stream?.retained ?? 2 };
}

/** Jobs are short here. */
const eager = { ratio: 0.01, multiplier: 1, minimumMs: 20, checkIntervalMs: 10 } as const;

function overWorkers(job: Job, plan: WorkersPlan, module: string, entry: string): JobRunOptions {
  const { count, spareSlots, heartbeat, callTimeoutMs, hasSecondAttempts } = plan;
  const graph = new ExecutionGraph(planJob(job).jobGraph);
  const { least } = slotDemand(graph, pipelinedRegions(graph));
  const options = {
    ...{ count, module, slots: Math.ceil(least / count) + spareSlots },
    ...(callTimeoutMs !== undefined && { callTimeoutMs }),
    resourceLimits: { maxOldGenerationSizeMb: 48 },
  };
  return {
    executors: workerThreads({ ...workers(options), entry }),
    ...(heartbeat && { heartbeat }),
    ...(hasSecondAttempts && { speculation: eager }),
  };
}

/** Terminates workers at their time. */
function terminate(run: JobRun, { deaths }: WorkersPlan, instants: Instants): void {
  for (const [index, { by, when }] of deaths.entries()) {
    if (by !== 'terminate') continue;
    const kill = (): void => {
      const { controls } = insideOf(run);
      const executors = [...insideOf(run).executors()].filter(({ state }) => state === 'registered');
      const chosen = executors[index % Math.max(1, executors.length)];
      if (chosen === undefined || run.status !== 'running' || !instants.claim(`${index} terminate`)) return;
      controls.loseExecutor(chosen.executor);
    };
    if (when.at === 'delay') setTimeout(kill, when.ms).unref();
    if (when.at === 'event') run.events$.subscribe(() => instants.count('event') === when.count && kill());
  }
}

/** Stops a worker gracefully at its time. What it holds is read first, however long that takes. */
function drain(run: JobRun, { drained }: WorkersPlan, instants: Instants): void {
  if (drained === undefined) return;
  const events = run.events$.subscribe(() => {
    if (instants.count('event') < drained.atEvent || run.status !== 'running') return;
    const [first] = [...insideOf(run).executors()].filter(({ state }) => state === 'registered');
    if (first === undefined) return;
    events.unsubscribe();
    insideOf(run).controls.drainExecutor(first.executor, { graceMs: 600_000 });
  });
}

function tell(marks: string, event: JobEvent): void {
  const told = toldOf(event);
  if (told !== undefined) appendFileSync(join(marks, 'told'), `${JSON.stringify(told)}\n`);
}

await main(JSON.parse(process.argv[2] as string) as ChildTask);
