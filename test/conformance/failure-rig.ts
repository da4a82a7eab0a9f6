import type { JobEvent } from '../../src/actors/job-event.ts';
import type { RootExceptionEntry } from '../../src/failover/exception-history.ts';
import type { RestartBackoffRule } from '../../src/failover/backoffs/restart-backoff.ts';
import { restartPipelinedRegion } from '../../src/failover/strategies/restart-pipelined-region.ts';
import { failoverStrategyMachine } from '../../src/machines/strategies/failover-strategy-machine.ts';
import { restartBackoffMachine } from '../../src/machines/strategies/restart-backoff-machine.ts';
import { FailureHistory } from '../../src/run/folds/failure-history.ts';
import { folded } from '../support/folded.ts';
import { ManualCluster } from '../support/manual-cluster.ts';
import { CannotRun, type ConformanceCase, onlyKnown } from './conformance-case.ts';
import { backoffOf, causeNamed, type GivenBackoff, stubOf, taskOf, verticesOf } from './failure-given.ts';
import { listOf, textOf } from './given-graph.ts';
import { reportedState } from './job-rig.ts';

type Given = ConformanceCase['given'];
type Step = ConformanceCase['when'][number];
export type Decided = Extract<JobEvent, { type: 'failover.decided' | 'failover.refused' }>;
type Failed = Extract<JobEvent, { type: 'task.failed' }>;

const slotRequestTimeoutMs = 10_000;

/** The order in which restarts that wait for their time are run. */
const orders: readonly unknown[] = ['in reverse order', 'in order', true];

/** A real job master whose strategy, backoff and enrichers answer as the case says. */
export class FailureRig {
  readonly cluster: ManualCluster;
  readonly enricherSaw: string[] = [];
  readonly causes: Error[] = [];
  isBackoffNotified = false;
  readonly #historySize: number;
  readonly #backoff: GivenBackoff;
  /** How much longer than the given delay each restart waits, in turn, so that they run in the order of the case. */
  readonly #furtherMs: number[];
  #canRestart: boolean;
  #newAttempt: boolean | undefined;
  #restarts: readonly string[] | undefined;

