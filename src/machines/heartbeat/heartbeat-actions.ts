import { enqueueActions } from 'xstate';
import type { HeartbeatActions } from './heartbeat-machine.ts';

/** Implements the actions that the heartbeat chart names, by its peer, which may create and stop actors. */
export const heartbeatActions: HeartbeatActions = {
  beat: ({ context }) => context.peer.beat(),
  ask: ({ context }) => context.peer.ask(),
  answer: ({ context }) => context.peer.answer(),
  take: enqueueActions(({ context }, { payload }: { payload: unknown }) => context.peer.take(payload)),
  announceLoss: enqueueActions(({ context }, { why }: { why: string }) => context.peer.lost(why)),
};
