import type { CheckpointManifest, CheckpointStorage, FoundCheckpoint } from '../../checkpoints/checkpoint-storage.ts';
import { type StreamingComponent, streamingComponents } from '../../checkpoints/streaming-components.ts';
import { CheckpointUnreadableError, NoCheckpointLeftError } from '../../errors/checkpoint-errors.ts';
import { CommittedOutputError, NothingToResumeError } from '../../errors/state-errors.ts';
import type { CheckpointId, ExecutionVertexId } from '../../ids.ts';
import type { RunBooks } from '../../journal/run/run-books.ts';
import type { EntryCheckpoints } from '../../journal/run/run-entry.ts';
import { checkpointOf, type ComponentCheckpoint } from '../../machines/checkpoint-coordinator/checkpoint-content.ts';
import type { Sink } from '../../operators/sink.ts';
import type { JobShape } from '../folds/job-shape.ts';
import type { JobPlan } from '../job-plan.ts';
import { sinksOf } from './output-parts.ts';
import type { ResumeDecision } from './resume-decision.ts';

/** A checkpoint that cannot be used. */
export type DamagedCheckpoint = Extract<FoundCheckpoint, { readonly kind: 'damaged' }>;

/** What a streaming component takes over from the checkpoints of an earlier run. */
export interface ComponentResume {
  readonly component: StreamingComponent;
  /** The first task at which its barriers start: `orders[0]`. */
  readonly head: string;
  /** The series in the storage that it continues; undefined if it begins anew. */
  readonly scope: string | undefined;
  /** Those from which it can continue, oldest first; empty if none has completed yet, or it begins anew. */
  readonly retained: readonly ComponentCheckpoint[];
  /** When the latest of them completed, in ms since 1970; undefined if there is none. */
  readonly completedAtMs: number | undefined;
  readonly damaged: readonly DamagedCheckpoint[];
  /** Numbers of those that an earlier run gave up for an earlier one. */
  readonly lost: readonly number[];
  /** Those up to this one are of complete results that an earlier run has produced anew; 0 if none is. */
  readonly outdated: number;
  /** Those before this one are not continued any more; 0 if any may be. */
  readonly from: number;
  /** Those that are in the storage, and that no run will continue. */
  readonly unused: readonly CheckpointId[];
  /** Whether a checkpoint of the earlier run has completed. */
  readonly hasCompleted: boolean;
  /** Whether it had told so. */
  readonly hadCompleted: boolean;
  /** Why it begins anew although a checkpoint had completed. */
  readonly why: string | undefined;
}

/** What a run takes over from the checkpoints of an earlier one. */
export interface CheckpointResume {
  readonly components: readonly ComponentResume[];
  /** The greatest number that was used; 0 if none was. */
  readonly lastNumber: CheckpointId;
  /** The series of earlier runs that nobody continues. */
  readonly stale: readonly string[];
  /** Why nothing may run. */
  readonly refusal: CommittedOutputError | NoCheckpointLeftError | NothingToResumeError | undefined;
}

export interface CheckpointQuestion {
  readonly plan: JobPlan;
  readonly shape: JobShape;
  /** What earlier runs left, used or not. */
  readonly books: RunBooks | undefined;
  readonly decision: Pick<ResumeDecision, 'earlier' | 'comparison' | 'sources' | 'restored'>;
  readonly storage: CheckpointStorage;
  /** Whether the run takes checkpoints. */
  readonly isOn: boolean;
  /** Whether nothing that had finished is used. */
  readonly rerun: boolean;
  /** The state directory, if a component that had checkpoints must continue from one. */
  readonly requiredOf?: string | undefined;
}

/**
 * Decides which streaming components continue from a checkpoint of an earlier run. One that does is as it was: its
 * operators, exchanges and sources, and the complete results that it reads. Any other begins anew, as a whole; unless a
 * sink of it that cannot replace its output has committed some, then nothing runs.
 *
 * @throws CheckpointStorageError | CheckpointFormatError (as a rejection)
 */
export async function decideCheckpoints(question: CheckpointQuestion): Promise<CheckpointResume> {
  const { shape, books, storage } = question;
  const numbers = await Promise.all((books?.checkpoints ?? []).map(({ scope }) => storage.lastNumber(scope)));
  const lastNumber = Math.max(0, books?.lastCheckpoint ?? 0, ...numbers.map((number) => number ?? 0));
  const found: ComponentResume[] = [];
  for (const component of streamingComponents(shape.graph, shape.regions).list) {
    if (!component.writesCompleteResults) found.push(await resumeOf(component, question));
  }
  const components = withoutHalfDrained(found, question);
  const continued = new Set(components.map(({ scope }) => scope));
  const all = [...(books?.staleCheckpoints ?? []), ...(books?.checkpoints ?? []).map(({ scope }) => scope)];
  return {
    components,
    lastNumber: lastNumber as CheckpointId,
    stale: all.filter((scope) => !continued.has(scope)),
    refusal: refusalOf(components, question),
  };
}

