import { enqueueActions } from 'xstate';
import { restartCommands } from '../../failover/restart-proposal.ts';
import type { FailoverId, RegionId } from '../../ids.ts';
import { decidedEvent } from '../failover/decided-event.ts';
import type { FailoverServices, OpenFailovers } from '../failover/open-failovers.ts';
import { loseResult } from '../failover/result-losses.ts';
import type { MasterActions } from './job-master-machine.ts';
import type { Failed, Told } from './job-master-setup.ts';
import { grantSlots, tellRegion } from './tell-regions.ts';

type Named =
  | 'openFailover'
  | 'openFailoversOfUnable'
  | 'restartRegions'
  | 'settleRegion'
  | 'completeFailover'
  | 'refuseFailover'
  | 'reportOverruled'
  | 'losePartition'
  | 'stopAdvisors';

/** The actions of the job master on failures. */
export function recoveryActions(services: FailoverServices, failovers: OpenFailovers): Pick<MasterActions, Named> {
  const { ledger, environment, gateway, observe } = services;
  const now = (): number => environment.clock.now();
  // Actors are created in assigners and enqueuers: inside a custom action, XState's development build would report
  // their own actions as misplaced.
  return {
    openFailover: enqueueActions(({ self }, { failed }: { failed: Failed }) => failovers.open(failed, self)),
    openFailoversOfUnable: enqueueActions(({ self }, { cause }: { cause: Error }) => {
      for (const vertex of ledger.unableToProduceAgain()) {
        failovers.open({ vertex, attempt: ledger.attemptOf(vertex), cause }, self);
      }
    }),
    restartRegions: enqueueActions(({ enqueue }, decided: Told<'failover.decided'>) => {
      const { failover, restart, restartAtMs } = decided;
      observe(decidedEvent(decided, ledger, now()));
      const modes = restartCommands(restart);
      ledger.noteFailover(failover, modes.keys());
      const wanted = ledger.invalidate(modes);
      if (wanted.length > 0) gateway.forbidReclaim(wanted);
      for (const [region, mode] of modes) {
        tellRegion(ledger, enqueue, region, { type: 'region.restart', failover, restartAtMs, mode });
      }
      grantSlots(ledger, enqueue);
    }),
    settleRegion: enqueueActions(({ enqueue }, { failover, region }: { failover: FailoverId; region: RegionId }) => {
      const open = failovers.get(failover);
      // It may be complete, with that event on its way: a region that had not begun is not awaited.
      if (open?.getSnapshot().status === 'active') enqueue.sendTo(open, { type: 'failover.regionSettled', region });
    }),
    completeFailover: enqueueActions((_, { failover, regions, failedAtMs }: Told<'failover.completed'>) => {
      failovers.close(failover);
      const atMs = now();
      observe({ type: 'failover.completed', atMs, failover, regions, durationMs: atMs - failedAtMs });
      failovers.tellStrategy({ type: 'failover.completed', failover, regions });
    }),
    refuseFailover: (_, { failover, newAttempt, why }) => {
      failovers.close(failover);
      observe({ type: 'failover.refused', atMs: now(), failover, newAttempt, why });
    },
    reportOverruled: (_, { failover, part, problem, instead }) => {
      observe({ type: 'failover.overruled', failover, part, problem, instead, atMs: now() });
    },
    losePartition: (_, { partition, cause }) => loseResult(services, partition, cause),
    stopAdvisors: enqueueActions(({ enqueue }) => {
      for (const failover of failovers.stop()) enqueue.stopChild(failover);
    }),
  };
}
