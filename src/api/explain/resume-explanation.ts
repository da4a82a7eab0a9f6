import type { ResumedCheckpoint } from '../../actors/checkpoint-event.ts';
import type { DividedExchange } from '../../actors/job-event.ts';
import { type Environment, systemEnvironment } from '../../environment.ts';
import type { PartitionId, RegionId, RunId } from '../../ids.ts';
import { comparisonLines } from '../../journal/identity/comparison-lines.ts';
import type { RunEnd } from '../../journal/run/run-entry.ts';
import type { ClaimOwner } from '../../errors/connector-errors.ts';
import { deadLetterSinks } from '../../operators/rejected/dead-letter-sinks.ts';
import type { Sink } from '../../operators/sink.ts';
import { rememberedAnswers } from '../../operators/answers/remembered-answers.ts';
import { type NamedOperator, rememberingOf } from '../../operators/answers/run-answers.ts';
import { fileCheckpoints } from '../../partitions/checkpoints/checkpoint-storages.ts';
import { checkpointsDirectory } from '../../run/checkpoints/checkpointing.ts';
import { continuedReceipt } from '../../run/checkpoints/checkpoint-receipt.ts';
import type { ResolvedCheckpoints } from '../../run/checkpoints/checkpoints-option.ts';
import { decideCheckpoints } from '../../run/durable/checkpoint-resume.ts';
import { resumedCheckpoint } from '../../run/durable/lasting-checkpoints.ts';
import { refusalOfJob } from '../../run/durable/refused-job.ts';
import { decideResume, type ResumeDecision } from '../../run/durable/resume-decision.ts';
import { dividedExchanges, misdivided } from '../../run/durable/result-division.ts';
import { damageOf, isStored, readBooks, stateDirectoryInUse } from '../../run/durable/state-directory.ts';
import { formatBytes } from '../../run/folds/job-receipt.ts';
import { type JobShape, jobShape } from '../../run/folds/job-shape.ts';
import type { JobPlan } from '../../run/job-plan.ts';
import type { ResumePolicy } from '../../run/run-options.ts';
import { listed, type SubtasksOfVertex, TaskList } from './task-list.ts';
import { counted, section } from './text-table.ts';

/** Tasks that had finished in an earlier run and count as finished, with their results that would be read. */
export interface ReusedTasks extends SubtasksOfVertex {
  readonly results: number;
  readonly records: number;
  readonly bytes: number;
}

/** Tasks that would run. */
export interface RunningTasks extends SubtasksOfVertex {
  /** Why they run although an earlier run had begun or finished them; undefined without an earlier run. */
  readonly why: string | undefined;
}

/** A `mapAsync` that would make calls. */
export interface PaidOperator {
  readonly operator: string;
  /** Tasks that would run, of all its tasks. */
  readonly taskCount: number;
  readonly totalTaskCount: number;
  /** The answers that it has remembered and may find. */
  readonly answers: number;
  /** Why it makes calls again that an earlier run has made; undefined if it remembers their answers. */
  readonly paysAgain: string | undefined;
}

/** A sink to which records of unfinished tasks come again when a job is run again. */
export interface RepeatedSink {
  readonly sink: string;
  /** Why its records have no stable positions to know them by; undefined if they have. */
  readonly noPosition: string | undefined;
}

/** What a run with a state directory would do, had it begun when it was explained. */
export interface ResumeExplanation {
  readonly stateDirectory: string;
  /** The run that would be continued; `end` is undefined if it has not ended, or its process died. */
  readonly earlier: { readonly run: RunId; readonly beganAtMs: number; readonly end: RunEnd | undefined } | undefined;
  readonly reused: readonly ReusedTasks[];
  /** By streaming component that an earlier run has checkpointed: from which checkpoint it would continue. */
  readonly checkpoints: readonly ResumedCheckpoint[];
  /** Their results that would be divided anew, because their consumers have another parallelism. */
  readonly divided: readonly DividedExchange[];
  readonly runs: readonly RunningTasks[];
  readonly paid: readonly PaidOperator[];
  /** Sources whose content has changed since, or cannot be compared. */
  readonly changedSources: readonly { readonly source: string; readonly why: string }[];
  /** Sinks that cannot replace what they have, so that some records may come again. */
  readonly repeatedSinks: readonly RepeatedSink[];
  /** The run that owns the directory now; undefined if none does. */
  readonly owner: ClaimOwner | undefined;
  /** How the job differs from that of the earlier run, as lines of text. */
  readonly differences: readonly string[];
  /** The error that the run would end with before anything runs. */
  readonly refusal: Error | undefined;
  toString(): string;
}

export interface ResumeQuestion {
  readonly stateDirectory: string;
  readonly resume: ResumePolicy;
  readonly rerun: boolean;
  readonly environment: Environment | undefined;
  /** Undefined: as the earlier run took them, in the state directory. */
  readonly checkpoints: ResolvedCheckpoints | undefined;
}

