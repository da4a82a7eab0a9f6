import type { RestartMode } from '../graph/reproducibility.ts';

/** What a failover tells a region: how it restarts, or to `wait` once more, which is for one that has not begun. */
export type RestartCommand = RestartMode | 'wait';

/**
 * What a region's attempt does, as the latest failovers decided:
 * - `new`, `again`: it has begun to write something new, or to reproduce its results; at first it is `new`;
 * - `to-be-new`, `to-be-again`: decided, and not begun;
 * - `to-wait`: it waits once more for its inputs. Its consumers keep running, and it has written nothing to reproduce.
 */
export type RestartPlan = 'new' | 'again' | 'to-be-new' | 'to-be-again' | 'to-wait';

/** The plan after a failover told a region something, and after its attempt began to write. */
const next: Readonly<Record<RestartPlan, Readonly<Record<RestartCommand | 'begin', RestartPlan>>>> = {
  new: { new: 'to-be-new', again: 'to-be-again', wait: 'to-wait', begin: 'new' },
  again: { new: 'to-be-new', again: 'to-be-again', wait: 'to-be-again', begin: 'again' },
  // It stays new until it has begun: the inputs that it would need to reproduce its results have changed.
  'to-be-new': { new: 'to-be-new', again: 'to-be-new', wait: 'to-be-new', begin: 'new' },
  'to-be-again': { new: 'to-be-new', again: 'to-be-again', wait: 'to-be-again', begin: 'again' },
  'to-wait': { new: 'to-be-new', again: 'to-wait', wait: 'to-wait', begin: 'again' },
};

/** The plan of a region that is told something, or that begins to write. */
export function planAfter(plan: RestartPlan, step: RestartCommand | 'begin'): RestartPlan {
  return next[plan][step];
}

/** Whether the attempt that a plan is about reproduces the results of earlier ones, or writes new ones. */
export function modeOf(plan: RestartPlan): RestartMode {
  return plan === 'new' || plan === 'to-be-new' ? 'new' : 'again';
}
