import type { JobIdentity } from '../../journal/identity/job-identity.ts';
import type { RunBooks } from '../../journal/run/run-books.ts';
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
    books: RunBooks | undefined,
    identity: JobIdentity,
    contextOf: (vertex: number) => SourcePlanContext,
  ): Promise<EarlierSources> {
    const sources = new EarlierSources();
    if (books !== undefined) {
      const before = new Map(books.identity.vertices.map(({ id }, index) => [id, index]));
      await Promise.all(
        plan.programs.map(async (_, vertex) => {
          const index = before.get(identity.vertices[vertex]?.id as string);
          if (index !== undefined) await sources.#examine(plan, vertex, { books, index, contextOf });
        }),
      );
    }
    return sources;
  }

  async #examine(
    { programs }: JobPlan,
    vertex: number,
    { books, index, contextOf }: { books: RunBooks; index: number; contextOf: (vertex: number) => SourcePlanContext },
  ): Promise<void> {
    const { source, sink } = programs[vertex] ?? {};
    const hasFinished = books.end?.status === 'finished';
    if (sink?.redo === 'collects') this.reasons.set(vertex, 'its records are collected anew, in this process');
    if (source === undefined) return;
    if (source.definition === undefined && hasFinished) {
      this.reasons.set(vertex, `what source "${source.name}" reads cannot be compared`);
    }
    if (source.plan === undefined) return;
    const recorded = books.plans.get(index);
    if (!books.plans.has(index)) {
      this.reasons.set(vertex, 'its plan is not in the journal');
      return;
    }
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
