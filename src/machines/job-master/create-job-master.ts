import { enqueueActions } from 'xstate';
import type { MasterToRegionEvent } from '../../actors/chart-events.ts';
import { NoResourceAvailableError } from '../../errors/executor-errors.ts';
import type { ExecutionVertexId, RegionId } from '../../ids.ts';
import { provideExecution } from '../execution/execution-actions.ts';
import type { JobServices } from '../job-services.ts';
import { type JobMasterActorRef, jobMasterMachine } from './job-master-machine.ts';
import { OpenFailovers } from '../failover/open-failovers.ts';
import { ResultKeeper } from './result-keeper.ts';
import { decidedEvent } from '../failover/decided-event.ts';
import { loseResult } from '../failover/result-losses.ts';
import { provideRegion } from '../region/region-actions.ts';
import { createRegions } from '../region/create-regions.ts';
import type { RegionActorRef } from '../region/region-machine.ts';
import { restartCommands } from '../../failover/restart-proposal.ts';

interface Command {
  readonly to: RegionActorRef;
  readonly command: MasterToRegionEvent;
}

/** Sends events to regions through the enqueuer of the current action. */
function tell(
  enqueue: { sendTo(target: RegionActorRef, event: MasterToRegionEvent): void },
  commands: readonly Command[],
): void {
  for (const { to, command } of commands) enqueue.sendTo(to, command);
}

