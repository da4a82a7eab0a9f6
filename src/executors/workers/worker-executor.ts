import type { AnyActorRef } from 'xstate';
import { ActorHost } from '../../actors/actor-host.ts';
import { withInvoked } from '../../actors/invoked-actors.ts';
import { checkedMasterPort, type MessageChecks } from '../../actors/checked-port.ts';
import type { ExecutorToMasterMessage, MasterPort, MasterToExecutorMessage } from '../../actors/protocol/messages.ts';
import type { Environment } from '../../environment.ts';
import { DurableStore } from '../../partitions/storage/durable-store.ts';
import type { SpillStore } from '../../partitions/storage/spill-store.ts';
import { LocalDataPlane } from '../local-data-plane.ts';
import type { LocalDataPlanePlan } from '../local-results.ts';
import { ResultDirectory } from '../result-directory.ts';
import { RemoteRunServices } from '../shares/remote-run-services.ts';
import { TaskExecutor } from '../task-executor.ts';
import { PeerReach } from './peer-reach.ts';
import { Peers } from './peers.ts';
import { beat } from './pulse.ts';
import { ThreadPort } from './thread-port.ts';
import type { WorkerBoot } from './worker-boot.ts';
import type { WiringMessage, WorkerLine } from './worker-line.ts';

export interface WorkerExecutorOptions {
  readonly boot: WorkerBoot;
  readonly plan: LocalDataPlanePlan;
  readonly checks: MessageChecks;
  readonly environment: Environment;
  /** Default: files in the worker's spill directory. */
  readonly spillStore?: SpillStore;
  readonly line: WorkerLine<ExecutorToMasterMessage, MasterToExecutorMessage>;
}

/**
 * In a worker thread: its task executor, the same as in the main thread, with a data plane and a directory of its own. Its
 * actors are a system of their own, whose ids begin as those of the main thread do: `<run>/worker-0/task/map[2]#3`.
 */
export class WorkerExecutor {
  readonly #dataPlane: LocalDataPlane;
  readonly #executor: TaskExecutor;
  readonly #peers: Peers;
  /** The root of its actors. */
  readonly actors: ActorHost;

  constructor({ boot, plan, checks, line, environment, spillStore }: WorkerExecutorOptions) {
    const { executor, incarnation, slots, heartbeat, options } = boot;
    const { run, resultsDirectory } = options;
    const { clock, faults, freezeRecords } = environment;
    beat(boot.pulse, clock);
    const durableStore =
      resultsDirectory === undefined ? undefined : new DurableStore({ directory: resultsDirectory, run, faults });
    const services = new RemoteRunServices(plan, { ...options, environment }, new ThreadPort(boot.services));
    this.#dataPlane = new LocalDataPlane(plan, {
      ...options,
      environment: { ...environment, logger: services.logger },
      services,
      durableStore,
      ...(spillStore && { spillStore }),
    });
    this.actors = ActorHost.root(run, { clock });
    const directory = new ResultDirectory();
    this.#peers = new Peers(directory, freezeRecords);
    this.#executor = new TaskExecutor({
      executor,
      incarnation,
      slots,
      heartbeat,
      port: this.#closing(checkedMasterPort(line.port, checks)),
      dataPlane: this.#dataPlane,
      directory,
      reach: new PeerReach(executor, directory, this.#peers),
      describesResults: true,
      clock,
      actors: this.actors.within(executor),
      // Its thread is terminated.
      quarantined: () => {},
    });
  }

  /** Offers its slots to the master. */
  connect(): void {
    this.#executor.connect();
  }

  /** The actors that exist now, parents first. O(tasks and results) */
  *actorRefs(): Generator<AnyActorRef> {
    yield this.actors.ref;
    yield* withInvoked(this.#executor.actorRefs());
  }

  /** Takes what the main thread says about the other workers. */
  wired(message: WiringMessage): void {
    if (message.type === 'worker.peerConnected') this.#peers.connect(message);
    if (message.type === 'worker.peerLost') this.#peers.lose(message);
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