/** Of a component whose storage has nothing besides what it continues, if anything. */
export const nothingAmiss = {
  damaged: [],
  lost: [],
  from: 0,
  unused: [],
  outdated: 0,
  why: undefined,
} satisfies Partial<ComponentResume>;

async function resumeOf(component: StreamingComponent, question: CheckpointQuestion): Promise<ComponentResume> {
  const { shape, storage } = question;
  const head = component.heads[0] as ExecutionVertexId;
  const series = seriesOf(head, question);
  const none = { ...nothingAmiss, scope: undefined, retained: [], completedAtMs: undefined };
  const hadCompleted = series?.hasCompleted === true;
  const anew = { ...none, component, head: shape.graph.nameOf(head), hasCompleted: hadCompleted, hadCompleted };
  if (series === undefined) {
    if (!hadSeries(component, question)) return anew;
    return { ...anew, hasCompleted: true, why: whyChanged(component, question) ?? 'its tasks are others' };
  }
  const why = whyChanged(component, question);
  const { retained, damaged, unused, completedAtMs } = await checkpointsOf(component, series, { shape, storage });
  const hasCompleted = hadCompleted || retained.length > 0 || damaged.length > 0;
  if (why !== undefined) return { ...anew, hasCompleted, ...(hasCompleted && { why }) };
  const { scope, lost = [], outdated = 0, from = 0 } = series;
  if (hasCompleted && retained.length === 0) {
    return { ...anew, hasCompleted, damaged, why: outdated > 0 ? 'what it reads was produced again' : nothingLeft };
  }
  return { ...anew, scope, retained, completedAtMs, damaged, lost, from, unused, outdated, hasCompleted };
}

/**
 * A drain is one of all components, and none commits its output before all are stored as drained. If some are not, the
 * process died meanwhile: then none is, and those that are continue from the checkpoint before.
 */
function withoutHalfDrained(
  components: readonly ComponentResume[],
  { decision: { restored } }: Pick<CheckpointQuestion, 'decision'>,
): readonly ComponentResume[] {
  const isDrained = ({ retained }: ComponentResume): boolean => retained.at(-1)?.isDrained === true;
  const hasFinished = ({ component }: ComponentResume): boolean =>
    component.regions.every((region) => restored.has(region));
  if (components.every((one) => isDrained(one) || hasFinished(one))) return components;
  return components.map((one) => {
    const before = one.retained.filter(({ isDrained: isOfDrain }) => isOfDrain !== true);
    const isBegun = before.length > 0 || !one.hadCompleted;
    // One that has nothing before it is no worse than a job of which one component was drained.
    if (!isDrained(one) || !isBegun) return one;
    const lost = one.retained.filter(({ isDrained: isOfDrain }) => isOfDrain === true).map(({ id }) => id);
    return {
      ...one,
      retained: before,
      completedAtMs: before.at(-1)?.completedMs,
      hasCompleted: before.length > 0,
      lost: [...one.lost, ...lost],
      unused: [...one.unused, ...lost],
    };
  });
}

const nothingLeft = 'none of its checkpoints can be read any more';

/** The checkpoints of the earlier run for the component with this head. */
function seriesOf(head: ExecutionVertexId, { shape, decision }: CheckpointQuestion): EntryCheckpoints | undefined {
  const { graph } = shape;
  const before = decision.comparison?.vertices[graph.jobVertexIndexOf(head)]?.before;
  if (before === undefined) return undefined;
  return decision.earlier?.checkpointsOf({ vertex: before, subtask: graph.subtaskOf(head) });
}

/** What is wrong with the content of a checkpoint, which is read in full; undefined if nothing is. */
async function damageIn(
  { checkpoint, pieces }: CheckpointManifest,
  storage: CheckpointStorage,
): Promise<DamagedCheckpoint | undefined> {
  for (const { location } of pieces) {
    try {
      await storage.read(location);
    } catch (error) {
      if (!(error instanceof CheckpointUnreadableError)) throw error;
      return { kind: 'damaged', checkpoint, location, problem: error.problem };
    }
  }
  return undefined;
}

async function checkpointsOf(
  component: StreamingComponent,
  { scope, lost = [], doubted = [], outdated = 0, from = 0 }: EntryCheckpoints,
  { shape, storage }: Pick<CheckpointQuestion, 'shape' | 'storage'>,
): Promise<Pick<ComponentResume, 'retained' | 'damaged' | 'unused' | 'completedAtMs'>> {
  const retained: ComponentCheckpoint[] = [];
  const damaged: DamagedCheckpoint[] = [];
  const unused: CheckpointId[] = [];
  for await (const found of storage.find(scope)) {
    const number = found.kind === 'damaged' ? found.checkpoint : found.manifest.checkpoint;
    if (number < from || number <= outdated || lost.includes(number)) {
      unused.push(number);
      continue;
    }
    if (found.kind === 'damaged') {
      damaged.push(found);
      continue;
    }
    const unreadable = doubted.includes(number) && (await damageIn(found.manifest, storage));
    if (unreadable) {
      damaged.push(unreadable);
      continue;
    }
    const checkpoint = checkpointOf(found.manifest, component, shape.graph);
    if (checkpoint?.kind === 'checkpoint') retained.unshift(checkpoint);
    else unused.push(number);
  }
  return { retained, damaged, unused, completedAtMs: retained.at(-1)?.completedMs };
}

