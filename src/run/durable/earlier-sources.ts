import type { JobComparison } from '../../journal/identity/job-comparison.ts';
import type { RunBooks } from '../../journal/run/run-books.ts';
import type { VertexProgram } from '../../operators/operator-description.ts';
import type { SourcePlanContext } from '../../operators/source.ts';
import { changeBetweenPlans, changeSincePlan } from '../identity/source-change.ts';
import type { JobPlan } from '../job-plan.ts';

/**
 * The sources of a job, compared with what an earlier run read of them. A run that continues an unfinished one reads by
 * the recorded plans. A run after a finished one plans anew, and what changed runs again.
 */
export class EarlierSources {
  /** By index of the vertex: why it runs again. */
  readonly reasons = new Map<number, string>();
  /** By index of the vertex: the plans that this run reads by, as far as they are made. */
  readonly plans = new Map<number, unknown>();

  private constructor() {}

  /** Examines the origins of all sources that the earlier run read. */
  static async examine(
    plan: JobPlan,
    earlier: { readonly books: RunBooks; readonly comparison: JobComparison } | undefined,
    contextOf: (vertex: number) => SourcePlanContext,
  ): Promise<EarlierSources> {
    const sources = new EarlierSources();
    if (earlier !== undefined) {
      await Promise.all(plan.programs.map((program, vertex) => sources.#examine(program, vertex, earlier, contextOf)));
    }
    return sources;
  }

  async #examine(
    { source, sink }: VertexProgram,
    vertex: number,
    { books, comparison }: { readonly books: RunBooks; readonly comparison: JobComparison },
    contextOf: (vertex: number) => SourcePlanContext,
  ): Promise<void> {
    const compared = comparison.vertices[vertex];
    const { before } = compared ?? {};
    if (before === undefined) return;
    const hasFinished = books.end?.status === 'finished';
    if (sink?.redo === 'collects') this.reasons.set(vertex, 'its records are collected anew, in this process');
    if (compared?.kind === 'unknown-source' && hasFinished) this.reasons.set(vertex, compared.reasons.join('; '));
    if (source?.plan === undefined) return;
    if (!books.plans.has(before)) {
      // Its plan was lost, or no task has asked for one.
      if (books.hasFinishedTasks(before)) this.reasons.set(vertex, 'its plan is not in the journal');
      return;
    }
    const recorded = books.plans.get(before);
    const context = contextOf(vertex);
    if (hasFinished) {
      const now: unknown = await source.plan(context);
      const change = changeBetweenPlans(source, recorded, now);
      if (change !== undefined) this.reasons.set(vertex, change);
      this.plans.set(vertex, change === undefined ? recorded : now);
      return;
    }
    const change = await changeSincePlan(source, recorded, context);
    if (change === undefined) this.plans.set(vertex, recorded);
    else this.reasons.set(vertex, change);
  }
}
