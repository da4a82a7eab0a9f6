import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { planJob } from '../../../src/api/job-planner.ts';
import type { Executors } from '../../../src/executors/executors.ts';
import { ExecutionGraph } from '../../../src/graph/execution-graph.ts';
import type { JobEvent, JobRun } from '../../../src/index.ts';
import { armFaults } from '../../../src/testing/armed-faults.ts';
import { CapturedOutput } from '../../../src/testing/captured-output.ts';
import { type DrawnCheckpointFault, Moments } from '../../../src/testing/checkpoints/moments.ts';
import { SimulatedCheckpoints } from '../../../src/testing/checkpoints/simulated-checkpoints.ts';
import { drawFaults, drawFaultsOfCheckpoints, type DrawnRun, drawShape } from '../../../src/testing/drawn-run.ts';
import { seededRandom, type SeededRandom, virtualEnvironment } from '../../../src/testing/index.ts';
import { differences } from '../../../src/testing/output-differences.ts';
import { runSimulated } from '../../../src/testing/simulated-run.ts';
import { MemorySpillStore } from '../../../src/testing/storage/memory-spill-store.ts';
import { type Undisturbed, undisturbedRun } from '../../../src/testing/undisturbed-run.ts';
import { drawStream } from '../drawn-stream.ts';

/** The processes of a stream that died, one after the other. */
export interface DyingReport {
  /** Those that died before the job had ended. */
  readonly deaths: number;
  /** Components that continued from a checkpoint of a dead process, and those that began anew. */
  readonly continued: number;
  readonly anew: number;
  /** Tasks that had finished in one. */
  readonly finished: number;
  readonly faults: number;
  /** Whether it rightly failed, because no checkpoint was left that can be read. */
  readonly isWithoutCheckpoint: boolean;
}

/** What a process finds that continues a job. */
interface Left {
  readonly stateDirectory: string;
  readonly captured: CapturedOutput;
  readonly checkpoints: SimulatedCheckpoints | undefined;
  readonly nowMs: number;
}

interface Process {
  readonly number: number;
  readonly random: SeededRandom;
  readonly drawn: DrawnRun & { readonly checkpoints: NonNullable<DrawnRun['checkpoints']> };
  readonly undisturbed: Undisturbed;
  /** When it dies: after so many ms, or when it tells of so many completed checkpoints; undefined if it lives. */
  readonly death: { readonly ms: number } | { readonly completed: number } | undefined;
  readonly home: string;
}

/**
 * Simulates the stream of a seed with a state directory, in processes that die at drawn moments of virtual time, until one
 * of them lives. Their sinks are transactional, and all of what goes wrong with checkpoints may strike each. undefined for a
 * stream that may count records twice.
 *
 * @throws Error if the output is not that of an undisturbed run, or anything else is wrong
 */
