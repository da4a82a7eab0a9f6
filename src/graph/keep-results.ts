import { InvalidArgumentError } from '../errors/usage-errors.ts';
import { checkOptions, longestTimerMs } from '../options.ts';

/**
 * How long results are kept: until their consumer regions have finished, some time longer, until the job ends, or
 * beyond the job in a directory, until `releaseKeptResult`. If a finished consumer must restart after its input was
 * released, the producers run again.
 */
export type KeepResults =
  | 'until-consumers-finish'
  | 'until-job-ends'
  | { readonly ttlMs: number }
  | { readonly directory: string };

/** Whether results are kept in a directory, where they outlive the job. */
export function isKeptBeyondJob(keep: KeepResults): keep is { readonly directory: string } {
  return typeof keep === 'object' && 'directory' in keep;
}

/** How long results are kept within their job. */
export type KeepInRun = Exclude<KeepResults, { readonly directory: string }>;

/** @throws InvalidArgumentError unless `keep` is a valid choice. */
export function checkKeepResults(what: string, keep: KeepResults, { mayOutlive = false } = {}): KeepResults {
  const given = (typeof keep === 'object' && keep !== null ? keep : {}) as Record<string, unknown>;
  checkOptions<object>(what, given, { ttlMs: true, directory: true } satisfies Record<string, true>);
  const { ttlMs, directory } = given;
  const isTtl = typeof ttlMs === 'number' && ttlMs >= 0 && ttlMs <= longestTimerMs;
  const isDirectory = mayOutlive && typeof directory === 'string' && directory !== '' && !directory.includes('\0');
  if (keep === 'until-consumers-finish' || keep === 'until-job-ends') return keep;
  if (directory === undefined ? isTtl : isDirectory && ttlMs === undefined) return keep;
  const beyond = mayOutlive ? ', or { directory }' : ' (a directory is an option of an exchange, reliable or blocking)';
  throw new InvalidArgumentError(
    what,
    keep,
    `"until-consumers-finish", "until-job-ends", or { ttlMs } with milliseconds from 0 to 2147483647${beyond}`,
  );
}
