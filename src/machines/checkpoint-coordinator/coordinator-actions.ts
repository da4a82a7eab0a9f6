import type { CoordinatorActions } from './checkpoint-coordinator-machine.ts';
import type { PendingActions } from './pending-checkpoint-machine.ts';

/** Implements the actions that the chart of a checkpoint names, by its component. */
export const pendingActions: PendingActions = {
  prepare: ({ context, self }) => context.component.prepare(self),
  begin: ({ context, self }, { checkpoint }) => context.component.begin(self, checkpoint, context.request),
  store: ({ context, self }, { checkpoint }) => context.component.store(self, checkpoint, context.request),
  giveUp: ({ context }) => context.component.giveUp(context.request),
  discard: ({ context }, { checkpoint }) => {
    if (checkpoint !== undefined) context.component.discard(checkpoint);
  },
};

/** Implements the actions that the coordinator chart names, by its component. */
export const coordinatorActions: CoordinatorActions = {
  announceTriggered: ({ context }, { checkpoint, request }) => context.component.triggered(checkpoint, request),
  announceCompleted: ({ context }, { checkpoint, request }) => context.component.completed(checkpoint, request),
  announceFailed: ({ context }, failed) => context.component.failed(failed),
  announceRefused: ({ context }, { request, reason }) => context.component.refused(request, reason),
  failComponent: ({ context }, failed) => context.component.failing(failed),
};
