import { createActor, enqueueActions } from 'xstate';
import type { PartitionRegistration } from '../actors/protocol.ts';
import type { AttemptNumber, ExecutionVertexId, RegionId } from '../ids.ts';
import type { Slot } from '../scheduling/slot-pool.ts';
import { type ExecutionActorRef, type ExecutionParentRef, executionMachine } from './execution-machine.ts';
import { FailoverDesk } from './failover-desk.ts';
import type { JobServices } from './job-services.ts';
import { type JobMasterActorRef, jobMasterMachine } from './job-master-machine.ts';
import { type RegionActorRef, regionMachine } from './region-machine.ts';

/** The executions of a job: what their chart names, done. */
function provideExecution({ ledger, environment, gateway, observe }: JobServices, slotsReturned: () => void) {
  const release = (slot: Slot | undefined): void => {
    if (slot === undefined) return;
    ledger.slots.release([slot]);
    slotsReturned();
  };
  return executionMachine.provide({
    actions: {
      recordState: ({ context: { vertex, attempt } }, { state }) => {
        observe({
          type: 'task.stateChanged',
          atMs: environment.clock.now(),
          task: ledger.graph.nameOf(vertex),
          vertex,
          attempt,
          state,
        });
      },
      deployTask: ({ context: { vertex, attempt, slot } }) => {
        gateway.deploy((slot as Slot).executor, ledger.deploymentOf(vertex, attempt));
      },
      cancelTask: ({ context: { vertex, attempt, slot } }) => {
        if (slot !== undefined) gateway.cancel(slot.executor, vertex, attempt);
      },
      returnSlot: ({ context: { slot } }) => release(slot),
      returnLateSlot: (_, { slot }) => release(slot),
      releasePartitions: ({ context: { vertex, attempt } }) => {
        gateway.releasePartitions(ledger.resultsOf(vertex, attempt));
      },
      releaseTransientPartitions: ({ context: { vertex, attempt } }) => {
        gateway.releasePartitions(
          ledger.resultsOf(vertex, attempt).filter((id) => ledger.graph.exchangeOfPartition(id.partition).joinsRegions),
        );
      },
    },
  });
}

/** The regions of a job. */
function provideRegion({ ledger, environment, gateway, delay, observe }: JobServices) {
  return regionMachine.provide({
    actors: { delay },
    actions: {
      recordState: ({ context: { region } }, { state }) => {
        observe({ type: 'region.stateChanged', atMs: environment.clock.now(), region, state });
      },
      registerPartitions: ({ context: { vertices, attempt }, self }) => {
        const partitions: PartitionRegistration[] = [];
        for (let index = 0; index < vertices.length; index++) {
          partitions.push(...ledger.registrationsOf(vertices[index] as ExecutionVertexId, attempt));
        }
        gateway.registerPartitions(partitions, (failed) => {
          if (failed === undefined) self.send({ type: 'region.partitionsRegistered', token: attempt });
          else self.send({ type: 'region.partitionRegistrationFailed', token: attempt, ...failed });
        });
      },
      releaseFinishedPartitions: ({ context: { vertices, attempt } }) => {
        for (let index = 0; index < vertices.length; index++) {
          gateway.releasePartitions(ledger.resultsOf(vertices[index] as ExecutionVertexId, attempt));
        }
      },
    },
  });
}

