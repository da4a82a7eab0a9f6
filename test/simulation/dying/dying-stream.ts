import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { planJob } from '../../../src/api/job-planner.ts';
import { lmdbState } from '../../../src/index.ts';
import { CapturedOutput } from '../../../src/testing/captured-output.ts';
import type {
  DrawnCheckpoints,
  DrawnSavepoint,
  SavepointLimits,
} from '../../../src/testing/checkpoints/drawn-checkpoints.ts';
import { drawFaults, drawFaultsOfCheckpoints, drawShape } from '../../../src/testing/drawn-run.ts';
import { seededRandom, type SeededRandom } from '../../../src/testing/index.ts';
import { undisturbedRun } from '../../../src/testing/undisturbed-run.ts';
import { large } from '../drawn/drawn-size.ts';
import { checkDeclarations, drawStream } from '../drawn/drawn-stream.ts';
import { withChangedStep } from './changed-step.ts';
import { type Left, live, type Process } from './dying-process.ts';

/** The processes of a stream that died, one after the other. */
export interface DyingReport {
  /** Those that died before the job had ended, */
  readonly deaths: number;
  /** those whose run was stopped, */
  readonly canceled: number;
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

/** What is the same for all processes of a stream. */
interface Stream extends Pick<Process, 'job' | 'undisturbed' | 'home'> {
  readonly random: SeededRandom;
  readonly shape: ReturnType<typeof drawShape>;
  readonly checkpoints: DrawnCheckpoints;
  readonly deaths: number;
  readonly isOnDisk: boolean;
}

/**
 * Simulates the stream of a seed with a state directory, in processes that die at drawn moments of virtual time, until
 * one of them lives. Their sinks are transactional, and all of what goes wrong with checkpoints may strike each. Of some
 * the run is stopped instead. Some stop with a savepoint before; from that of one that was drained, a run continues.
 * Between two, a step may change. Of some, keyed states are on disk. undefined for a stream that may count records
 * twice.
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
    canceled: 0,
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
      checkDeclarations(end.events);
      for (const event of end.events) {
        if (event.type !== 'job.resumed') continue;
        report.finished += event.taskCount;
        for (const { checkpoint } of event.checkpoints ?? []) report[checkpoint === undefined ? 'anew' : 'continued']++;
      }
      if (end.kind === 'ended') {
        return { ...report, isDrained: end.isDrained, isWithoutCheckpoint: end.isWithoutCheckpoint };
      }
      report[end.kind === 'died' ? 'deaths' : end.kind]++;
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
  const end = own.fork('end');
  const afterStopMs = end.chance(0.1) ? end.pick([0, end.integer(1, 2_000)]) : undefined;
  const plan = planJob({ ...shape, name: job.name, steps: new CapturedOutput().inPlaceOfSinks(job.steps) });
  const faults = drawFaults(own, plan, recordsIn, shape, { maxFaults: 2 });
  const checkpointFaults = drawFaultsOfCheckpoints(own, plan, { ...shape, checkpoints }, { maxFaults: 2 });
  const stop = drawStop(own.fork('stop'), checkpoints.limits, durationMs);
  // Somebody must be left to continue it.
  const savepoint = stop?.drains === true || number < deaths ? stop : undefined;
  const setup = { ...shape, seed: random.seed + number, slowness: undefined, faults, checkpointFaults };
  return {
    ...{ job, number, random: own, undisturbed, death, afterStopMs, home },
    drawn: { ...setup, checkpoints: { ...checkpoints, savepoint } },
    stateBackend: isOnDisk ? lmdbState({ directory: join(home, 'disk'), cacheBytes: 20_000 }) : undefined,
  };
}
