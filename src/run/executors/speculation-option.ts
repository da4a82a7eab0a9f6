import type { Speculation } from '../../machines/job-master/slow-task-watch.ts';
import { remembersAnswers } from '../../operators/answers/run-answers.ts';
import type { VertexProgram } from '../../operators/operator-description.ts';
import type { JobVertex } from '../../graph/job-graph.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { checkBoolean, checkMilliseconds, checkOptions } from '../../options.ts';
import { whyRunOnce } from '../../scheduling/second-attempts.ts';
import type { Logger } from '../../environment.ts';
import type { JobShape } from '../folds/job-shape.ts';
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

/** What decides which tasks of a run may do their work twice. */
interface SpeculatedRun {
  readonly plan: Pick<JobPlan, 'programs' | 'jobGraph'>;
  readonly shape: JobShape;
  readonly speculation: ResolvedSpeculation | undefined;
  readonly stateDirectory: string | undefined;
  readonly logger: Logger;
}

/** The speculation of a run; undefined without. Logs which vertices are left out, and why. */
export function speculationOf({ plan, shape, ...options }: SpeculatedRun): Speculation | undefined {
  if (options.speculation === undefined) return undefined;
  const { logger, stateDirectory } = options;
  const { repeatCalls, ...speculation } = options.speculation;
  const { graph, regions, job } = shape;
  const reasons = plan.programs.map((program, index): string | undefined => {
    const vertex = plan.jobGraph.vertices[index] as JobVertex;
    if (vertex.parallelism === 1) return 'it is one task, with no other to be compared with';
    if (vertex.replayable === false) return 'its source cannot be read again';
    const repeats = !repeatCalls && makesCalls(program, stateDirectory);
    return (
      whatItWrites(program) ??
      (repeats ? 'its calls would be made twice' : whyRunOnce(graph, regions, graph.vertexAt(index, 0)))
    );
  });
  const leftOut = reasons.flatMap((why, index) =>
    why === undefined ? [] : [`"${plan.jobGraph.vertices[index]?.id}" (${why})`],
  );
  if (leftOut.length > 0) {
    const more = leftOut.length > mostNamed ? ` and ${leftOut.length - mostNamed} more` : '';
    logger.info(`No second attempts of tasks of ${leftOut.slice(0, mostNamed).join(', ')}${more}`, { job });
  }
  return { ...speculation, mayRepeat: (jobVertex) => reasons[jobVertex] === undefined };
}

const mostNamed = 10;

/** What something outside would get twice, or what would count twice. */
function whatItWrites({ source, operators, sink }: VertexProgram): string | undefined {
  if (sink !== undefined) return 'it writes to a sink';
  const handling = [source?.errors, ...operators.map(({ errors }) => errors)];
  if (handling.some((errors) => errors?.reaction.kind === 'deadLetter')) return 'it writes dead letters';
  return handling.some((errors) => errors?.limit !== undefined) ? 'its errors are counted' : undefined;
}

/** Whether it makes calls that a second attempt would make, and pay, again. */
function makesCalls({ operators }: VertexProgram, stateDirectory: string | undefined): boolean {
  return operators.some((operator) => operator.kind === 'asyncMap' && !remembersAnswers(operator, stateDirectory));
}
