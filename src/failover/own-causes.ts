import { causeChain } from '../errors/cause-chain.ts';
import type { KintsugiError } from '../errors/kintsugi-error.ts';
import { propertyOf } from '../foreign-value.ts';
import type { RunId } from '../ids.ts';

/** One error in a cause chain. */
export interface Cause {
  readonly error: unknown;
  /**
   * Whether the error belongs to another run, or lies beneath such an error: a function of this run ran another job.
   */
  readonly isForeign: boolean;
}

/** Codes of errors that name their run. */
const codesWithRun: ReadonlySet<unknown> = new Set<KintsugiError['code']>([
  'PARTITION_LOST',
  'DETERMINISM_BROKEN',
  'JOB_FAILED',
  'JOB_CANCELED',
]);

/** The cause chain of `error`, from the viewpoint of `run`. */
export function* causesIn(error: unknown, run: RunId | undefined): Generator<Cause> {
  let isForeign = false;
  for (const link of causeChain(error)) {
    isForeign ||= codesWithRun.has(propertyOf(link, 'code')) && !isOf(run, link);
    yield { error: link, isForeign };
  }
}

/** Whether an error names `run` as its run. */
export function isOf(run: RunId | undefined, error: unknown): boolean {
  return propertyOf(error, 'run') === run;
}

/** The first error of this run in the chain with this `code`. */
export function ownCauseWithCode<Error extends KintsugiError = KintsugiError>(
  error: unknown,
  code: Error['code'],
  run: RunId | undefined,
): Error | undefined {
  for (const cause of causesIn(error, run)) {
    if (!cause.isForeign && propertyOf(cause.error, 'code') === code) return cause.error as Error;
  }
  return undefined;
}

/** Where on disk a result is damaged, if an error in the cause chain says so. */
export function locationIn(
  cause: Error,
  run: RunId | undefined,
): { readonly file: string; readonly offset: number } | undefined {
  for (const { error: link, isForeign } of causesIn(cause, run)) {
    if (isForeign) return undefined;
    const location = propertyOf(link, 'location');
    const [file, offset] = [propertyOf(location, 'file'), propertyOf(location, 'offset')];
    if (typeof file === 'string' && typeof offset === 'number') return { file, offset };
  }
  return undefined;
}
