import type { LinkPorts } from '../../actors/local-link.ts';
import { checkedExecutorPort } from '../../actors/checked-port.ts';
import type { ExecutorPort, ExecutorToMasterMessage, MasterToExecutorMessage } from '../../actors/protocol/messages.ts';
import type { Port } from '../../actors/protocol/port.ts';
import type { Clock } from '../../environment.ts';
import type { RunServicesPort, ServiceReply, ServiceRequest } from '../../executors/shares/service-messages.ts';
import { WorkerExecutor, type WorkerExecutorOptions } from '../../executors/workers/worker-executor.ts';
import type { ExecutorId } from '../../ids.ts';
import type { OwnerMessage, ReaderMessage } from '../../partitions/remote/exchange-messages.ts';
import type { SpillStore } from '../../partitions/storage/spill-store.ts';
import type { ExecutorDeath } from '../checkpoints/late-commits.ts';
import { moving, protocolOf, type SimulatedWiring } from './worker-link.ts';

/** The connections of simulated workers, by what travels over them. */
export interface WorkerLinks {
  /** Between the master and a worker. */
  readonly line: LinkPorts;
  /** Between the services of the run and a worker. */
  readonly services: LinkPorts;
  /** Between two workers: records. */
  readonly records: LinkPorts;
}

export interface SimulatedWorkerOptions extends Omit<WorkerExecutorOptions, 'port' | 'services' | 'spillStore'> {
  readonly links: WorkerLinks;
  readonly spillStore: SpillStore;
  readonly clock: Clock;
  /** How long its thread takes to end. */
  readonly endsAfterMs: () => number;
  /** Called when the master tells it to stop. */
  readonly stopping: (hasFinished: boolean) => void;
  /** Called when it dies. */
  readonly died: (death: ExecutorDeath) => void;
  /** Called once it has ended. Its port is open until then. */
  readonly ended: (worker: SimulatedWorker, why: string) => void;
}

/** The ends of a connection for records at the one that reads, and at the owner. */
type RecordPorts = readonly [Port<ReaderMessage, OwnerMessage>, Port<OwnerMessage, ReaderMessage>];

/** A worker as its run sees it, although it is on this thread: only clones of messages pass. */
export class SimulatedWorker {
  readonly executor: ExecutorId;
  readonly incarnation: number;
  /** The master's end of its line. */
  readonly port: ExecutorPort;
  /** The end of its connection at the services of the run. */
  readonly services: RunServicesPort;
  readonly inside: WorkerExecutor;
  readonly #options: SimulatedWorkerOptions;
  readonly #line: Port<MasterToExecutorMessage | SimulatedWiring, ExecutorToMasterMessage>;
  /** Its ends: nothing leaves it once they are closed. */
  readonly #own: Pick<Port<unknown, unknown>, 'close'>[] = [];
  /** Connections that it was not told of yet, by number. */
  readonly #untold = new Map<number, { readonly reads: RecordPorts[0]; readonly serves: RecordPorts[1] }>();
  readonly #attempts: ExecutorDeath['attempts'][number][] = [];
  readonly #hasEnded: Promise<void>;
  #count = 0;
  #phase: 'starting' | 'joined' | 'ending' | 'ended' = 'starting';
  #settle!: () => void;

  constructor(options: SimulatedWorkerOptions) {
    const { executor, incarnation, checks, links } = options;
    this.#options = options;
    this.executor = executor;
    this.incarnation = incarnation;
    const [line, ownLine] = links.line<MasterToExecutorMessage | SimulatedWiring, ExecutorToMasterMessage>();
    const [services, ownServices] = links.services<readonly ServiceReply[], readonly ServiceRequest[]>();
    this.#line = line;
    this.services = services;
    this.#own.push(ownLine, ownServices);
    this.port = this.#watched(checkedExecutorPort(line, checks));
    const port = protocolOf(ownLine, (message) => this.#wired(message));
    this.inside = new WorkerExecutor({ ...options, port, services: ownServices });
    this.#hasEnded = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  get isJoined(): boolean {
    return this.#phase === 'joined';
  }

  get isStarting(): boolean {
    return this.#phase === 'starting';
  }

  /** Offers its slots. */
  join(): void {
    this.#phase = 'joined';
    this.inside.connect();
  }

  /** Lets it read the results of another one, and the other one read its results. */
  connectPeer(other: SimulatedWorker): void {
    const { records } = this.#options.links;
    const [there, here] = [records<ReaderMessage, OwnerMessage>(), records<ReaderMessage, OwnerMessage>()];
    this.#tellOf(other, there[0], here[1]);
    other.#tellOf(this, here[0], there[1]);
  }

  losePeer(executor: ExecutorId, why: string): void {
    this.#line.post({ type: 'worker.peerLost', executor, why });
  }

  /** Ends it, whatever it does. Settles when it has ended. */
  terminate(why: string): Promise<void> {
    if (this.#phase === 'starting' || this.#phase === 'joined') {
      this.#phase = 'ending';
      this.#later(() => this.#die(why));
    }
    return this.#hasEnded;
  }

  #tellOf({ executor }: SimulatedWorker, reads: RecordPorts[0], serves: RecordPorts[1]): void {
    const connection = this.#count++;
    this.#own.push(reads, serves);
    this.#untold.set(connection, { reads, serves });
    this.#line.post({ type: 'worker.peerConnected', executor, connection });
  }

  #wired(message: SimulatedWiring): void {
    if (message.type === 'worker.peerLost') return this.inside.losePeer(message.executor, message.why);
    const ports = this.#untold.get(message.connection);
    this.#untold.delete(message.connection);
    if (ports !== undefined) this.inside.joinPeer(message.executor, moving(ports.reads), moving(ports.serves));
  }

  #watched(port: ExecutorPort): ExecutorPort {
    return {
      post: (message) => {
        if (message.type === 'task.deploy') {
          const { task, attempt } = message.deployment;
          this.#attempts.push({ task, attempt });
        }
        if (message.type === 'executor.quarantine') void this.terminate(message.why);
        if (message.type === 'executor.stop') this.#options.stopping(message.hasFinished);
        port.post(message);
      },
      onMessage: (listener) => port.onMessage(listener),
      onClose: (listener) => port.onClose(listener),
      onSent: (listener) => port.onSent(listener),
      close: (why) => port.close(why),
    };
  }

  /** Nothing leaves it from now on. What it has said may still be on its way. */
  #die(why: string): void {
    for (const end of this.#own) end.close(why);
    void this.inside.die();
    this.#options.died({ atMs: this.#options.clock.now(), attempts: this.#attempts });
    this.#later(() => {
      this.#phase = 'ended';
      this.#options.ended(this, why);
      this.services.close(why);
      this.#settle();
    });
  }

  #later(callback: () => void): void {
    this.#options.clock.setTimeout(callback, this.#options.endsAfterMs());
  }
}
