import type { Speculation } from '../../machines/job-master/slow-task-watch.ts';
import { remembersAnswers } from '../../operators/answers/run-answers.ts';
import type { VertexProgram } from '../../operators/operator-description.ts';
import type { JobVertex } from '../../graph/job-graph.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { checkBoolean, checkMilliseconds, checkOptions } from '../../options.ts';
import type { JobPlan } from '../job-plan.ts';

/** When a slow task gets a second attempt. The defaults are those of Flink. */
export interface SpeculationOptions {
  /** The share of a vertex's tasks that must have finished before any of the others is slow; above 0, at most 1. Default 0.75. */
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

/** The speculation of a run: which of its vertices may do their work twice. */
export function speculationOf(
  { programs, jobGraph }: Pick<JobPlan, 'programs' | 'jobGraph'>,
  resolved: ResolvedSpeculation | undefined,
  stateDirectory: string | undefined,
): Speculation | undefined {
  if (resolved === undefined) return undefined;
  const { repeatCalls, ...speculation } = resolved;
  const may = programs.map(
    (program, index) =>
      (jobGraph.vertices[index] as JobVertex).replayable !== false &&
      !writes(program) &&
      (repeatCalls || !makesCalls(program, stateDirectory)),
  );
  return { ...speculation, mayRepeat: (jobVertex) => may[jobVertex] === true };
}

/** Whether something outside would get records twice, or errors would count twice: the sinks, also of dead letters. */
function writes({ source, operators, sink }: VertexProgram): boolean {
  const handling = [source?.errors, ...operators.map(({ errors }) => errors)];
  return (
    sink !== undefined ||
    handling.some((errors) => errors?.reaction.kind === 'deadLetter' || errors?.limit !== undefined)
  );
}

/** Whether it makes calls that a second attempt would make, and pay, again. */
function makesCalls({ operators }: VertexProgram, stateDirectory: string | undefined): boolean {
  return operators.some((operator) => operator.kind === 'asyncMap' && !remembersAnswers(operator, stateDirectory));
}
