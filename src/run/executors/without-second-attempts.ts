import type { JobVertex } from '../../graph/job-graph.ts';
import { remembersAnswers } from '../../operators/answers/run-answers.ts';
import type { VertexProgram } from '../../operators/operator-description.ts';
import { deadLetterSinks } from '../../operators/rejected/dead-letter-sinks.ts';
import { whyRunOnce } from '../../scheduling/second-attempts.ts';
import type { JobShape } from '../folds/job-shape.ts';
import type { JobPlan } from '../job-plan.ts';

/** What decides which tasks may do their work twice. */
export interface RepeatedWork {
  readonly plan: Pick<JobPlan, 'programs' | 'jobGraph' | 'chains'>;
  readonly shape: Pick<JobShape, 'graph' | 'regions'>;
  /** Whether calls that are not remembered may be made twice. */
  readonly repeatCalls: boolean;
  /** That of the run, whose answers are remembered. */
  readonly stateDirectory: string | undefined;
  /** Those of the run; undefined or false without. */
  readonly checkpoints?: unknown;
}

/** A vertex whose slow tasks get no second attempt. */
export interface WithoutSecondAttempts {
  readonly vertex: string;
  readonly why: string;
}

/** By vertex: why a slow task of it gets no second attempt; undefined if it does. */
export function whyNoSecondAttempts({
  plan,
  shape,
  checkpoints,
  ...calls
}: RepeatedWork): readonly (string | undefined)[] {
  return plan.programs.map((program, index) => {
    const vertex = plan.jobGraph.vertices[index] as JobVertex;
    if (vertex.parallelism === 1) return 'it is one task, with no other to be compared with';
    if (checkpoints !== undefined && program.sink !== undefined)
      return 'its sink commits with the checkpoints of the run';
    if (vertex.replayable === false) return 'its source cannot be read again';
    return (
      whatItWrites(program, plan.chains[index] as readonly string[]) ??
      (makesCalls(program, calls) ? 'its calls would be made twice' : undefined) ??
      whyRunOnce(shape.graph, shape.regions, shape.graph.vertexAt(index, 0))
    );
  });
}

/** The vertices of a job whose slow tasks get no second attempt. */
export function withoutSecondAttempts(work: RepeatedWork): WithoutSecondAttempts[] {
  return whyNoSecondAttempts(work).flatMap((why, index) =>
    why === undefined ? [] : [{ vertex: (work.plan.jobGraph.vertices[index] as JobVertex).id, why }],
  );
}

/** What something outside would get twice, or what would count twice. */
function whatItWrites({ source, operators, sink }: VertexProgram, uids: readonly string[]): string | undefined {
  if (sink !== undefined && sink.takesSecondAttempts !== true) {
    return `its sink ${sink.name} cannot take back what an attempt has written`;
  }
  const letters = deadLetterSinks({ source, operators }, uids).find((one) => one.sink.takesSecondAttempts !== true);
  if (letters !== undefined) return `the sink ${letters.sink.name} of its dead letters cannot take back what it got`;
  const handling = [source?.errors, ...operators.map(({ errors }) => errors)];
  return handling.some((errors) => errors?.limit !== undefined) ? 'its errors are counted' : undefined;
}

/** Whether it makes calls that a second attempt would make, and pay, again. */
function makesCalls(
  { operators }: VertexProgram,
  { repeatCalls, stateDirectory }: Pick<RepeatedWork, 'repeatCalls' | 'stateDirectory'>,
): boolean {
  if (repeatCalls) return false;
  return operators.some((operator) => operator.kind === 'asyncMap' && !remembersAnswers(operator, stateDirectory));
}
