import type { ActorHost } from '../../actors/actor-host.ts';
import type { HeartbeatSettings } from '../../actors/protocol/heartbeat.ts';
import type { ExecutorPort, ExecutorToMasterMessage } from '../../actors/protocol/messages.ts';
import type { Clock } from '../../environment.ts';
import { AttemptVanishedError } from '../../errors/executor-errors.ts';
import type { AttemptNumber, ExecutionVertexId, ExecutorId } from '../../ids.ts';
import type { HeartbeatActorRef, heartbeatMachine } from '../heartbeat/heartbeat-machine.ts';
import type { JobLedger } from '../job-master/job-ledger.ts';

/** How executors are watched: the chart with its implementations, and the times. */
export interface WatchedBy {
  readonly machine: typeof heartbeatMachine;
  readonly settings: HeartbeatSettings;
}

export interface ExecutorWatchOptions {
  readonly executor: ExecutorId;
  readonly port: ExecutorPort;
  readonly heartbeat: WatchedBy;
  readonly ledger: JobLedger;
  readonly clock: Clock;
  readonly actors: Pick<ActorHost, 'create' | 'stop'>;
  /** Called once, if the executor is silent or unreachable. */
  readonly lost: (why: string) => void;
}

type Report = Extract<ExecutorToMasterMessage, { type: 'heartbeat.report' }>;

/**
 * Watches an executor by its heartbeats, and compares the attempts that it runs with those that the master wants there.
 *
 * EW1 An attempt that the master wants and the executor does not report has failed, once that is the answer to a request
 *   which was sent after its absence was noticed.
 * EW2 An attempt that the executor runs and the master does not want is canceled.
 */
export class ExecutorWatch {
  readonly #options: ExecutorWatchOptions;
  /** Until it is stopped. */
  #heartbeat: HeartbeatActorRef | undefined;
  /** Number of the last request. */
  #requests = 0;
  /** Attempts that the executor did not report, and the last request at that time. */
  readonly #absent = new Map<ExecutionVertexId, { readonly attempt: AttemptNumber; readonly request: number }>();
  #latest: Report | undefined;

  constructor(options: ExecutorWatchOptions) {
    this.#options = options;
    const { executor, heartbeat, clock, actors, lost } = options;
    const peer = {
      beat: () => this.#request(),
      ask: () => this.#request(),
      answer: () => this.#request(),
      take: (report: unknown) => {
        if (report !== undefined) this.#reconcile(report as Report);
      },
      lost,
    };
    const input = { ...heartbeat.settings, clock, peer };
    this.#heartbeat = actors.create(heartbeat.machine, `master/heartbeat/${executor}`, input);
    this.#heartbeat.start();
  }

  /** Its chart, until it is stopped. */
  get actor(): HeartbeatActorRef | undefined {
    return this.#heartbeat;
  }

  heard(report: Report): void {
    const type = report.answers === undefined ? 'heartbeat.requested' : 'heartbeat.heard';
    this.#heartbeat?.send({ type, payload: report });
  }

  /** It is known to live, although it says nothing now. */
  noteAlive(): void {
    this.#heartbeat?.send({ type: 'heartbeat.heard' });
  }

  sent(hasArrived: boolean): void {
    this.#heartbeat?.send({ type: hasArrived ? 'heartbeat.sent' : 'heartbeat.sendFailed' });
  }

  stop(): void {
    if (this.#heartbeat !== undefined) this.#options.actors.stop(this.#heartbeat);
    this.#heartbeat = undefined;
  }

  /** What the executor said last, and when it was heard. */
  get latest(): { readonly report: Report | undefined; readonly heardMs: number | undefined } {
    return { report: this.#latest, heardMs: this.#heartbeat?.getSnapshot().context.heardMs };
  }

  #request(): void {
    this.#options.port.post({ type: 'heartbeat.request', number: ++this.#requests });
  }

  #reconcile(report: Report): void {
    this.#latest = report;
    const { executor, ledger, port } = this.#options;
    const reported = new Map(report.tasks.map((task) => [task.vertex, task.attempt]));
    for (const { vertex, attempt } of report.tasks) {
      if (!ledger.attempts.isWantedOn(executor, vertex, attempt)) port.post({ type: 'task.cancel', vertex, attempt });
    }
    for (const execution of ledger.attempts.on(executor)) {
      const snapshot = execution.getSnapshot();
      const { vertex, attempt } = snapshot.context;
      if (!snapshot.hasTag('active') || reported.get(vertex) === attempt) {
        this.#absent.delete(vertex);
        continue;
      }
      const before = this.#absent.get(vertex);
      if (before?.attempt !== attempt) this.#absent.set(vertex, { attempt, request: this.#requests });
      else if (report.answers !== undefined && report.answers > before.request) {
        this.#absent.delete(vertex);
        execution.send({
          type: 'execution.fail',
          cause: new AttemptVanishedError(executor, ledger.graph.nameOf(vertex), attempt),
        });
      }
    }
  }
}
