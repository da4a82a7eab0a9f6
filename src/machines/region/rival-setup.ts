import { assign, sendTo } from 'xstate';
import type { MasterToRegionEvent } from '../../actors/chart-events.ts';
import type { AttemptNumber, ExecutionVertexId } from '../../ids.ts';
import type { Slot } from '../../scheduling/slot-offers.ts';
import type { ExecutionActorRef } from '../execution/execution-machine.ts';
import { placeholder } from '../placeholder.ts';
import { type RegionContext, regionSetup } from './region-setup.ts';

/** Why one of two attempts was preferred: it finished first, or the other one failed. */
export type Preferred =
  | { readonly why: 'finished first' }
  | { readonly why: 'the other failed'; readonly cause: Error };

/** The failure of one of two attempts. */
export interface FailedAttempt {
  readonly vertex: ExecutionVertexId;
  readonly attempt: AttemptNumber;
  readonly cause: Error;
}

export type Speculated = Omit<Extract<MasterToRegionEvent, { type: 'region.speculate' }>, 'type'>;

/** A lost result is lost for both attempts. The second one fails for nothing else that concerns the first. */
function concernsBoth({ attempt: first, job }: RegionContext, { vertex, attempt, cause }: FailedAttempt): boolean {
  const kind = job.classOf(vertex, cause);
  return kind === 'partition-lost' || (kind !== 'recoverable' && attempt === first);
}

const rivalOf = ({ context }: { context: RegionContext }) => context.executions[1] as ExecutionActorRef;

/** The implementations that the region chart names for a task with two attempts. */
export const rivalSetup = regionSetup.extend({
  guards: {
    isOfRival: ({ context }, { attempt }: { attempt: AttemptNumber }) => attempt !== context.attempt,
    isRivalsRegistration: ({ context }, { token }: { token: number }) => token === context.lastAttempt,
    isRegionOfOne: ({ context }) => context.vertices.length === 1,
    /** R12 */
    concernsBoth: ({ context }, failed: FailedAttempt) => concernsBoth(context, failed),
    isForgivenOfFirst: ({ context }, failed: FailedAttempt) =>
      failed.attempt === context.attempt && !concernsBoth(context, failed),
  },
  actions: {
    /** Releases a slot that it does not use. */
    declineSlot: (_, _params: { slot: Slot }) => placeholder('region', 'declineSlot'),
    /** Registers the results of the rival, as those of an attempt are, and tells observers of it. */
    registerRival: (_, _params: Speculated) => placeholder('region', 'registerRival'),
    /** Enters into the books that the rival is the task's attempt now, and the other way round. */
    preferRival: (_, _params: Preferred) => placeholder('region', 'preferRival'),
    /** Tells observers that the first attempt was preferred. */
    reportPreferred: (_, _params: Preferred) => placeholder('region', 'reportPreferred'),
    /** Releases the results of the rival, which has ended, and removes it from the books. */
    dropRival: () => placeholder('region', 'dropRival'),

    addRival: assign(({ context, self }, { slot }: { slot: Slot }) => {
      const { job, vertices, executions, lastAttempt } = context;
      const attempt = (lastAttempt + 1) as AttemptNumber;
      const rival = job.spawnRival(self, vertices[0] as ExecutionVertexId, attempt, slot.executor);
      return { executions: [...executions, rival], lastAttempt: attempt };
    }),
    scheduleRival: sendTo(rivalOf, (_, { slot }: { slot: Slot }) => ({ type: 'execution.schedule', slot })),
    deployRival: sendTo(rivalOf, { type: 'execution.deploy', mode: 'new' }),
    failRival: sendTo(rivalOf, (_, { cause }: { cause: Error }) => ({ type: 'execution.fail', cause })),
    cancelRival: sendTo(rivalOf, { type: 'execution.cancel' }),
    /** The rival becomes the attempt of the task, and the other way round. */
    swapRival: assign(({ context: { executions, lastAttempt } }) => ({
      attempt: lastAttempt,
      executions: [...executions].reverse(),
    })),
    forgetRival: regionSetup.enqueueActions(({ context: { executions, finishedCount }, enqueue }) => {
      enqueue.stopChild(executions[1] as ExecutionActorRef);
      enqueue.assign({ executions: executions.slice(0, 1), endedCount: finishedCount });
    }),
  },
});
