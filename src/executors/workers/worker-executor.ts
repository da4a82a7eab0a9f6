import type { AnyActorRef } from 'xstate';
import { ActorHost } from '../../actors/actor-host.ts';
import { withInvoked } from '../../actors/invoked-actors.ts';
import { checkedMasterPort, type MessageChecks } from '../../actors/checked-port.ts';
import type { HeartbeatSettings } from '../../actors/protocol/heartbeat.ts';
import type { MasterPort } from '../../actors/protocol/messages.ts';
import type { Environment } from '../../environment.ts';
import type { ExecutorId } from '../../ids.ts';
import type { ReadingPort, ServingPort } from '../../partitions/remote/exchange-messages.ts';
import type { CheckpointStorage } from '../../checkpoints/checkpoint-storage.ts';
import { openCheckpoints } from '../../partitions/checkpoints/checkpoint-storages.ts';
import { DurableStore } from '../../partitions/storage/durable-store.ts';
import type { SpillStore } from '../../partitions/storage/spill-store.ts';
import { LocalDataPlane, type LocalDataPlaneOptions } from '../local-data-plane.ts';
import type { LocalDataPlanePlan } from '../local-results.ts';
import { ResultDirectory } from '../result-directory.ts';
import { RemoteRunServices } from '../shares/remote-run-services.ts';
import type { ExecutorServicesPort } from '../shares/service-messages.ts';
import { TaskExecutor } from '../task-executor.ts';
import { PeerReach } from './peer-reach.ts';
import { Peers } from './peers.ts';
import type { WorkerRunOptions } from './worker-boot.ts';

export interface WorkerExecutorOptions extends Pick<LocalDataPlaneOptions, 'maxSteps'> {
  readonly executor: ExecutorId;
  readonly incarnation: number;
  readonly slots: number;
  /** How it watches the master; undefined if it does not. */
  readonly heartbeat: HeartbeatSettings | undefined;
  readonly options: WorkerRunOptions;
  readonly plan: LocalDataPlanePlan;
  readonly checks: MessageChecks;
  readonly environment: Environment;
  /** Default: files in the worker's spill directory. */
  readonly spillStore?: SpillStore | undefined;
  /** Default: opened by its address. */
  readonly checkpointStorage?: CheckpointStorage | undefined;
  /** Its end of the connection to the master, */
  readonly port: MasterPort;
  /** and to the services of the run. */
  readonly services: ExecutorServicesPort;
}

/**
 * A task executor that shares nothing with others, the same as those of the main thread, but with a data plane and a
 * directory of its own. All that it hears and says passes through its ports. Its actors are a system of their own, whose
 * ids begin as those of the main thread do: `<run>/worker-0/task/map[2]#3`.
 */
export class WorkerExecutor {
  readonly tasks: TaskExecutor;
  readonly results = new ResultDirectory();
  /** The root of its actors. */
  readonly actors: ActorHost;
  readonly #dataPlane: LocalDataPlane;
  readonly #peers: Peers;

  constructor(given: WorkerExecutorOptions) {
    const { executor, incarnation, slots, heartbeat, options, plan, environment, spillStore, maxSteps } = given;
    const { run, resultsDirectory, checkpoints } = options;
    const { clock, faults, freezeRecords } = environment;
    const durableStore =
      resultsDirectory === undefined ? undefined : new DurableStore({ directory: resultsDirectory, run, faults });
    const services = new RemoteRunServices(plan, { ...options, environment }, given.services);
    this.#dataPlane = new LocalDataPlane(plan, {
      ...options,
      environment: { ...environment, logger: services.logger },
      services,
      durableStore,
      checkpointStorage: given.checkpointStorage ?? (checkpoints && openCheckpoints(checkpoints)),
      ...(spillStore && { spillStore }),
      ...(maxSteps && { maxSteps }),
    });
    this.actors = ActorHost.root(run, { clock });
    this.#peers = new Peers(this.results, freezeRecords);
    this.tasks = new TaskExecutor({
      executor,
      incarnation,
      slots,
      heartbeat,
      port: this.#closing(checkedMasterPort(given.port, given.checks)),
      dataPlane: this.#dataPlane,
      directory: this.results,
      reach: new PeerReach(executor, this.results, this.#peers),
      describesResults: true,
      clock,
      actors: this.actors.within(executor),
      // Its thread is terminated.
      quarantined: () => {},
    });
  }

  /** Offers its slots to the master. */
  connect(): void {
    this.tasks.connect();
  }

  /** The actors that exist now, parents first. O(tasks and results) */
  *actorRefs(): Generator<AnyActorRef> {
    yield this.actors.ref;
    yield* withInvoked(this.tasks.actorRefs());
  }

  /** Another worker can be reached: its results are read by one port, and it is served by the second. */
  joinPeer(executor: ExecutorId, reads: ReadingPort, serves: ServingPort): void {
    this.#peers.connect(executor, reads, serves);
  }

  /** The master has given another worker up. */
  losePeer(executor: ExecutorId, why: string): void {
    this.#peers.lose(executor, why);
  }

  /** For one whose thread cannot end with it: its tasks end and its connections close. The files of durable results stay. */
  async die(): Promise<void> {
    this.#dataPlane.end(false);
    this.#peers.close();
    await this.tasks.stop();
  }

  /** Its resources are freed before it reports that it has stopped, because its thread ends then. */
  #closing(port: MasterPort): MasterPort {
    return {
      post: (message) => {
        if (message.type !== 'executor.stopped') return port.post(message);
        const stopped = (): void => port.post(message);
        this.#dataPlane.dispose().then(stopped, stopped);
      },
      onMessage: (listener) => port.onMessage(listener),
      onClose: (listener) => port.onClose(listener),
      onSent: (listener) => port.onSent(listener),
      close: (why) => port.close(why),
    };
  }
}
