import { enqueueActions } from 'xstate';
import { type IsolatedRestart, isolated } from '../../failover/isolation.ts';
import { broughtUpToDate, type Restart, restartCommands } from '../../failover/restart-proposal.ts';
import type { JobEvent } from '../../actors/job-event.ts';
import type { ExecutionVertexId, FailoverId, RegionId } from '../../ids.ts';
import { decidedEvent } from '../failover/decided-event.ts';
import { loseResult } from '../failover/result-losses.ts';
import { type ChartServices, chartServicesOf, type JobSystem } from '../chart-services.ts';
import type { MasterActions } from './job-master-machine.ts';
import type { Failed, Told } from './job-master-setup.ts';
import { grantSlots, tellRegion } from './tell-regions.ts';

const servicesOf = chartServicesOf<'ledger' | 'environment' | 'gateway' | 'observe' | 'failovers' | 'checkpoints'>;

const now = (system: JobSystem): number => servicesOf(system).environment.clock.now();

/**
 * The actions of the job master on failures. Actors are created in assigners and enqueuers: inside a custom action,
 * XState's development build would report their own actions as misplaced.
 */
export const recoveryActions = {
  openFailover: enqueueActions(({ self, system }, { failed }: { failed: Failed }) => {
    const { failovers, checkpoints } = servicesOf(system);
    failovers.fail(checkpoints?.judged(failed) ?? failed, self);
  }),
  restartComponent: enqueueActions(({ self, system }, { vertices, cause }: Told<'checkpoints.failed'>) => {
    const { ledger, failovers } = servicesOf(system);
    const [first, ...others] = vertices.map((vertex) => ({ vertex, attempt: ledger.attemptOf(vertex) }));
    if (first !== undefined) failovers.open({ ...first, alsoFailed: Object.freeze(others), cause }, self);
  }),
  beginLoss: ({ system }, { cause }) => {
    const { ledger, failovers } = servicesOf(system);
    // Regions that can no longer reproduce their results without the executor.
    const unable = ledger.unableToProduceAgain().map((vertex) => ({ vertex, attempt: ledger.attemptOf(vertex) }));
    failovers.losses.begin(cause, unable);
  },
  openFailoverOfLoss: enqueueActions(({ self, system }, { cause }: { cause: Error }) => {
    const { failovers } = servicesOf(system);
    const failed = failovers.losses.end(cause);
    if (failed !== undefined) failovers.open(failed, self);
  }),
  restartRegions: enqueueActions(({ enqueue, system, self }, decided: Told<'failover.decided'>) => {
    const { ledger, gateway, observe, failovers, checkpoints } = servicesOf(system);
    const { failover, restartAtMs } = decided;
    const atMs = now(system);
    const change = applyQuarantine(decided, { ledger, failovers }, atMs);
    // Now, because regions may have begun, been scheduled or been quarantined since the failover made its proposal.
    const restart = isolated(broughtUpToDate(decided.restart, ledger), ledger, ledger);
    ledger.blocked = restart.blocked;
    observe(decidedEvent({ ...decided, restart }, ledger, atMs));
    if (change !== undefined) observe(change);
    const excused = notAwaited(restart, decided.restart);
    const open = failovers.get(failover);
    if (excused.length > 0 && open?.getSnapshot().status === 'active') {
      enqueue.sendTo(open, { type: 'failover.regionsExcused', regions: excused });
    }
    const modes = restartCommands(restart);
    ledger.noteFailover(failover, modes.keys());
    checkpoints?.invalidate(modes);
    const wanted = ledger.invalidate(modes);
    if (wanted.length > 0) gateway.forbidReclaim(wanted);
    for (const [region, mode] of modes) {
      const isQuarantined = ledger.quarantined.has(region) || ledger.blocked.has(region);
      tellRegion(
        ledger,
        enqueue,
        region,
        isQuarantined
          ? { type: 'region.quarantine', failover, mode }
          : { type: 'region.restart', failover, restartAtMs, mode },
      );
    }
    grantSlots(ledger, enqueue);
    failovers.decided(failover, modes, self);
  }),
  settleRegion: enqueueActions(
    ({ enqueue, system }, { failover, region }: { failover: FailoverId; region: RegionId }) => {
      const open = servicesOf(system).failovers.get(failover);
      // It may be complete, with that event on its way: a region that had not begun is not awaited.
      if (open?.getSnapshot().status === 'active') enqueue.sendTo(open, { type: 'failover.regionSettled', region });
    },
  ),
  completeFailover: enqueueActions(({ system }, { failover, regions, failedAtMs }: Told<'failover.completed'>) => {
    const { failovers, observe } = servicesOf(system);
    failovers.close(failover);
    const atMs = now(system);
    observe({ type: 'failover.completed', atMs, failover, regions, durationMs: atMs - failedAtMs });
    failovers.tellStrategy({ type: 'failover.completed', failover, regions });
  }),
  refuseFailover: ({ system }, { failover, newAttempt, why }) => {
    const { failovers, observe } = servicesOf(system);
    failovers.close(failover);
    observe({ type: 'failover.refused', atMs: now(system), failover, newAttempt, why });
  },
  reportOverruled: ({ system }, { failover, part, problem, instead }) => {
    servicesOf(system).observe({ type: 'failover.overruled', failover, part, problem, instead, atMs: now(system) });
  },
  losePartition: ({ system }, { partition, cause }) => loseResult(servicesOf(system), partition, cause),
  stopAdvisors: enqueueActions(({ enqueue, system }) => {
    for (const failover of servicesOf(system).failovers.stop()) enqueue.stopChild(failover);
  }),
} satisfies Partial<MasterActions>;

/** The regions for which a failover does not wait: stopped ones, those that were added, and those that go on after all. */
function notAwaited({ regions, quarantined, heldUp }: IsolatedRestart, proposed: Restart): RegionId[] {
  const [now, before] = [new Set(regions), new Set(proposed.regions)];
  const changed = [
    ...regions.filter((region) => !before.has(region)),
    ...proposed.regions.filter((region) => !now.has(region)),
  ];
  return [...quarantined, ...heldUp, ...changed];
}

/** Quarantines the region of a failure, or releases it. Returns what to tell observers. */
function applyQuarantine(
  { failover, failure, quarantine }: Told<'failover.decided'>,
  { ledger, failovers }: Pick<ChartServices, 'ledger' | 'failovers'>,
  atMs: number,
): JobEvent | undefined {
  if (quarantine.kind === 'flapping') {
    const { region, failures, withinMs } = quarantine;
    ledger.quarantined.add(region);
    const task = ledger.graph.nameOf(failure.vertex as ExecutionVertexId);
    const why = `it failed ${failures} times within ${withinMs} ms`;
    const taskCount = ledger.taskCount([region]);
    return { type: 'region.quarantined', atMs, failover, region, task, taskCount, failures, why, cause: failure.cause };
  }
  if (quarantine.kind !== 'requested' || !ledger.release(quarantine.region)) return undefined;
  failovers.flapping.forget(quarantine.region);
  return { type: 'region.released', atMs, failover, region: quarantine.region };
}