/** Reads a state directory, which may be in use, and says what a run with it would do. */
export async function explainResume(plan: JobPlan, question: ResumeQuestion): Promise<ResumeExplanation> {
  const { stateDirectory, environment = systemEnvironment(), resume, rerun } = question;
  const shape = jobShape(plan);
  const books = readBooks(stateDirectory);
  const context = { environment, signal: new AbortController().signal };
  const decision = await decideResume({
    ...{ plan, shape, stateDirectory, books, resume, rerun, context },
    isStored: (stored) => isStored(stateDirectory, stored),
    damageOf: (stored) => damageOf(stateDirectory, stored),
  });
  const checkpoints = await decideCheckpoints({
    ...{ plan, shape, books, decision, rerun, isOn: true },
    requiredOf: resume === 'require' ? stateDirectory : undefined,
    storage: question.checkpoints?.storage ?? fileCheckpoints(checkpointsDirectory(stateDirectory)),
  });
  const { earlier, comparison, sources } = decision;
  const [reused, running] = tasksOf(shape, decision);
  const inUse = stateDirectoryInUse(stateDirectory);
  const explanation: ResumeExplanation = {
    stateDirectory,
    earlier: earlier && { run: earlier.run, beganAtMs: earlier.beganAtMs, end: earlier.end?.status },
    reused: reused.map((tasks) => ({ ...tasks, ...storedBy(tasks.vertex, shape, decision) })),
    checkpoints: checkpoints.components.flatMap((component) => resumedCheckpoint(component)),
    divided: dividedExchanges(misdivided(shape, decision)),
    runs: running.map((tasks) => ({ ...tasks, why: earlier && whyRuns(tasks.vertex, shape, decision, rerun) })),
    paid: await Promise.all(
      paidOperators(plan, running).map((paid) => withAnswers(paid, { ...question, environment })),
    ),
    changedSources: [...sources.reasons].flatMap(([vertex, why]) => {
      const isSource = plan.programs[vertex]?.source !== undefined;
      return isSource ? [{ source: plan.jobGraph.vertices[vertex]?.id as string, why }] : [];
    }),
    differences: comparison === undefined ? [] : comparisonLines(comparison, decision.identity),
    repeatedSinks: repeatedSinks(plan),
    owner: inUse?.owner,
    refusal: refusalOfJob(plan, stateDirectory) ?? inUse ?? decision.refusal ?? checkpoints.refusal,
    toString: () => describe(explanation),
  };
  return Object.freeze(explanation);
}

/** The tasks that are re-used, and those that run. */
function tasksOf(
  { graph, regions }: JobShape,
  { restored }: ResumeDecision,
): readonly [SubtasksOfVertex[], SubtasksOfVertex[]] {
  const [reused, running] = [new TaskList(graph), new TaskList(graph)];
  for (let region = 0 as RegionId; region < regions.count; region++) {
    (restored.has(region) ? reused : running).add(regions.verticesOf(region));
  }
  return [reused.byVertex(), running.byVertex()];
}

function repeatedSinks({ programs, chains }: JobPlan): readonly RepeatedSink[] {
  return programs.flatMap((program, index) => {
    const { sink, orderFault } = program;
    const isRepeated = ({ redo = 'repeats' }: Sink<unknown>): boolean => redo === 'repeats';
    const uids = chains[index] as readonly string[];
    const own = sink !== undefined && isRepeated(sink) ? [{ sink: uids.at(-1) as string, noPosition: orderFault }] : [];
    const letters = deadLetterSinks(program, uids).filter((letter) => isRepeated(letter.sink));
    return [...own, ...letters.map(({ vertex }) => ({ sink: vertex, noPosition: 'dead letters have none' }))];
  });
}

