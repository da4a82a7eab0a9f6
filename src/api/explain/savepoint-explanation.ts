import { SavepointConflictError } from '../../errors/savepoint-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import type { JobPlan } from '../../run/job-plan.ts';
import { readBooks } from '../../run/durable/state-directory.ts';
import type { ResumePolicy } from '../../run/run-options.ts';
import { hasBegunWith, openSavepoint } from '../../run/savepoints/open-savepoint.ts';
import { outlinesOf, subtaskStatesOf } from '../../run/savepoints/savepoint-content.ts';
import { matchOf } from '../../run/savepoints/savepoint-import.ts';
import type { SavepointMatch } from '../../run/savepoints/savepoint-match.ts';
import type { ChosenSavepoint } from '../../run/savepoints/savepoint-option.ts';
import { section } from './text-table.ts';

/** A step that continues from a savepoint. */
export interface RestoredStep {
  readonly uid: string;
  readonly restores: 'positions' | 'keyed states' | 'subtask states' | 'prepared output';
  /** The parallelism that it had, and has. */
  readonly before: number;
  readonly now: number;
}

/** What a run would begin with that begins with a savepoint. */
export interface SavepointExplanation {
  readonly directory: string;
  /** The job and the run that it was taken of, and when, in ms since 1970. */
  readonly job: string;
  readonly run: string;
  readonly takenAtMs: number;
  /** Whether its run was drained: what was handed on then, folds and `onEnd`, begins anew. */
  readonly isDrained: boolean;
  readonly restored: readonly RestoredStep[];
  /** uids of steps that begin empty, because the savepoint does not have them. */
  readonly added: readonly string[];
  /** uids of steps whose states are dropped (`allowRemovedState`). */
  readonly dropped: readonly string[];
  /** The error that the run would end with before anything runs. */
  readonly refusal: Error | undefined;
  toString(): string;
}

/** The state directory of a run that begins with a savepoint. */
interface StateBeside {
  readonly stateDirectory: string;
  readonly resume: ResumePolicy;
  /** Whether something of the run in it is continued. Otherwise one that began with the savepoint begins with it again. */
  readonly goesOn: boolean;
}

/**
 * Says what a savepoint means for a job; reads its manifest alone. undefined if the state directory holds a run that began
 * with it, which is continued.
 * @throws SavepointUnreadableError | CheckpointFormatError | CheckpointStorageError (as a rejection)
 */
export async function explainSavepoint(
  plan: JobPlan,
  { directory, allowRemovedState }: ChosenSavepoint,
  beside?: StateBeside,
): Promise<SavepointExplanation | undefined> {
  const earlier = beside === undefined || beside.resume === 'never' ? undefined : readBooks(beside.stateDirectory);
  const hasBegun = earlier !== undefined && (await hasBegunWith(earlier, directory));
  if (hasBegun && beside?.goesOn === true) return undefined;
  const savepoint = await openSavepoint(directory);
  let match: SavepointMatch | undefined;
  let refusal: Error | undefined;
  try {
    if (beside !== undefined && earlier !== undefined && !hasBegun) {
      throw new SavepointConflictError(directory, beside.stateDirectory, earlier.run);
    }
    match = matchOf({ plan, savepoint, allowRemovedState });
  } catch (error) {
    refusal = toError(error);
  }
  const { job, run, isDrained = false } = savepoint.content;
  const explanation: SavepointExplanation = {
    ...{ directory, job, run, isDrained, takenAtMs: savepoint.completedEpochMs, refusal },
    restored: match === undefined ? [] : restoredSteps(plan, match),
    added: match === undefined ? [] : addedSteps(plan, match),
    dropped: match?.removed ?? [],
    toString: () => describe(explanation),
  };
  return Object.freeze(explanation);
}

function restoredSteps(plan: JobPlan, { homes }: SavepointMatch): RestoredStep[] {
  return outlinesOf(plan).flatMap(({ steps, tables, parallelism: now }) =>
    steps.flatMap((step): RestoredStep[] => {
      const { uid, role } = step;
      const before = homes.get(uid)?.vertex.parallelism;
      if (before === undefined) return [];
      if (role === 'source') return [{ uid, restores: 'positions', before, now }];
      if (role === 'sink') return [{ uid, restores: 'prepared output', before, now }];
      if (!tables.includes(uid)) return [];
      const restores = subtaskStatesOf(step) === undefined ? 'keyed states' : 'subtask states';
      return [{ uid, restores, before, now }];
    }),
  );
}

function addedSteps(plan: JobPlan, { homes }: SavepointMatch): string[] {
  return outlinesOf(plan).flatMap(({ steps }) => steps.flatMap(({ uid }) => (homes.has(uid) ? [] : [uid])));
}

function describe(explanation: SavepointExplanation): string {
  const { directory, job, run, takenAtMs, isDrained, restored, added, dropped, refusal } = explanation;
  const [at] = new Date(takenAtMs).toISOString().split('.');
  return [
    `Begins with the savepoint in ${directory}, of run ${run} of job "${job}", taken at ${at}Z`,
    ...(refusal === undefined ? [] : [`  is refused: ${refusal.message}`]),
    ...(isDrained ? ['  was drained: what it handed on at its end begins anew'] : []),
    ...section('Continues', restored, ({ uid, restores, before, now }) => [
      uid,
      restores,
      before === now ? `×${now}` : `×${before} → ×${now}`,
    ]),
    ...section('Begins empty', added, (uid) => [uid]),
    ...section('Is dropped', dropped, (uid) => [uid]),
  ].join('\n');
}
