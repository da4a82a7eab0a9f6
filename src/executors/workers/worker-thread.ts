import { MessageChannel, type MessagePort, type ResourceLimits, Worker } from 'node:worker_threads';
import { checkedExecutorPort, type MessageChecks } from '../../actors/checked-port.ts';
import type { ExecutorPort, ExecutorToMasterMessage, MasterToExecutorMessage } from '../../actors/protocol/messages.ts';
import type { Port } from '../../actors/protocol/port.ts';
import type { Clock } from '../../environment.ts';
import { toError } from '../../errors/thrown-value.ts';
import { propertyOf } from '../../foreign-value.ts';
import type { ExecutorId } from '../../ids.ts';
import { fromPlainError } from '../../plain-error.ts';
import type { RunServicesPort } from '../shares/service-messages.ts';
import { Pulse } from './pulse.ts';
import { ThreadPort } from './thread-port.ts';
import type { WorkerBoot } from './worker-boot.ts';
import { WorkerLine, type WiringMessage } from './worker-line.ts';
import { workerMark } from './worker-mark.ts';

export interface WorkerThreadOptions {
  /** The module that the thread runs. */
  readonly entry: string;
  readonly boot: Omit<WorkerBoot, 'kintsugi' | 'line' | 'pulse' | 'services'>;
  readonly resourceLimits: ResourceLimits | undefined;
  readonly checks: MessageChecks;
  readonly clock: Clock;
  /** Called once, when it offers its slots. */
  readonly connected: (thread: WorkerThread) => void;
  /** Called when the master tells it to stop. */
  readonly stopping: (thread: WorkerThread, hasFinished: boolean) => void;
  /** Called once, when the thread has ended, whatever ended it. Its port is open until then. */
  readonly ended: (thread: WorkerThread, end: WorkerEnd) => void;
}

/** How a thread ended. */
export interface WorkerEnd {
  readonly why: string;
  /** Whether it had offered slots. */
  readonly hasStarted: boolean;
  /** What kept it from starting, if it said so. */
  readonly startFailure: Error | undefined;
}

type Report = Extract<ExecutorToMasterMessage, { type: 'heartbeat.report' }>;

/** A worker thread, from the main thread's side: its line, its pulse, and its end. */
export class WorkerThread {
  readonly executor: ExecutorId;
  readonly incarnation: number;
  /** The master's end of the connection to its executor. */
  readonly port: ExecutorPort;
  readonly pulse: Pulse;
  /** This end of its connection to the services of the run. */
  readonly services: RunServicesPort & Pick<ThreadPort<unknown, unknown>, 'deliverRest'>;
  readonly #options: WorkerThreadOptions;
  readonly #worker: Worker;
  readonly #line: WorkerLine<MasterToExecutorMessage, ExecutorToMasterMessage>;
  readonly #exited: Promise<void>;
  /** What it said last of its tasks and results, and when. */
  #latest: { readonly report: Report; readonly atMs: number } | undefined;
  #phase: 'starting' | 'connected' | 'ended' = 'starting';
  /** Why it ends, if that is known before it has ended. */
  #why: string | undefined;
  #startFailure: Error | undefined;

  constructor(options: WorkerThreadOptions) {
    const { entry, boot, resourceLimits, checks, clock } = options;
    this.#options = options;
    this.executor = boot.executor;
    this.incarnation = boot.incarnation;
    this.pulse = new Pulse(clock);
    const { port1: ours, port2: theirs } = new MessageChannel();
    const { port1: services, port2: theirServices } = new MessageChannel();
    this.services = new ThreadPort(services);
    this.#line = new WorkerLine(ours, (message) => this.#wired(message));
    this.port = this.#watched(checkedExecutorPort(this.#line.port, checks));
    const ports = { line: theirs, services: theirServices };
    const workerData: WorkerBoot = { kintsugi: 'worker', ...boot, pulse: this.pulse.memory, ...ports };
    this.#worker = new Worker(new URL(entry), {
      workerData,
      argv: [workerMark],
      transferList: [theirs, theirServices],
      name: boot.executor,
      ...(resourceLimits && { resourceLimits }),
    });
    this.#worker.on('error', (error: unknown) => {
      this.#why ??= whyOf(error);
    });
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', (code) => {
        this.#ended(`its thread ended by process.exit(${code})`);
        resolve();
      });
    });
  }

  get isConnected(): boolean {
    return this.#phase === 'connected';
  }

  /** What it said last of its tasks and results. */
  get latest(): { readonly report: Report; readonly atMs: number } | undefined {
    return this.#latest;
  }

  /** Lets it read the results of another one, by one port, and serve it by the second. */
  connectPeer(executor: ExecutorId, reads: MessagePort, serves: MessagePort): void {
    this.#line.wire({ type: 'worker.peerConnected', executor, reads, serves }, [reads, serves]);
  }

  losePeer(executor: ExecutorId, why: string): void {
    this.#line.wire({ type: 'worker.peerLost', executor, why });
  }

  /** A new connection to what observes its actors there. It keeps no thread alive. */
  observe(): Port<unknown, unknown> {
    const { port1: ours, port2: port } = new MessageChannel();
    this.#line.wire({ type: 'worker.observed', port }, [port]);
    return new ThreadPort(ours);
  }

  /** Ends the thread, whatever it does. Settles when it has ended. */
  terminate(why: string): Promise<void> {
    this.#why ??= why;
    void this.#worker.terminate();
    return this.#exited;
  }

  #wired(message: WiringMessage): void {
    if (message.type !== 'worker.startFailed') return;
    this.#startFailure = fromPlainError(message.cause);
    void this.terminate('it could not start');
  }

  /** The first message of an executor offers its slots. It waits until the master listens. */
  #watched(port: ExecutorPort): ExecutorPort {
    const { clock, connected, stopping } = this.#options;
    let listener: ((message: ExecutorToMasterMessage) => void) | undefined;
    const early: ExecutorToMasterMessage[] = [];
    port.onMessage((message) => {
      if (message.type === 'heartbeat.report') this.#latest = { report: message, atMs: clock.now() };
      if (listener === undefined) early.push(message);
      else listener(message);
      if (this.#phase === 'starting') {
        this.#phase = 'connected';
        connected(this);
      }
    });
    return {
      post: (message) => {
        // A task on it does not end, or it is not heard: its thread may be in a loop that only this ends.
        if (message.type === 'executor.quarantine') void this.terminate(message.why);
        if (message.type === 'executor.stop') stopping(this, message.hasFinished);
        port.post(message);
      },
      onMessage: (given) => {
        listener = given;
        for (const message of early.splice(0)) given(message);
      },
      onClose: (given) => port.onClose(given),
      onSent: (given) => port.onSent(given),
      close: (why) => this.#line.close(why),
    };
  }

  #ended(otherwise: string): void {
    if (this.#phase === 'ended') return;
    this.#line.deliverRest();
    this.services.deliverRest();
    const hasStarted = this.#phase === 'connected';
    this.#phase = 'ended';
    const why = this.#why ?? otherwise;
    this.#options.ended(this, { why, hasStarted, startFailure: this.#startFailure });
    this.#line.close(why);
    this.services.close(why);
  }
}

/** Why a thread ended of itself, from its uncaught error. */
function whyOf(error: unknown): string {
  if (propertyOf(error, 'code') === 'ERR_WORKER_OUT_OF_MEMORY') {
    return 'it ran out of memory: raise resourceLimits.maxOldGenerationSizeMb of workers(), or hold less';
  }
  return `an error was not caught in its thread: ${toError(error).message}`;
}
