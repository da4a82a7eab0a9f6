import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import type { Topology } from '../../graph/topology.ts';
import type { RegionId } from '../../ids.ts';
import { callNow } from '../../user-code.ts';
import { failedRegions, type TaskFailure } from '../failover-strategy.ts';

/**
 * Names the budget of restarts that a failure uses up: failures with the same name share one backoff. Called for each
 * failure, also for one of the job as a whole; synchronous. There should be few names: each has a backoff until the job
 * ends.
 */
export type BackoffScopeRule = (failure: TaskFailure, topology: Topology) => string;

/** Which failures share a backoff. */
export type BackoffScope = 'region' | 'job' | BackoffScopeRule;

/** @throws InvalidArgumentError */
export function checkBackoffScope(given: BackoffScope | undefined): BackoffScope {
  const scope = given ?? 'region';
  if (typeof scope === 'function' || scope === 'region' || scope === 'job') return scope;
  throw new InvalidArgumentError(
    'backoffScope',
    scope,
    '"region", "job", or a function that names the budget of a failure',
  );
}

/** The key of the backoff for a failure: that of several regions, whose executor was lost, is the job's. */
export type BackoffKey = RegionId | 'job' | `named ${string}`;

/**
 * The backoff that a failure counts in. If the function of the user fails, that of its region.
 * @param failed called with the error of the function
 */
export function backoffKeyOf(
  scope: BackoffScope,
  failure: TaskFailure,
  topology: Topology,
  failed: (cause: Error) => void,
): BackoffKey {
  if (typeof scope === 'function') {
    const answer = callNow('backoffScope', () => scope(failure, topology));
    if (answer.kind !== 'error' && typeof answer.value === 'string') return `named ${answer.value}`;
    failed(
      answer.kind === 'error'
        ? answer.error
        : new InvalidArgumentError('answer of backoffScope', answer.value, 'a text'),
    );
  }
  const [region, ...others] = failedRegions(failure, topology.regions);
  return region === undefined || others.length > 0 || scope === 'job' ? 'job' : region;
}
