import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { planJob } from '../../../src/api/job-planner.ts';
import type { JobDefinition } from '../../../src/api/stream-graph.ts';
import type { Executors } from '../../../src/executors/executors.ts';
import { ExecutionGraph } from '../../../src/graph/execution-graph.ts';
import { pipelinedRegions } from '../../../src/graph/pipelined-region.ts';
import { JobCanceledError, type JobEvent, type JobRun, type LmdbState } from '../../../src/index.ts';
import { armFaults } from '../../../src/testing/armed-faults.ts';
import { CapturedOutput } from '../../../src/testing/captured-output.ts';
import type { DrawnCheckpoints, DrawnSavepoint } from '../../../src/testing/checkpoints/drawn-checkpoints.ts';
import { type DrawnCheckpointFault, Moments } from '../../../src/testing/checkpoints/moments.ts';
import { missingStates } from '../../../src/testing/checkpoints/missing-states.ts';
import { SimulatedCheckpoints } from '../../../src/testing/checkpoints/simulated-checkpoints.ts';
import { componentCount, SimulatedSavepoint } from '../../../src/testing/checkpoints/simulated-savepoint.ts';
import { continueRun } from '../../../src/testing/continued-run.ts';
import type { DrawnRun } from '../../../src/testing/drawn-run.ts';
import { type SeededRandom, virtualEnvironment } from '../../../src/testing/index.ts';
import { differences } from '../../../src/testing/output-differences.ts';
import { runSimulated, type SimulatedEnd } from '../../../src/testing/simulated-run.ts';
import { MemorySpillStore } from '../../../src/testing/storage/memory-spill-store.ts';
import type { Undisturbed } from '../../../src/testing/undisturbed-run.ts';

/** What a process finds that continues a job. */
export interface Left {
  readonly stateDirectory: string;
  readonly captured: CapturedOutput;
  readonly checkpoints: SimulatedCheckpoints;
  readonly nowMs: number;
  /** A complete savepoint of a process that was drained, and died before it ended. */
  readonly drained: Drained | undefined;
}

/** A savepoint of a process whose input ended with it. */
interface Drained {
  readonly savepoint: SimulatedSavepoint;
  readonly drawn: DrawnSavepoint;
}

export interface Process {
  readonly job: JobDefinition;
  readonly number: number;
  readonly random: SeededRandom;
  readonly drawn: DrawnRun & { readonly checkpoints: DrawnCheckpoints };
  readonly undisturbed: Undisturbed;
  /** When it dies: after so many ms, or when it tells of so many completed checkpoints; undefined if it lives. */
  readonly death: { readonly ms: number } | { readonly completed: number } | undefined;
  /** If its run is stopped then, and it does not die: how long it goes on after the end of the run, in ms. */
  readonly afterStopMs: number | undefined;
  readonly home: string;
  readonly stateBackend: LmdbState | undefined;
}

type ProcessEnd = {
  readonly events: readonly JobEvent[];
  readonly struck: readonly DrawnCheckpointFault[];
} & (
  | { readonly kind: 'died' | 'canceled' | 'stopped'; readonly left: Left }
  | { readonly kind: 'ended'; readonly isDrained: boolean; readonly isWithoutCheckpoint: boolean }
);

/** Everything that a process consists of, before it runs. */
function setUp({ job, number, random, drawn, home }: Process, before: Left | undefined) {
  const environment = virtualEnvironment({ seed: drawn.seed, order: 'shuffled', startMs: before?.nowMs ?? 0 });
  const { clock } = environment;
  const moments = new Moments();
  const checkpoints = new SimulatedCheckpoints(drawn.checkpoints, clock, random.fork('storage'), moments);
  if (before !== undefined) checkpoints.storage.takeOver(before.checkpoints.storage);
  const captured =
    before?.captured.copy(moments) ??
    new CapturedOutput(undefined, { redo: 'replaces', sinks: 'transactional', moments });
  const stop = drawn.checkpoints.savepoint;
  return {
    ...{ environment, moments, checkpoints, captured, drained: before?.drained },
    savepoint: stop && new SimulatedSavepoint(stop, clock, random.fork('savepoint')),
    stateDirectory: before?.stateDirectory ?? join(home, `state-${number}`),
    plan: planJob({ ...drawn, name: job.name, steps: captured.inPlaceOfSinks(job.steps) }),
  };
}

type SetUp = ReturnType<typeof setUp>;

/** What the next process finds, as it is now. */
function leftBy({ random, drawn }: Process, set: SetUp, stateDirectory: string): Left {
  const { environment, moments, checkpoints, captured, savepoint } = set;
  const { clock } = environment;
  const frozen = new SimulatedCheckpoints(drawn.checkpoints, clock, random.fork('left'));
  frozen.storage.takeOver(checkpoints.storage);
  const stop = drawn.checkpoints.savepoint;
  const taken = stop?.drains === true ? savepoint?.copy(clock, random.fork('savepoint left')) : undefined;
  const drained = taken && stop ? { savepoint: taken, drawn: stop } : set.drained;
  return { stateDirectory, captured: captured.copy(moments), checkpoints: frozen, nowMs: clock.now(), drained };
}

