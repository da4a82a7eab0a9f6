import { RecordNotSerializableError } from '../../errors/result-errors.ts';
import { hashOfValue } from '../../operators/identity/value-hash.ts';
import type { Source, SourcePlanContext } from '../../operators/source.ts';

/**
 * How the origin of a source has changed since an earlier process planned to read it, for a continued run with the
 * recorded `plan`. undefined if the rest can still be read by that plan.
 */
export async function changeSincePlan(
  source: Source<unknown>,
  plan: unknown,
  context: SourcePlanContext,
): Promise<string | undefined> {
  if (source.changedSince !== undefined) return source.changedSince(plan, context);
  return changeBetweenPlans(source, plan, await source.plan?.(context));
}

/**
 * How a new plan of a source differs from the one of an earlier run: for a run after a finished one. undefined if the
 * same records are read by both.
 */
export function changeBetweenPlans(source: Source<unknown>, before: unknown, now: unknown): string | undefined {
  try {
    if (hashOfValue(before) === hashOfValue(now)) return undefined;
  } catch (error) {
    if (!(error instanceof RecordNotSerializableError)) throw error;
    return `the plan of ${source.name} cannot be compared: ${error.path} is ${error.found}`;
  }
  if (source.describeChange === undefined) return `the input of ${source.name} has changed`;
  return source.describeChange(before, now);
}
