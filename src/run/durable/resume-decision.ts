import { existsSync } from 'node:fs';
import { CommittedOutputError, NothingToResumeError, OtherJobStateError } from '../../errors/state-errors.ts';
import type { PartitionId } from '../../ids.ts';
import { compareIdentities } from '../../journal/identity/compare-identities.ts';
import type { JobComparison } from '../../journal/identity/job-comparison.ts';
import type { JobIdentity } from '../../journal/identity/job-identity.ts';
import type { RunBooks } from '../../journal/run/run-books.ts';
import type { StoredResult } from '../../journal/stored-result.ts';
import type { VertexProgram } from '../../operators/operator-description.ts';
import { deadLetterSinks } from '../../operators/rejected/dead-letter-sinks.ts';
import type { SourcePlanContext } from '../../operators/source.ts';
import type { JobShape } from '../folds/job-shape.ts';
import { jobIdentity } from '../identity/job-identity.ts';
import type { JobPlan } from '../job-plan.ts';
import type { ResumePolicy } from '../run-options.ts';
import { EarlierSources } from './earlier-sources.ts';
import { type EarlierRun, planRerun, planResume, type ResumePlan } from './resume-plan.ts';

/** A job that is about to run with a state directory. */
export interface ResumeQuestion {
  readonly plan: JobPlan;
  readonly shape: JobShape;
  readonly stateDirectory: string;
  /** What earlier runs left there. */
  readonly books: RunBooks | undefined;
  /** Whether the files of a stored result are there, and can be used as the result of this partition. */
  readonly isStored: (stored: StoredResult, partition: PartitionId) => boolean;
  /** What is wrong with the files of a stored result; undefined if they are whole, or gone. */
  readonly damageOf: (stored: StoredResult) => string | undefined;
  readonly resume: ResumePolicy;
  readonly rerun: boolean;
  readonly context: Pick<SourcePlanContext, 'environment' | 'signal'>;
}

/** What a run takes over from an earlier one, and why not the rest. */
export interface ResumeDecision extends ResumePlan {
  /** The books of the earlier run; undefined if there is none, or its books are not used. */
  readonly earlier: RunBooks | undefined;
  /** How the job differs from that of the earlier run. */
  readonly comparison: JobComparison | undefined;
  readonly identity: JobIdentity;
  readonly sources: EarlierSources;
  /** Why nothing may run. */
  readonly refusal: NothingToResumeError | OtherJobStateError | CommittedOutputError | undefined;
}

const nothing: ResumePlan = { restored: new Map(), rejected: new Map(), rerun: [] };

/**
 * Decides what a run would take over, by reading alone: the run itself asks, and `explain` does.
 * @throws FileAccessError and other errors of sources that plan what they read (as a rejection)
 */
export async function decideResume(question: ResumeQuestion): Promise<ResumeDecision> {
  const { plan, shape, books, isStored, damageOf, resume, rerun } = question;
  const identity = jobIdentity(plan);
  const earlier = resume === 'never' ? undefined : books;
  const comparison = earlier && compareIdentities(earlier.identity, identity);
  const before = earlier && comparison && { books: earlier, comparison };
  const sources = await EarlierSources.examine(plan, before, (vertex) => contextOf(question, vertex));
  const { reasons } = sources;
  const run: EarlierRun | undefined = before && {
    ...{ ...before, reasons, isPartThere: existsSync, damageOf },
    isReadable: isStored,
  };
  const resumed = run === undefined ? nothing : (rerun ? planRerun : planResume)(shape, run);
  const refusal = refusalOf(question, earlier) ?? committedOutput(plan, resumed);
  return { ...resumed, earlier, comparison, identity, sources, refusal };
}

/** Why the earlier run cannot be continued, whatever it left. */
function refusalOf({ plan: { name }, stateDirectory, resume }: ResumeQuestion, earlier: RunBooks | undefined) {
  if (earlier === undefined) {
    return resume === 'require' ? new NothingToResumeError(stateDirectory, name) : undefined;
  }
  const { job } = earlier.identity;
  return job === name ? undefined : new OtherJobStateError(stateDirectory, name, job);
}

/** A change that would repeat or mix the output of a sink that cannot replace it. */
function committedOutput({ programs, chains, jobGraph }: JobPlan, { rerun }: ResumePlan) {
  const changed = rerun.filter(({ isChanged }) => isChanged);
  const repeated = changed.find(({ vertex, hadFinished }) => {
    const { sink, ...program } = programs[vertex] as VertexProgram;
    const letters = deadLetterSinks(program, chains[vertex] as readonly string[]);
    const sinks = [...(sink === undefined ? [] : [sink]), ...letters.map((letter) => letter.sink)];
    return hadFinished && sinks.some(({ redo = 'repeats' }) => redo === 'repeats');
  });
  if (repeated === undefined) return undefined;
  const own = changed.filter(({ isOwnChange }) => isOwnChange);
  const operators = own.map(({ vertex, why }) => ({ operator: jobGraph.vertices[vertex]?.id as string, why }));
  return new CommittedOutputError(chains[repeated.vertex]?.at(-1) as string, operators);
}

function contextOf({ plan: { name, jobGraph }, context }: ResumeQuestion, vertex: number): SourcePlanContext {
  const { id, parallelism } = jobGraph.vertices[vertex] as { id: string; parallelism: number };
  return { job: name, vertex: id, parallelism, ...context };
}