/** One process. */
export async function live(process: Process, before: Left | undefined): Promise<ProcessEnd> {
  const { number, random, drawn, death, afterStopMs, home, stateBackend } = process;
  const set = setUp(process, before);
  const { environment, moments, checkpoints, savepoint, plan, stateDirectory } = set;
  const graph = new ExecutionGraph(plan.jobGraph);
  moments.arm(drawn.checkpointFaults);
  const spillStore = new MemorySpillStore(environment.clock, { faults: environment.faults });
  let executors: Executors | undefined;
  armFaults(environment.faults, drawn.faults, spillStore.files, () => {});
  let left: Left | undefined;
  const die = (run: JobRun): void => {
    if (run.status !== 'running' || left !== undefined) return;
    if (afterStopMs !== undefined) {
      checkpoints.timers.after(0, () => void run.stop());
      return;
    }
    const next = join(home, `state-${number + 1}`);
    cpSync(stateDirectory, next, { recursive: true, filter: (path) => !path.includes('owner.kintsugi') });
    left = leftBy(process, set, next);
    // What comes after that happens in another world.
    moments.isQuiet = true;
    checkpoints.timers.after(0, () => void run.stop());
  };
  const dieWith = (run: JobRun, completed: number): void => {
    let count = 0;
    run.events$.subscribe(({ type }) => {
      if (type === 'checkpoint.completed' && ++count === completed) die(run);
    });
  };
  const ended = await runSimulated(
    plan,
    environment,
    drawn,
    spillStore,
    {},
    {
      started: (started) => {
        executors = started;
      },
      ...{ checkpoints, savepoint, stateDirectory, stateBackend },
      running: (run) => {
        checkpoints.storage.isInstant = true;
        moments.isQuiet = true;
        run.events$.subscribe((event) => {
          if (event.type !== 'job.statusChanged' || event.status !== 'running') return;
          checkpoints.storage.isInstant = false;
          moments.isQuiet = left !== undefined;
        });
        checkpoints.watch(graph, random.fork('strikes'), () => ({ run, executors }));
        savepoint?.take(run, checkpoints.timers, moments, componentCount(graph));
        if (death === undefined) return;
        if ('ms' in death) checkpoints.timers.after(death.ms, () => die(run));
        else dieWith(run, death.completed);
      },
    },
  );
  const told = { events: ended.history.events, struck: moments.fired };
  const missing = missingStates(told.events, graph, pipelinedRegions(graph));
  if (missing.length > 0) throw new Error(missing.join('\n  '));
  if (left !== undefined) return { kind: 'died', ...told, left };
  return { ...told, ...(await looked(process, set, ended)) };
}

/** Looks at the end of a process that lived. */
async function looked(
  process: Process,
  set: SetUp,
  { failure, leftovers, unrecorded, history, deaths }: SimulatedEnd,
): Promise<
  | { readonly kind: 'canceled' | 'stopped'; readonly left: Left }
  | { readonly kind: 'ended'; readonly isDrained: boolean; readonly isWithoutCheckpoint: boolean }
> {
  const { number, drawn, undisturbed, afterStopMs } = process;
  const { environment, checkpoints, captured, savepoint } = set;
  const { clock } = environment;
  const stop = drawn.checkpoints.savepoint;
  const hasStopped = savepoint?.hasStopped(failure) === true && stop?.drains !== true;
  const isCanceled = !hasStopped && afterStopMs !== undefined && failure instanceof JobCanceledError;
  const isWithoutCheckpoint = checkpoints.mayFailWith(failure);
  if (savepoint?.outcome === 'failed') await environment.drive(savepoint.settled(clock));
  const problems = [
    ...(failure === undefined || hasStopped || isCanceled || isWithoutCheckpoint
      ? []
      : [`process ${number} failed: ${failure.message}`]),
    ...captured.problems(failure === undefined || hasStopped),
    ...captured.lateCommits({ history, deaths }, drawn),
    ...(savepoint?.problems() ?? []),
    ...leftovers,
    ...unrecorded,
  ];
  const check = (): void => {
    if (problems.length > 0) throw new Error(problems.join('\n  '), { cause: failure });
  };
  if (hasStopped) {
    check();
    return { kind: 'stopped', left: leftBy(process, set, set.stateDirectory) };
  }
  if (isCanceled) {
    check();
    // What was on its way to the storage may still arrive there.
    await environment.drive(new Promise<void>((resolve) => checkpoints.timers.after(afterStopMs, resolve)));
    return { kind: 'canceled', left: leftBy(process, set, set.stateDirectory) };
  }
  const comparable = captured.comparable.bind(captured);
  const wrong = (): string[] =>
    failure === undefined ? differences(undisturbed.output, captured.records(), comparable) : [];
  const isOwn = stop?.drains === true && savepoint?.isTaken === true;
  // One that the process before has completed ends this one, unless that died before it had noted so.
  const drained = isOwn ? { savepoint, drawn: stop } : wrong().length > 0 ? set.drained : undefined;
  const later = drained && problems.length === 0 ? await continued(process, set, drained) : undefined;
  problems.push(...(later?.problems ?? []));
  // One that rightly failed has not written everything.
  if (later?.hasFailed !== true) problems.push(...wrong());
  check();
  return { kind: 'ended', isDrained: drained !== undefined, isWithoutCheckpoint };
}

/** Continues from the savepoint of a process that was drained. */
async function continued(
  process: Process,
  set: SetUp,
  { savepoint, drawn: stop }: Drained,
): Promise<{ readonly problems: readonly string[]; readonly hasFailed: boolean }> {
  const { job, random, stateBackend, drawn } = process;
  const { captured, checkpoints } = set;
  const end = await continueRun({
    ...{ job, captured, checkpoints, savepoint, random, stateBackend, options: {} },
    drawn: { ...drawn, checkpoints: { ...drawn.checkpoints, savepoint: stop } },
  });
  const { failure } = end.ended;
  const isExpected = failure === undefined || end.checkpoints.mayFailWith(failure);
  const unexpected = isExpected ? [] : [`continued from the savepoint, it failed: ${failure.message}`];
  return { problems: [...end.problems, ...unexpected], hasFailed: failure !== undefined };
}
