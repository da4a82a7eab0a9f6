import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { planJob } from '../../../src/api/job-planner.ts';
import type { Executors } from '../../../src/executors/executors.ts';
import { ExecutionGraph } from '../../../src/graph/execution-graph.ts';
import { type JobEvent, type JobRun, type LmdbState, lmdbState } from '../../../src/index.ts';
import { armFaults } from '../../../src/testing/armed-faults.ts';
import { CapturedOutput } from '../../../src/testing/captured-output.ts';
import type {
  DrawnCheckpoints,
  DrawnSavepoint,
  SavepointLimits,
} from '../../../src/testing/checkpoints/drawn-checkpoints.ts';
import { type DrawnCheckpointFault, Moments } from '../../../src/testing/checkpoints/moments.ts';
import { missingStates } from '../../../src/testing/checkpoints/missing-states.ts';
import { SimulatedCheckpoints } from '../../../src/testing/checkpoints/simulated-checkpoints.ts';
import { componentCount, SimulatedSavepoint } from '../../../src/testing/checkpoints/simulated-savepoint.ts';
import { continueRun } from '../../../src/testing/continued-run.ts';
import { drawFaults, drawFaultsOfCheckpoints, type DrawnRun, drawShape } from '../../../src/testing/drawn-run.ts';
import { seededRandom, type SeededRandom, virtualEnvironment } from '../../../src/testing/index.ts';
import { differences } from '../../../src/testing/output-differences.ts';
import { runSimulated, type SimulatedEnd } from '../../../src/testing/simulated-run.ts';
import { MemorySpillStore } from '../../../src/testing/storage/memory-spill-store.ts';
import { type Undisturbed, undisturbedRun } from '../../../src/testing/undisturbed-run.ts';
import type { JobDefinition } from '../../../src/api/stream-graph.ts';
import { large } from '../drawn/drawn-size.ts';
import { drawStream } from '../drawn/drawn-stream.ts';
import { withChangedStep } from './changed-step.ts';

/** The processes of a stream that died, one after the other. */
export interface DyingReport {
  /** Those that died before the job had ended, */
  readonly deaths: number;
  /** and those that stopped with a savepoint: the next one continues them. */
  readonly stopped: number;
  /** Whether the last one was drained, so that a run continued from its savepoint. */
  readonly isDrained: boolean;
  /** Components that continued from a checkpoint of a dead process, and those that began anew. */
  readonly continued: number;
  readonly anew: number;
  /** Processes that continue a job of which a step has changed. */
  readonly changed: number;
  /** Tasks that had finished in one. */
  readonly finished: number;
  readonly faults: number;
  /** Whether keyed states were on disk. */
  readonly isOnDisk: boolean;
  /** Whether it rightly failed, because no checkpoint was left that can be read. */
  readonly isWithoutCheckpoint: boolean;
}

