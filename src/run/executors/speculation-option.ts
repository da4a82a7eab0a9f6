import type { Speculation } from '../../machines/job-master/slow-task-watch.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { checkBoolean, checkMilliseconds, checkOptions } from '../../options.ts';
import type { Logger } from '../../environment.ts';
import type { JobShape } from '../folds/job-shape.ts';
import { type RepeatedWork, whyNoSecondAttempts, withoutSecondAttempts } from './without-second-attempts.ts';

/** When a slow task gets a second attempt. The defaults are those of Flink. */
export interface SpeculationOptions {
  /** The share of a vertex's tasks that must have finished, or all but one of them, before any of the others is slow; above 0, at most 1. Default 0.75. */
  readonly ratio?: number | undefined;
  /** A task is slow once it has run this many times as long as the median of the finished ones; at least 1. Default 1.5. */
  readonly multiplier?: number | undefined;
  /** No task is slow before it has run this long, in ms. Default 60 000. */
  readonly minimumMs?: number | undefined;
  /** Time between two looks at the running tasks, in ms. Default 1 000. */
  readonly checkIntervalMs?: number | undefined;
  /** Whether tasks whose calls (`mapAsync`) do not remember their answers get one too: the calls are made twice. Default false. */
  readonly repeatCalls?: boolean | undefined;
}

/** The options with every default filled in. */
export interface ResolvedSpeculation extends Omit<Speculation, 'mayRepeat'> {
  readonly repeatCalls: boolean;
}

/** @throws InvalidArgumentError for an invalid option */
export function resolveSpeculation(given: boolean | SpeculationOptions | undefined): ResolvedSpeculation | undefined {
  if (given === undefined || given === false) return undefined;
  const options = given === true ? {} : given;
  checkOptions('speculation', options, {
    ratio: true,
    multiplier: true,
    minimumMs: true,
    checkIntervalMs: true,
    repeatCalls: true,
  });
  const { ratio = 0.75, multiplier = 1.5, minimumMs = 60_000, checkIntervalMs = 1_000, repeatCalls = false } = options;
  if (!(typeof ratio === 'number' && ratio > 0 && ratio <= 1)) {
    throw new InvalidArgumentError('speculation.ratio', ratio, 'a number above 0, at most 1');
  }
  if (!(typeof multiplier === 'number' && multiplier >= 1 && Number.isFinite(multiplier))) {
    throw new InvalidArgumentError('speculation.multiplier', multiplier, 'a number of at least 1');
  }
  checkMilliseconds('speculation.minimumMs', minimumMs, { mayBeZero: true });
  checkMilliseconds('speculation.checkIntervalMs', checkIntervalMs);
  checkBoolean('speculation.repeatCalls', repeatCalls);
  return { rule: { ratio, multiplier, minimumMs }, checkIntervalMs, repeatCalls };
}

/** A run, as far as its second attempts depend on it. */
interface SpeculatedRun extends Omit<RepeatedWork, 'repeatCalls'> {
  readonly shape: JobShape;
  readonly speculation: ResolvedSpeculation | undefined;
  readonly logger: Logger;
}

/** The speculation of a run; undefined without. Logs which vertices are left out, and why. */
export function speculationOf({ logger, ...run }: SpeculatedRun): Speculation | undefined {
  if (run.speculation === undefined) return undefined;
  const { repeatCalls, ...speculation } = run.speculation;
  const reasons = whyNoSecondAttempts({ ...run, repeatCalls });
  const leftOut = withoutSecondAttempts({ ...run, repeatCalls }).map(({ vertex, why }) => `"${vertex}" (${why})`);
  if (leftOut.length > 0) {
    const more = leftOut.length > mostNamed ? ` and ${leftOut.length - mostNamed} more` : '';
    const { job } = run.shape;
    logger.info(`No second attempts of tasks of ${leftOut.slice(0, mostNamed).join(', ')}${more}`, { job });
  }
  return { ...speculation, mayRepeat: (jobVertex) => reasons[jobVertex] === undefined };
}

const mostNamed = 10;
