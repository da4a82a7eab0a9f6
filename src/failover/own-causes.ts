import { causeChain } from '../errors/cause-chain.ts';
import type { KintsugiError } from '../errors/kintsugi-error.ts';
import { propertyOf } from '../foreign-value.ts';
import type { RunId } from '../ids.ts';

/** One error of a chain of causes. */
export interface Cause {
  readonly error: unknown;
  /** Whether it is one of another run, or beneath one: what a function of this run has met when it ran a job itself. */
  readonly isForeign: boolean;
}

/** Errors that say which run they are of. */
const codesWithRun: ReadonlySet<unknown> = new Set<KintsugiError['code']>([
  'PARTITION_LOST',
  'DETERMINISM_BROKEN',
  'JOB_FAILED',
  'JOB_CANCELED',
]);

/** The chain of causes of `error`, as a run sees it. */
export function* causesIn(error: unknown, run: RunId | undefined): Generator<Cause> {
  let isForeign = false;
  for (const link of causeChain(error)) {
    isForeign ||= codesWithRun.has(propertyOf(link, 'code')) && !isOf(run, link);
    yield { error: link, isForeign };
  }
}

/** Whether an error says that it is one of `run`. */
export function isOf(run: RunId | undefined, error: unknown): boolean {
  return propertyOf(error, 'run') === run;
}

/** The first of this run's own in the chain that carries `code`. */
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

/** Where on the disk a result is wrong, if the cause or what caused it says so. */
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
