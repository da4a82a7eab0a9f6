import type { ActorHost } from '../actors/actor-host.ts';
import { delayActor } from '../actors/delay-actor.ts';
import type { ExecutorReport, HeartbeatSettings } from '../actors/protocol/heartbeat.ts';
import type { MasterPort } from '../actors/protocol/messages.ts';
import type { Clock } from '../environment.ts';
import { engineChart } from '../machines/engine-chart.ts';
import { heartbeatActions } from '../machines/heartbeat/heartbeat-actions.ts';
import { type HeartbeatActorRef, heartbeatMachine } from '../machines/heartbeat/heartbeat-machine.ts';

export interface MasterWatchOptions {
  readonly settings: HeartbeatSettings;
  readonly port: MasterPort;
  readonly clock: Clock;
  readonly actors: ActorHost;
  /** The state of the executor now. */
  readonly report: () => ExecutorReport;
  /** Called once, if the master is silent or unreachable. */
  readonly lost: (why: string) => void;
}

/** One for all executors, because XState recomputes a machine each time implementations are provided. */
const machine = engineChart(heartbeatMachine).provide({ actors: { delay: delayActor }, actions: heartbeatActions });

/** Watches the master from an executor: answers its requests, and notices when there are none. */
export class MasterWatch {
  readonly #options: MasterWatchOptions;
  /** Until it is stopped. */
  #heartbeat: HeartbeatActorRef | undefined;
  /** The request to answer. */
  #request: number | undefined;

  constructor(options: MasterWatchOptions) {
    this.#options = options;
    const { settings, port, clock, actors, lost } = options;
    const peer = {
      // The master asks.
      beat: () => {},
      ask: () => this.#report(undefined),
      answer: () => this.#report(this.#request),
      take: () => {},
      lost: (why: string) => lost(`the master is lost: ${why}`),
    };
    this.#heartbeat = actors.create(machine, 'heartbeat', { ...settings, clock, peer });
    port.onSent((hasArrived) =>
      this.#heartbeat?.send({ type: hasArrived ? 'heartbeat.sent' : 'heartbeat.sendFailed' }),
    );
    this.#heartbeat.start();
  }

  /** Its chart, until it is stopped. */
  get actor(): HeartbeatActorRef | undefined {
    return this.#heartbeat;
  }

  requested(number: number): void {
    this.#request = number;
    this.#heartbeat?.send({ type: 'heartbeat.requested' });
  }

  stop(): void {
    if (this.#heartbeat !== undefined) this.#options.actors.stop(this.#heartbeat);
    this.#heartbeat = undefined;
  }

  #report(answers: number | undefined): void {
    const { port, report } = this.#options;
    port.post({ type: 'heartbeat.report', answers, ...report() });
  }
}