/** Makes the job master of a job, with everything its chart names. Start it, send it `job.start`. */
export function createJobMaster(services: JobServices): JobMasterActorRef {
  const { ledger, environment, gateway, observe, inspect } = services;
  const regions: RegionActorRef[] = [];
  const now = (): number => environment.clock.now();

  const slotsReturned = (): void => {
    if (ledger.slots.pendingRequests > 0) master.send({ type: 'slots.returned' });
  };
  const execution = provideExecution(services, slotsReturned);
  const region = provideRegion(services);

  const spawnExecutions = (parent: ExecutionParentRef, vertices: ArrayLike<number>, attempt: AttemptNumber) => {
    const spawned: ExecutionActorRef[] = [];
    for (let index = 0; index < vertices.length; index++) {
      const vertex = vertices[index] as ExecutionVertexId;
      const actor = createActor(execution, {
        parent,
        id: `execution/${ledger.graph.nameOf(vertex)}#${attempt}`,
        input: { vertex, attempt, region: parent },
      });
      ledger.beginAttempt(vertex, attempt, actor);
      actor.start();
      spawned.push(actor);
    }
    return spawned;
  };

  const schedule = (ready: readonly RegionId[]): void => {
    for (const id of ready) {
      const slots = ledger.slots.request(id, ledger.regions.verticesOf(id).length);
      regions[id]?.send({ type: 'region.schedule', slots });
    }
  };
  const grantSlots = (): void => {
    for (const { region: id, slots } of ledger.slots.grants())
      regions[id]?.send({ type: 'region.slotsGranted', slots });
  };

  const desk = new FailoverDesk(services, (event) => master.send(event));

  const provided = jobMasterMachine.provide({
    actions: {
      recordStatus: (_, { status }) => {
        observe({ type: 'job.statusChanged', atMs: now(), status });
      },
      createRegions: ({ self }) => {
        for (let id = 0 as RegionId; id < ledger.regions.count; id++) {
          const vertices = ledger.regions.verticesOf(id);
          const actor = createActor(region, {
            parent: self,
            id: `region/${id}`,
            input: {
              region: id,
              vertices,
              master: self,
              clock: environment.clock,
              feedsRegions: ledger.feedsRegions(id),
              slotRequestTimeoutMs: services.slotRequestTimeoutMs,
              cancellationTimeoutMs: services.cancellationTimeoutMs,
              spawnExecutions: (parent, attempt) => spawnExecutions(parent, vertices, attempt),
            },
          });
          regions.push(actor);
          actor.start();
        }
      },
      startScheduling: () => schedule(ledger.scheduling.offer(regions.keys() as Iterable<RegionId>)),
      scheduleConsumers: ({ event }) => {
        if (event.type === 'region.taskFinished') schedule(ledger.finishTask(event.vertex));
      },
      rescheduleRegion: ({ event }) => {
        if (event.type === 'region.restarted') schedule(ledger.scheduling.offer([event.region]));
      },
      grantSlots,
      openFailover: ({ event, self }) => desk.open(event, self),
      restartRegions: ({ event }) => {
        if (event.type !== 'failover.decided') return;
        desk.recordDecision(event);
        ledger.invalidate(event.regions);
        const { failover, restartAtMs } = event;
        for (const id of event.regions) regions[id]?.send({ type: 'region.restart', failover, restartAtMs });
      },
      settleRegion: ({ event }) => {
        if (event.type === 'region.recovered' || event.type === 'region.overtaken') desk.settleRegion(event.failover);
      },
      closeFailover: ({ event }) => desk.close(event),
      reportOverruled: ({ event }) => {
        if (event.type === 'failover.overruled') observe({ ...event, atMs: now() });
      },
      addExecutor: ({ event }) => {
        if (event.type !== 'executor.registered') return;
        ledger.slots.addExecutor(event.executor, event.slots);
        observe({ ...event, atMs: now() });
        grantSlots();
      },
      removeExecutor: ({ event }) => {
        if (event.type !== 'executor.lost') return;
        ledger.slots.removeExecutor(event.executor);
        observe({ ...event, atMs: now() });
      },
      abandonHangingTasks: ({ event }) => {
        if (event.type !== 'region.cancellationTimedOut') return;
        const executors = new Map<string, { readonly slot: Slot; readonly tasks: string[] }>();
        for (const vertex of event.vertices) {
          const slot = ledger.executions[vertex]?.getSnapshot().context.slot;
          if (slot === undefined) continue;
          const hanging = executors.get(slot.executor) ?? { slot, tasks: [] };
          hanging.tasks.push(ledger.graph.nameOf(vertex));
          executors.set(slot.executor, hanging);
        }
        for (const { slot, tasks } of executors.values()) {
          gateway.declareLost(
            slot.executor,
            `${tasks.join(', ')} did not end within ${services.cancellationTimeoutMs} ms of being cancelled`,
          );
        }
      },
      losePartition: ({ event }) => {
        if (event.type === 'partition.lost') desk.losePartition(event.id.partition, event.cause);
      },
      cancelRegions: () => {
        for (const actor of regions) actor.send({ type: 'region.cancel' });
      },
      suspendRegions: () => {
        for (const actor of regions) actor.send({ type: 'region.suspend' });
      },
      stopAdvisors: enqueueActions(({ enqueue }) => {
        for (const failover of desk.stop()) enqueue.stopChild(failover);
      }),
    },
  });

  const master: JobMasterActorRef = createActor(provided, {
    id: 'jobMaster',
    input: { regionCount: ledger.regions.count },
    clock: environment.clock,
    ...(inspect === undefined ? {} : { inspect }),
  });
  return master;
}