export async function simulateDying(seed: number): Promise<DyingReport | undefined> {
  const { job, checkpoints: mode } = drawStream(seed);
  if (mode !== 'exactly-once') return undefined;
  const undisturbed = await undisturbedRun(job, {});
  const random = seededRandom(seed).fork('deaths');
  const shape = drawShape(random, job, { checkpoints: mode, durationMs: undisturbed.durationMs });
  const settings = shape.checkpoints as NonNullable<typeof shape.checkpoints>;
  const checkpoints = { ...settings, savepoint: undefined, sinks: 'transactional' as const };
  const home = mkdtempSync(join(tmpdir(), 'dying-'));
  const deaths = random.integer(1, 3);
  const report = { deaths: 0, continued: 0, anew: 0, finished: 0, faults: 0, isWithoutCheckpoint: false };
  let left: Left | undefined;
  try {
    for (let number = 0; number <= deaths; number++) {
      const own = random.fork(`process ${number}`);
      const longestMs = Math.max(2, Math.round(undisturbed.durationMs * 1.2));
      const drawnDeath = own.chance(0.5) ? { ms: own.integer(1, longestMs) } : { completed: own.integer(1, 4) };
      const death = number < deaths ? drawnDeath : undefined;
      const plan = planJob({ ...shape, name: job.name, steps: new CapturedOutput().inPlaceOfSinks(job.steps) });
      const faults = drawFaults(own, plan, undisturbed.recordsIn, shape, { maxFaults: 2 });
      const checkpointFaults = drawFaultsOfCheckpoints(own, plan, { ...shape, checkpoints }, { maxFaults: 2 });
      const drawn = { ...shape, seed: seed + number, slowness: undefined, checkpoints, faults, checkpointFaults };
      const end = await live({ number, random: own, drawn, undisturbed, death, home }, job, left);
      report.faults += end.struck.length;
      for (const event of end.events) {
        if (event.type !== 'job.resumed') continue;
        report.finished += event.taskCount;
        for (const { checkpoint } of event.checkpoints ?? []) report[checkpoint === undefined ? 'anew' : 'continued']++;
      }
      if (end.kind === 'ended') return { ...report, isWithoutCheckpoint: end.isWithoutCheckpoint };
      report.deaths++;
      left = end.left;
    }
  } catch (error) {
    throw new Error(`Stream ${seed} in processes that die: ${(error as Error).message}`, { cause: error });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
  throw new Error(`Stream ${seed}: no process lived`);
}

type ProcessEnd = {
  readonly events: readonly JobEvent[];
  readonly struck: readonly DrawnCheckpointFault[];
} & (
  | { readonly kind: 'died'; readonly left: Left }
  | { readonly kind: 'ended'; readonly isWithoutCheckpoint: boolean }
);

/** One process. */
async function live(process: Process, job: Parameters<typeof undisturbedRun>[0], before: Left | undefined) {
  const { number, random, drawn, undisturbed, death, home } = process;
  const startMs = before?.nowMs ?? 0;
  const environment = virtualEnvironment({ seed: drawn.seed, order: 'shuffled', startMs });
  const { clock } = environment;
  const moments = new Moments();
  const checkpoints = new SimulatedCheckpoints(drawn.checkpoints, clock, random.fork('storage'), moments);
  if (before?.checkpoints !== undefined) checkpoints.storage.takeOver(before.checkpoints.storage);
  const captured =
    before?.captured.copy(moments) ??
    new CapturedOutput(undefined, { redo: 'replaces', sinks: 'transactional', moments });
  const stateDirectory = before?.stateDirectory ?? join(home, 'state-0');
  const plan = planJob({ ...drawn, name: job.name, steps: captured.inPlaceOfSinks(job.steps) });
  const graph = new ExecutionGraph(plan.jobGraph);
  moments.arm(drawn.checkpointFaults);
  const spillStore = new MemorySpillStore(clock, { faults: environment.faults });
  let executors: Executors | undefined;
  armFaults(environment.faults, drawn.faults, spillStore.files, () => {});
  let left: Left | undefined;
  const die = (run: JobRun): void => {
    if (run.status !== 'running' || left !== undefined) return;
    const next = join(home, `state-${number + 1}`);
    cpSync(stateDirectory, next, { recursive: true, filter: (path) => !path.includes('owner.kintsugi') });
    const frozen = new SimulatedCheckpoints(drawn.checkpoints, clock, random.fork('left'));
    frozen.storage.takeOver(checkpoints.storage);
    left = { stateDirectory: next, captured: captured.copy(moments), checkpoints: frozen, nowMs: clock.now() };
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
      ...{ checkpoints, stateDirectory },
      running: (run) => {
        checkpoints.storage.isInstant = true;
        moments.isQuiet = true;
        run.events$.subscribe((event) => {
          if (event.type !== 'job.statusChanged' || event.status !== 'running') return;
          checkpoints.storage.isInstant = false;
          moments.isQuiet = left !== undefined;
        });
        checkpoints.watch(graph, random.fork('strikes'), () => ({ run, executors }));
        if (death === undefined) return;
        if ('ms' in death) checkpoints.timers.after(death.ms, () => die(run));
        else dieWith(run, death.completed);
      },
    },
  );
  const told = { events: ended.history.events, struck: moments.fired };
  if (left !== undefined) return { kind: 'died', ...told, left } satisfies ProcessEnd;
  const isWithoutCheckpoint = checkpoints.mayFailWith(ended.failure);
  const hasFinished = ended.failure === undefined;
  const problems = [
    ...(hasFinished || isWithoutCheckpoint ? [] : [`process ${number} failed: ${ended.failure?.message}`]),
    ...captured.problems(hasFinished),
    ...(hasFinished ? differences(undisturbed.output, captured.records()) : []),
    ...ended.leftovers,
    ...ended.unrecorded,
  ];
  if (problems.length > 0) throw new Error(problems.join('\n  '), { cause: ended.failure });
  return { kind: 'ended', ...told, isWithoutCheckpoint } satisfies ProcessEnd;
}