function storedBy(vertex: string, { graph }: JobShape, { restored }: ResumeDecision) {
  const isOwn = (partition: PartitionId): boolean =>
    graph.jobGraph.vertices[graph.jobVertexIndexOf(graph.producerOf(partition))]?.id === vertex;
  const stored = [...restored.values()].flatMap((results) =>
    [...results].filter(([partition]) => isOwn(partition)).map(([, result]) => result),
  );
  return {
    results: stored.length,
    records: stored.reduce((sum, { records }) => sum + records, 0),
    bytes: stored.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

function whyRuns(id: string, { graph }: JobShape, { rerun }: ResumeDecision, everything: boolean): string {
  if (everything) return '`rerun: true`';
  const index = graph.jobGraph.vertexIndexById.get(id as never);
  return rerun.find(({ vertex }) => vertex === index)?.why ?? 'it had not finished';
}

type PaidTasks = NamedOperator & Pick<PaidOperator, 'taskCount' | 'totalTaskCount'>;

/** The operators of running tasks that make calls. */
function paidOperators(
  { programs, chains, jobGraph }: JobPlan,
  running: readonly SubtasksOfVertex[],
): readonly PaidTasks[] {
  return running.flatMap(({ vertex, subtasks }) => {
    const index = jobGraph.vertexIndexById.get(vertex as never) as number;
    const { source, operators = [] } = programs[index] ?? {};
    const first = source === undefined ? 0 : 1;
    const taskCount = subtasks.reduce((sum, { start, end }) => sum + end - start, 0);
    const totalTaskCount = jobGraph.vertices[index]?.parallelism as number;
    return operators.flatMap((description, step) => {
      if (description.kind !== 'asyncMap') return [];
      return [{ uid: chains[index]?.[first + step] as string, description, taskCount, totalTaskCount }];
    });
  });
}

async function withAnswers(
  operator: PaidTasks,
  { stateDirectory, resume, environment = systemEnvironment() }: ResumeQuestion,
): Promise<PaidOperator> {
  const { uid, taskCount, totalTaskCount } = operator;
  const paid = { operator: uid, taskCount, totalTaskCount };
  const [remembering] = rememberingOf(operator, stateDirectory);
  if (remembering === undefined) return { ...paid, answers: 0, paysAgain: '`remember: false`' };
  if (resume === 'never') return { ...paid, answers: 0, paysAgain: "`resume: 'never'`" };
  const { directory, version, options } = remembering;
  const { ttlMs = Number.POSITIVE_INFINITY } = options;
  const remembered = rememberedAnswers(directory, { environment });
  const all = await remembered.count({ operator: uid, version });
  const isForever = all === 0 || ttlMs === Number.POSITIVE_INFINITY;
  const beforeMs = environment.clock.epochMs() - ttlMs;
  const expired = isForever ? 0 : await remembered.count({ operator: uid, version, beforeMs });
  return { ...paid, answers: all - expired, paysAgain: undefined };
}

function describe(explanation: ResumeExplanation): string {
  const { stateDirectory, earlier, reused, runs, paid, changedSources, repeatedSinks: repeated } = explanation;
  const { checkpoints, divided, differences, refusal } = explanation;
  return [
    `If it runs now with ${stateDirectory}`,
    `  ${beginningOf(earlier)}`,
    ...(refusal === undefined ? [] : [`  it is refused: ${refusal.message}`]),
    ...(runs.length === 0 ? ['  nothing has to run'] : []),
    ...section('Re-used', reused, ({ results, records, bytes, ...tasks }) => [
      listed([tasks]),
      results === 0
        ? 'finished'
        : `${counted(results, 'result')}, ${counted(records, 'record')}, ${formatBytes(bytes)}`,
    ]),
    ...section('Checkpoints', checkpoints, (resumed) => {
      const { head, tasks, checkpoint, completedAt, why } = continuedReceipt(resumed);
      const from = checkpoint === undefined ? `none: ${why}` : `checkpoint ${checkpoint} of ${completedAt}`;
      return [`${counted(tasks, 'task')} behind ${head}`, from];
    }),
    ...section('Divided anew', divided, ({ source, target, consumers, records }) => [
      `${source} → ${target}`,
      `for ${counted(consumers, 'task')}: ${counted(records, 'record')}`,
    ]),
    ...section('Runs', runs, ({ why = '', ...tasks }) => [listed([tasks]), why]),
    ...section('Pays for calls', paid, ({ operator, taskCount, totalTaskCount, answers, paysAgain }) => [
      operator,
      `${taskCount} of ${counted(totalTaskCount, 'task')}`,
      paysAgain === undefined ? `${counted(answers, 'answer')} remembered` : `every call again: ${paysAgain}`,
    ]),
    ...section('Sources that have changed', changedSources, ({ source, why }) => [source, why]),
    ...section('Sinks that get records again', repeated, ({ sink, noPosition }) => [
      sink,
      noPosition === undefined ? 'at the same positions' : `without positions: ${noPosition}`,
    ]),
    ...section('Compared with the earlier run', differences, (line) => [line]),
  ].join('\n');
}

function beginningOf(earlier: ResumeExplanation['earlier']): string {
  if (earlier === undefined) return 'it begins from the start: nothing is taken over from an earlier run';
  const at = new Date(earlier.beganAtMs).toISOString();
  const end = earlier.end === undefined ? 'which has no end' : `which ${endings[earlier.end]}`;
  return `it goes on from run ${earlier.run} of ${at}, ${end}`;
}

const endings: Readonly<Record<RunEnd, string>> = {
  finished: 'has finished',
  incomplete: 'finished without its quarantined regions',
  failed: 'has failed',
  canceled: 'was canceled',
  suspended: 'was suspended',
};