  constructor(given: Given, when: ConformanceCase['when']) {
    const { failoverStrategy, enricherLabels, maxExceptionHistorySize = 16 } = given;
    if (typeof maxExceptionHistorySize !== 'number') throw new CannotRun('maxExceptionHistorySize is no number');
    this.#historySize = maxExceptionHistorySize;
    this.#backoff = backoffOf(given);
    this.#canRestart = this.#backoff.canRestart;
    this.#furtherMs = delaysFor(when);
    const stubRestarts = stubOf(failoverStrategy);
    const waitsForSlots = when.some((step) => 'slotRequestTimeout' in step);
    this.cluster = new ManualCluster({
      vertices: verticesOf(given, when, stubRestarts ?? []),
      ...(waitsForSlots ? { slots: 0 } : {}),
      failoverStrategy: failoverStrategyMachine((failure, topology) => {
        const restarts = this.#restarts ?? stubRestarts;
        this.#restarts = undefined;
        if (restarts === undefined) return restartPipelinedRegion()(failure, topology);
        return { kind: 'restart', regions: [...new Set(restarts.map((name) => this.cluster.regionOf(taskOf(name))))] };
      }),
      restartBackoff: restartBackoffMachine(this.#rule()),
      // As in the catalogue, one backoff serves the whole job.
      backoffScope: 'job',
      enrichers:
        enricherLabels === undefined
          ? []
          : [
              ({ cause }) => {
                this.enricherSaw.push(cause.message);
                return enricherLabels as Record<string, string>;
              },
            ],
    });
    this.cluster.start();
    this.cluster.runAll();
  }

  take(step: Step): void {
    const { cluster } = this;
    const known = (...words: string[]): void => onlyKnown(step, words, 'step');
    if ('taskFailure' in step) {
      known('taskFailure', 'cause', 'newAttempt');
      this.#script(step['newAttempt']);
      const task = taskOf(step['taskFailure']);
      if (!cluster.tasks.includes(task)) throw new CannotRun(`there is no task ${task}`);
      // The handler of the catalogue is told of failures; with us a task fails that runs.
      if (cluster.stateOf(task) !== 'running') this.#letRestart();
      cluster.fail(task, this.#noted(causeNamed(step['cause'] ?? 'plain')));
    } else if ('globalFailure' in step) {
      known('globalFailure', 'newAttempt');
      this.#script(step['newAttempt']);
      const cause = this.#noted(causeNamed(step['globalFailure']));
      cluster.tell({ type: 'job.globalFailure', cause });
    } else if ('report' in step) {
      known('report', 'state', 'cause', 'stubRestarts', 'newAttempt');
      this.#report(step);
    } else if ('setCanRestart' in step) {
      known('setCanRestart');
      if (typeof step['setCanRestart'] !== 'boolean') throw new CannotRun('setCanRestart is no boolean');
      this.#canRestart = step['setCanRestart'];
    } else if ('advanceRestartDelay' in step) {
      known('advanceRestartDelay');
      if (step['advanceRestartDelay'] !== true) throw new CannotRun('an advance by part of the delay is not known');
      this.#advance();
    } else if ('runDelayedRestarts' in step) {
      known('runDelayedRestarts');
      this.#advance();
    } else if ('slotRequestTimeout' in step) {
      known('slotRequestTimeout');
      const name = step['slotRequestTimeout'];
      if (name !== 'all' && !cluster.tasks.includes(textOf(name)))
        throw new CannotRun(`there is no task ${textOf(name)}`);
      if (name !== 'all' && cluster.tasks.length > 1) throw new CannotRun('one of several time-outs is not known');
      cluster.clock.advance(slotRequestTimeoutMs);
    } else throw new CannotRun(`step ${JSON.stringify(step)} is not known`);
  }

  get failures(): Failed[] {
    return this.cluster.events.filter((event) => event.type === 'task.failed');
  }

  get decisions(): Decided[] {
    return this.cluster.events.filter(
      (event): event is Decided => event.type === 'failover.decided' || event.type === 'failover.refused',
    );
  }

  /** The history, as the handle of a run has it. */
  get history(): readonly RootExceptionEntry[] {
    return folded(new FailureHistory(this.#historySize), this.cluster.events);
  }

  /** Whether a failure ended the job. */
  isFinal({ cause }: Pick<RootExceptionEntry, 'cause'>): boolean {
    return this.cluster.master.getSnapshot().context.failure?.cause === cause;
  }

  #report(step: Step): void {
    const { cluster } = this;
    const task = taskOf(step['report']);
    const state = reportedState(step['state']);
    if (!cluster.tasks.includes(task)) throw new CannotRun(`there is no task ${task}`);
    if (state !== 'failed') {
      const stray = ['cause', 'stubRestarts', 'newAttempt'].find((word) => word in step);
      if (stray !== undefined) throw new CannotRun(`step ${stray} is not known but for a failure`);
      return cluster.report(task, state);
    }
    this.#script(step['newAttempt']);
    const { stubRestarts } = step;
    if (stubRestarts !== undefined) this.#restarts = listOf<string>(stubRestarts, 'stubRestarts');
    cluster.fail(task, this.#noted(new Error(textOf(step['cause'] ?? 'failed'))));
  }

  /** What the backoff says of the next failure. */
  #script(newAttempt: unknown): void {
    if (newAttempt !== undefined && typeof newAttempt !== 'boolean') throw new CannotRun('newAttempt is no boolean');
    if (newAttempt === undefined && this.#backoff.newAttempt === 'scripted') {
      throw new CannotRun('a scripted backoff without a newAttempt is not known');
    }
    this.#newAttempt = newAttempt;
  }

  /** Everything that is decided is carried out. */
  #letRestart(): void {
    const { cluster } = this;
    for (const task of cluster.tasks) if (cluster.stateOf(task) === 'canceling') cluster.report(task, 'canceled');
    this.#advance();
  }

  #advance(): void {
    this.cluster.clock.advance(this.#backoff.backoffMs + this.#furtherMs.length);
    this.cluster.runAll();
  }

  #noted(cause: Error): Error {
    this.causes.push(cause);
    return cause;
  }

  #rule(): RestartBackoffRule {
    let count = 0;
    return {
      name: 'as the case says',
      initial: undefined,
      onFailure: () => {
        this.isBackoffNotified = true;
        count++;
        const { newAttempt } = this.#backoff;
        return { state: undefined, newAttempt: this.#newAttempt ?? newAttempt === true };
      },
      canRestart: () => this.#canRestart,
      delayMs: () => this.#backoff.backoffMs + (this.#furtherMs[count - 1] ?? 0),
    };
  }
}

/** One more millisecond for each failure that is to restart later than another one. */
function delaysFor(when: ConformanceCase['when']): number[] {
  const run = when.find((step) => 'runDelayedRestarts' in step)?.['runDelayedRestarts'];
  if (run === undefined) return [];
  if (!orders.includes(run)) throw new CannotRun(`restarts ${JSON.stringify(run)} are not known`);
  const failures = when.filter(
    (step) => 'taskFailure' in step || 'globalFailure' in step || ('report' in step && step['state'] === 'FAILED'),
  );
  return failures.map((_, index) => (run === 'in reverse order' ? failures.length - 1 - index : index));
}