/** What a process finds that continues a job. */
interface Left {
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

interface Process {
  readonly job: JobDefinition;
  readonly number: number;
  readonly random: SeededRandom;
  readonly drawn: DrawnRun & { readonly checkpoints: DrawnCheckpoints };
  readonly undisturbed: Undisturbed;
  /** When it dies: after so many ms, or when it tells of so many completed checkpoints; undefined if it lives. */
  readonly death: { readonly ms: number } | { readonly completed: number } | undefined;
  readonly home: string;
  readonly stateBackend: LmdbState | undefined;
}

/** What is the same for all processes of a stream. */
interface Stream extends Pick<Process, 'job' | 'undisturbed' | 'home'> {
  readonly random: SeededRandom;
  readonly shape: ReturnType<typeof drawShape>;
  readonly checkpoints: DrawnCheckpoints;
  readonly deaths: number;
  readonly isOnDisk: boolean;
}

/**
 * Simulates the stream of a seed with a state directory, in processes that die at drawn moments of virtual time, until one
 * of them lives. Their sinks are transactional, and all of what goes wrong with checkpoints may strike each. Some stop with a
 * savepoint before; from that of one that was drained, a run continues. Between two, a step may change. Of some, keyed states are
 * on disk. undefined for a stream that may count records twice.
 *
 * @throws Error if the output is not that of an undisturbed run, or anything else is wrong
 */
export async function simulateDying(seed: number, size = large): Promise<DyingReport | undefined> {
  const { job, checkpoints: mode } = drawStream(seed, size);
  if (mode !== 'exactly-once') return undefined;
  const undisturbed = await undisturbedRun(job, {});
  const random = seededRandom(seed).fork('deaths');
  const shape = drawShape(random, job, {
    checkpoints: mode,
    durationMs: undisturbed.durationMs,
    maxParallelism: size.runParallelism,
  });
  const settings = shape.checkpoints as NonNullable<typeof shape.checkpoints>;
  const checkpoints = { ...settings, savepoint: undefined, sinks: 'transactional' as const };
  const home = mkdtempSync(join(tmpdir(), 'dying-'));
  const deaths = random.integer(1, 3);
  const isOnDisk = random.fork('state backend').chance(0.25);
  let stream: Stream = { job, undisturbed, home, random, shape, checkpoints, deaths, isOnDisk };
  const report = {
    deaths: 0,
    stopped: 0,
    isDrained: false,
    continued: 0,
    anew: 0,
    changed: 0,
    finished: 0,
    faults: 0,
    isOnDisk,
  };
  let left: Left | undefined;
  try {
    for (let number = 0; number <= deaths; number++) {
      const change = random.fork(`change ${number}`);
      if (number > 0 && change.chance(0.12)) {
        stream = { ...stream, job: withChangedStep(stream.job, change, `${number}`) };
        report.changed++;
      }
      const end = await live(drawProcess(stream, number), left);
      report.faults += end.struck.length;
      for (const event of end.events) {
        if (event.type !== 'job.resumed') continue;
        report.finished += event.taskCount;
        for (const { checkpoint } of event.checkpoints ?? []) report[checkpoint === undefined ? 'anew' : 'continued']++;
      }
      if (end.kind === 'ended') {
        return { ...report, isDrained: end.isDrained, isWithoutCheckpoint: end.isWithoutCheckpoint };
      }
      report[end.kind === 'died' ? 'deaths' : 'stopped']++;
      left = end.left;
    }
  } catch (error) {
    throw new Error(`Stream ${seed} in processes that die: ${(error as Error).message}`, { cause: error });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
  throw new Error(`Stream ${seed}: no process lived`);
}

/** Draws how a process stops with a savepoint, if it does: mostly where it can be drained, which few can. */
function drawStop(
  random: SeededRandom,
  { rescales, mayDrain }: SavepointLimits,
  durationMs: number,
): DrawnSavepoint | undefined {
  if (rescales.length === 0 || !random.chance(mayDrain ? 0.9 : 0.15)) return undefined;
  return {
    atMs: random.integer(1, Math.max(1, Math.round(durationMs * random.pick([0.3, 1])))),
    ...{ stops: true, drains: mayDrain && random.chance(0.9), parallelism: random.pick(rescales) },
  };
}

/** Draws a process of a stream. */
function drawProcess(stream: Stream, number: number): Process {
  const { job, undisturbed, home, random, shape, checkpoints, deaths, isOnDisk } = stream;
  const { durationMs, recordsIn } = undisturbed;
  const own = random.fork(`process ${number}`);
  const longestMs = Math.max(2, Math.round(durationMs * 1.2));
  const drawnDeath = own.chance(0.5) ? { ms: own.integer(1, longestMs) } : { completed: own.integer(1, 4) };
  const death = number < deaths ? drawnDeath : undefined;
  const plan = planJob({ ...shape, name: job.name, steps: new CapturedOutput().inPlaceOfSinks(job.steps) });
  const faults = drawFaults(own, plan, recordsIn, shape, { maxFaults: 2 });
  const checkpointFaults = drawFaultsOfCheckpoints(own, plan, { ...shape, checkpoints }, { maxFaults: 2 });
  const stop = drawStop(own.fork('stop'), checkpoints.limits, durationMs);
  // Somebody must be left to continue it.
  const savepoint = stop?.drains === true || number < deaths ? stop : undefined;
  const setup = { ...shape, seed: random.seed + number, slowness: undefined, faults, checkpointFaults };
  return {
    ...{ job, number, random: own, undisturbed, death, home },
    drawn: { ...setup, checkpoints: { ...checkpoints, savepoint } },
    stateBackend: isOnDisk ? lmdbState({ directory: join(home, 'disk'), cacheBytes: 20_000 }) : undefined,
  };
}

type ProcessEnd = {
  readonly events: readonly JobEvent[];
  readonly struck: readonly DrawnCheckpointFault[];
} & (
  | { readonly kind: 'died' | 'stopped'; readonly left: Left }
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
async function live(process: Process, before: Left | undefined): Promise<ProcessEnd> {
  const { number, random, drawn, death, home, stateBackend } = process;
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
  const missing = missingStates(told.events, graph);
  if (missing.length > 0) throw new Error(missing.join('\n  '));
  if (left !== undefined) return { kind: 'died', ...told, left };
  return { ...told, ...(await looked(process, set, ended)) };
}

/** Looks at the end of a process that lived. */
async function looked(
  process: Process,
  set: SetUp,
  { failure, leftovers, unrecorded, history }: SimulatedEnd,
): Promise<
  | { readonly kind: 'stopped'; readonly left: Left }
  | { readonly kind: 'ended'; readonly isDrained: boolean; readonly isWithoutCheckpoint: boolean }
> {
  const { number, drawn, undisturbed } = process;
  const { environment, checkpoints, captured, savepoint } = set;
  const stop = drawn.checkpoints.savepoint;
  const hasStopped = savepoint?.hasStopped(failure) === true && stop?.drains !== true;
  const isWithoutCheckpoint = checkpoints.mayFailWith(failure);
  if (savepoint?.outcome === 'failed') await environment.drive(savepoint.settled(environment.clock));
  const problems = [
    ...(failure === undefined || hasStopped || isWithoutCheckpoint
      ? []
      : [`process ${number} failed: ${failure.message}`]),
    ...captured.problems(failure === undefined || hasStopped),
    ...captured.lateCommits(history.events, drawn),
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
  const comparable = captured.comparable.bind(captured);
  const wrong = (): string[] =>
    failure === undefined ? differences(undisturbed.output, captured.records(), comparable) : [];
  const isOwn = stop?.drains === true && savepoint?.isTaken === true;
  // One that the process before has completed ends this one, unless that died before it had noted so.
  const drained = isOwn ? { savepoint, drawn: stop } : wrong().length > 0 ? set.drained : undefined;
  if (drained !== undefined && problems.length === 0) problems.push(...(await continued(process, set, drained)));
  problems.push(...wrong());
  check();
  return { kind: 'ended', isDrained: drained !== undefined, isWithoutCheckpoint };
}

/** Continues from the savepoint of a process that was drained. @returns what is wrong then */
async function continued(process: Process, set: SetUp, { savepoint, drawn: stop }: Drained): Promise<string[]> {
  const { job, random, stateBackend, drawn } = process;
  const { captured, checkpoints } = set;
  const end = await continueRun({
    ...{ job, captured, checkpoints, savepoint, random, stateBackend, options: {} },
    drawn: { ...drawn, checkpoints: { ...drawn.checkpoints, savepoint: stop } },
  });
  const { failure } = end.ended;
  const isExpected = failure === undefined || end.checkpoints.mayFailWith(failure);
  return [...end.problems, ...(isExpected ? [] : [`continued from the savepoint, it failed: ${failure.message}`])];
}
