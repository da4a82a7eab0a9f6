import { causeChain } from '../errors/cause-chain.ts';
import type { KintsugiError } from '../errors/kintsugi-error.ts';
import { propertiesOf, propertyOf } from '../foreign-value.ts';
import type { RunId } from '../ids.ts';

/** One error in a cause chain, with those of its properties that recovery goes by. */
export interface Cause {
  readonly error: unknown;
  readonly code: unknown;
  readonly recovery: unknown;
  readonly partition: unknown;
  readonly attempt: unknown;
  /**
   * Whether the error belongs to another run, or lies beneath such an error: a function of this run ran another job.
   */
  readonly isForeign: boolean;
  /** Whether it names this run as its run, and is not foreign. */
  readonly isOwn: boolean;
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
    const { run: named, ...read } = propertiesOf(link, 'run', 'code', 'recovery', 'partition', 'attempt');
    isForeign ||= codesWithRun.has(read.code) && named !== run;
    yield { error: link, ...read, isForeign, isOwn: !isForeign && named === run };
  }
}

/** The first error in the chain with one of these codes that is not foreign. */
export function ownCauseWithCode<Error extends KintsugiError = KintsugiError>(
  error: unknown,
  codes: readonly Error['code'][],
  run: RunId | undefined,
): Error | undefined {
  for (const cause of causesIn(error, run)) {
    if (!cause.isForeign && codes.includes(cause.code as Error['code'])) return cause.error as Error;
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
    const { file, offset } = propertiesOf(propertyOf(link, 'location'), 'file', 'offset');
    if (typeof file === 'string' && typeof offset === 'number') return { file, offset };
  }
  return undefined;
}