/** Creates the job master of a job, with all implementations that its chart names. Start it and send it `job.start`. */
export function createJobMaster(services: JobServices): JobMasterActorRef {
  const { ledger, environment, gateway, observe, actors } = services;
  const regions = ledger.regionActors;
  const now = (): number => environment.clock.now();

  const execution = provideExecution(services, () => master);
  const region = provideRegion(services);

  /** Outgoing events: scheduling decides them here, the chart sends them. */
  const scheduled = (ready: readonly RegionId[]): Command[] =>
    ready.map((id) => ({
      to: regions[id] as RegionActorRef,
      command: { type: 'region.schedule', slots: ledger.slots.request(id, ledger.regions.verticesOf(id).length) },
    }));
  const granted = (): Command[] =>
    ledger.slots.grants().map(({ region: id, slots }) => ({
      to: regions[id] as RegionActorRef,
      command: { type: 'region.slotsGranted', slots },
    }));
  const schedule = (enqueue: Parameters<typeof tell>[0], ready: readonly RegionId[]): void => {
    tell(enqueue, scheduled(ready));
    // A queued region may have waited only for one of these to run again, with free slots available.
    if (ready.length > 0 && ledger.slots.pendingRequests > 0) tell(enqueue, granted());
  };
  const everyRegion = (command: MasterToRegionEvent): Command[] => regions.map((to) => ({ to, command }));
  const unfinished = (): RegionId[] =>
    regions.flatMap((actor, id) => (actor.getSnapshot().matches('finished') ? [] : [id as RegionId]));
  const tasksBeyond = (most: number, candidates: Iterable<RegionId>): Int32Array | undefined => {
    for (const id of candidates) {
      const vertices = ledger.regions.verticesOf(id);
      if (vertices.length > most) return vertices;
    }
    return undefined;
  };
  /** The error for regions that can never get their slots. */
  const neverFitting = (candidates: Iterable<RegionId>): NoResourceAvailableError | undefined => {
    const most = gateway.slotLimit;
    const vertices = most >= ledger.graph.vertexCount ? undefined : tasksBeyond(most, candidates);
    if (vertices === undefined) return undefined;
    const named = [...vertices.subarray(0, 4)].map((vertex) => ledger.graph.nameOf(vertex as ExecutionVertexId));
    const more = vertices.length > named.length ? ` and ${vertices.length - named.length} more` : '';
    const why = `${named.join(', ')}${more} run at the same time, and there will never be as many`;
    return new NoResourceAvailableError(vertices.length, most, why, 'never');
  };

  const failovers = new OpenFailovers(services);
  const keeper = new ResultKeeper(services);

  const provided = jobMasterMachine.provide({
    actions: {
      recordState: (_, { state: status }) => {
        observe({ type: 'job.statusChanged', atMs: now(), status });
      },
      // Actors are created in assigners and enqueuers: inside a custom action, XState's development build would report
      // their own actions as misplaced.
      createRegions: enqueueActions(({ self }) => createRegions({ ...services, region, execution }, self)),
      startScheduling: enqueueActions(({ enqueue }) => {
        const unfit = neverFitting(unfinished());
        if (unfit !== undefined) return enqueue.raise({ type: 'job.globalFailure', cause: unfit });
        tell(enqueue, scheduled(ledger.scheduling.offer(regions.keys() as Iterable<RegionId>)));
      }),
      scheduleConsumers: enqueueActions(({ event, enqueue }) => {
        if (event.type !== 'region.taskFinished') return;
        schedule(enqueue, ledger.finishTask(event.vertex));
        keeper.noteConsumed(ledger.results.consumedOf(event.vertex));
      }),
      releaseConsumedPartitions: ({ event }) => {
        if (event.type === 'region.finished') keeper.noteConsumed(ledger.results.regionFinished(event.region));
      },
      rescheduleRegion: enqueueActions(({ event, enqueue }) => {
        if (event.type !== 'region.restarted') return;
        const unfit = neverFitting([event.region]);
        if (unfit !== undefined) return enqueue.raise({ type: 'job.globalFailure', cause: unfit });
        schedule(enqueue, ledger.scheduling.offer([event.region]));
      }),
      grantSlots: enqueueActions(({ enqueue }) => tell(enqueue, granted())),
      openFailover: enqueueActions(({ event, self, enqueue }) => {
        failovers.open(event, self);
        // It would not use later grants, and no one would release them.
        if (event.type === 'region.taskFailed' && ledger.slots.cancelRequest(event.region)) tell(enqueue, granted());
      }),
      restartRegions: enqueueActions(({ event, enqueue }) => {
        if (event.type !== 'failover.decided') return;
        const { failover, restart, restartAtMs } = event;
        observe(decidedEvent(event, ledger, now()));
        const modes = restartCommands(restart);
        const wanted = ledger.invalidate(modes);
        if (wanted.length > 0) gateway.forbidReclaim(wanted);
        for (const [id, mode] of modes) {
          enqueue.sendTo(regions[id] as RegionActorRef, { type: 'region.restart', failover, restartAtMs, mode });
        }
        if (ledger.slots.pendingRequests > 0) tell(enqueue, granted());
      }),
      settleRegion: enqueueActions(({ event, enqueue }) => {
        if (event.type !== 'region.recovered' && event.type !== 'region.overtaken') return;
        const failover = failovers.get(event.failover);
        if (failover !== undefined) enqueue.sendTo(failover, { type: 'failover.regionSettled' });
      }),
      closeFailover: enqueueActions(({ event }) => {
        failovers.close(event);
      }),
      reportOverruled: ({ event }) => {
        if (event.type === 'failover.overruled') observe({ ...event, atMs: now() });
      },
      addExecutor: enqueueActions(({ event, enqueue }) => {
        if (event.type !== 'executor.registered') return;
        ledger.slots.addExecutor(event.executor, event.slots);
        observe({ ...event, atMs: now() });
        tell(enqueue, granted());
      }),
      removeExecutor: ({ event }) => {
        if (event.type !== 'executor.lost') return;
        ledger.slots.removeExecutor(event.executor);
        observe({ ...event, atMs: now() });
      },
      failIfSomeNeverFit: enqueueActions(({ enqueue }) => {
        const unfit = neverFitting(unfinished());
        if (unfit !== undefined) enqueue.raise({ type: 'job.globalFailure', cause: unfit });
      }),
      openFailoversOfUnable: enqueueActions(({ event, self }) => {
        if (event.type !== 'executor.lost') return;
        for (const vertex of ledger.unableToProduceAgain()) failovers.openFor(vertex, event.cause, self);
      }),
      abandonHangingTasks: enqueueActions(({ event }) => {
        if (event.type !== 'region.cancellationTimedOut') return;
        for (const [executor, tasks] of ledger.attempts.hangingOf(event.vertices)) {
          const within = `within ${services.cancellationTimeoutMs} ms of being canceled`;
          gateway.declareLost(executor, `${tasks.join(', ')} did not end ${within}`);
        }
      }),
      losePartition: ({ event }) => {
        if (event.type === 'partition.lost') loseResult(services, event.id.partition, event.cause);
      },
      keepResults: enqueueActions(({ self }) => {
        gateway.keepResults((outcome) => self.send(outcome));
      }),
      reportUnkept: ({ event }) => {
        if (event.type === 'results.keepFailed') observe({ ...event, atMs: now() });
      },
      cancelRegions: enqueueActions(({ enqueue }) => tell(enqueue, everyRegion({ type: 'region.cancel' }))),
      suspendRegions: enqueueActions(({ enqueue }) => tell(enqueue, everyRegion({ type: 'region.suspend' }))),
      stopAdvisors: enqueueActions(({ enqueue }) => {
        for (const failover of failovers.stop()) enqueue.stopChild(failover);
        keeper.stop();
      }),
    },
  });

  const master: JobMasterActorRef = actors.create(provided, 'master', {
    regionCount: ledger.regions.count,
    keepsResults: ledger.results.keptEdges.length > 0,
  });
  return master;
}
