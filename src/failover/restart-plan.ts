import type { RestartMode } from '../graph/reproducibility.ts';

/** A failover's command to a region: how to restart, or to `wait` again if it has not begun. */
export type RestartCommand = RestartMode | 'wait';

/**
 * The plan of a region's attempt, by the latest failovers:
 * - `new`, `again`: it has begun to write new results, or to reproduce its results; initially `new`;
 * - `to-be-new`, `to-be-again`: decided but not begun;
 * - `to-wait`: it waits again for its inputs. Its consumers keep running, and it has written nothing to reproduce.
 */
export type RestartPlan = 'new' | 'again' | 'to-be-new' | 'to-be-again' | 'to-wait';

/** The plan of a region after a command, or after its attempt begins to write. */
export const planAfter: Readonly<Record<RestartPlan, Readonly<Record<RestartCommand | 'begin', RestartPlan>>>> = {
  new: { new: 'to-be-new', again: 'to-be-again', wait: 'to-wait', begin: 'new' },
  again: { new: 'to-be-new', again: 'to-be-again', wait: 'to-be-again', begin: 'again' },
  // It stays new until it has begun, because the inputs for reproducing its results have changed.
  'to-be-new': { new: 'to-be-new', again: 'to-be-new', wait: 'to-be-new', begin: 'new' },
  'to-be-again': { new: 'to-be-new', again: 'to-be-again', wait: 'to-be-again', begin: 'again' },
  'to-wait': { new: 'to-be-new', again: 'to-wait', wait: 'to-wait', begin: 'again' },
};

/** Whether the planned attempt reproduces the results of earlier ones, or writes new ones. */
export const modeByPlan: Readonly<Record<RestartPlan, RestartMode>> = {
  new: 'new',
  again: 'again',
  'to-be-new': 'new',
  'to-be-again': 'again',
  'to-wait': 'again',
};