/** Why the states of a component mean nothing to it as it is now; undefined if they do. */
function whyChanged(component: StreamingComponent, question: CheckpointQuestion): string | undefined {
  const { plan, shape, decision, isOn, rerun } = question;
  const { graph } = shape;
  const { comparison, sources, restored } = decision;
  if (rerun) return '`rerun: true`';
  if (comparison === undefined) return "`resume: 'never'`";
  if (!isOn) return 'the option `checkpoints` is not set';
  for (const vertex of verticesOf(component, shape)) {
    const compared = comparison.vertices[vertex];
    if (compared?.kind === 'changed') return compared.reasons.join('; ');
    const reason = sources.reasons.get(vertex);
    if (reason !== undefined) return reason;
    const id = graph.jobGraph.vertices[vertex]?.id;
    if (plan.programs[vertex]?.source?.plan !== undefined && !sources.plans.has(vertex)) {
      return `the plan of "${id}" is not in the journal`;
    }
    for (const edges of [graph.edgesInto(vertex), graph.edgesOutOf(vertex)]) {
      let last = -1;
      for (const edge of edges) {
        const same = comparison.edges[edge];
        if (same?.kind !== 'same') return same?.reasons.join('; ') ?? `an exchange of "${id}" is new`;
        if (same.before < last) return `the exchanges of "${id}" have another order`;
        last = same.before;
      }
    }
  }
  const producer = readAgain(component, shape, restored);
  return producer && `what it reads of ${producer} is produced again`;
}

/** The first task whose complete result a component reads, and that runs again. */
function readAgain(
  { tasks }: StreamingComponent,
  { graph, regions }: JobShape,
  restored: ResumeDecision['restored'],
): string | undefined {
  for (const task of tasks) {
    for (const { exchange, firstProducer, producerCount } of graph.inputsOf(task)) {
      if (exchange.consumption !== 'after-producer-finished') continue;
      for (let at = 0; at < producerCount; at++) {
        const producer = (firstProducer + at) as ExecutionVertexId;
        if (!restored.has(regions.regionOf(producer))) return graph.nameOf(producer);
      }
    }
  }
  return undefined;
}

/** Whether a checkpoint of an earlier component has completed that had one of these vertices. */
function hadSeries(component: StreamingComponent, { shape, decision }: CheckpointQuestion): boolean {
  const { earlier, comparison } = decision;
  const before = new Set(verticesOf(component, shape).map((vertex) => comparison?.vertices[vertex]?.before));
  return (earlier?.checkpoints ?? []).some(
    ({ hasCompleted, vertices }) => hasCompleted && vertices.some((vertex) => before.has(vertex)),
  );
}

/** Output up to a checkpoint is committed: a component that begins anew would repeat it, or mix it with other records. */
function refusalOf(components: readonly ComponentResume[], question: CheckpointQuestion): CheckpointResume['refusal'] {
  const { plan, shape, decision, rerun, requiredOf } = question;
  if (rerun || decision.comparison === undefined) return undefined;
  for (const { component, head, why, damaged } of components) {
    if (why === undefined || component.regions.every((region) => decision.restored.has(region))) continue;
    const sink = repeatingSink(component, { plan, shape });
    if (sink === undefined && requiredOf === undefined) continue;
    if (sink === undefined) {
      const which = `the tasks behind ${head} would begin anew, because ${why}`;
      return new NothingToResumeError(requiredOf as string, plan.name, which);
    }
    if (why !== nothingLeft) return new CommittedOutputError(sink, [{ operator: idOfHead(component, shape), why }]);
    const [newest] = damaged;
    const cause = newest && new Error(`${newest.location}: ${newest.problem}`);
    return new NoCheckpointLeftError(head, { cause });
  }
  return undefined;
}

function idOfHead({ heads }: StreamingComponent, { graph }: JobShape): string {
  return graph.jobVertexOf(heads[0] as ExecutionVertexId).id;
}

/** A sink of a component that cannot replace what it has. */
function repeatingSink(
  component: StreamingComponent,
  { plan, shape }: Pick<CheckpointQuestion, 'plan' | 'shape'>,
): string | undefined {
  const sinks: readonly (readonly { readonly uid: string; readonly sink: Sink<never> }[])[] = sinksOf(plan);
  return verticesOf(component, shape)
    .flatMap((vertex) => sinks[vertex] ?? [])
    .find(({ sink: { redo = 'repeats' } }) => redo === 'repeats')?.uid;
}

/** The job vertices of a component, in ascending order. */
export function verticesOf({ tasks }: StreamingComponent, { graph }: JobShape): number[] {
  return [...new Set(tasks.map((task) => graph.jobVertexIndexOf(task)))];
}
