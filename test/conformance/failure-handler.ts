import type { JobEvent } from '../../src/actors/job-event.ts';
import { folded } from '../support/folded.ts';
import { FailureHistory } from '../../src/run/folds/failure-history.ts';
import { UnrecoverableError } from '../../src/errors/job-errors.ts';
import type { RootExceptionEntry } from '../../src/failover/exception-history.ts';
import { fixedDelay } from '../../src/failover/backoffs/fixed-delay.ts';
import type { RestartBackoffRule } from '../../src/failover/backoffs/restart-backoff.ts';
import { restartPipelinedRegion } from '../../src/failover/strategies/restart-pipelined-region.ts';
import { failoverStrategyMachine } from '../../src/machines/strategies/failover-strategy-machine.ts';
import { restartBackoffMachine } from '../../src/machines/strategies/restart-backoff-machine.ts';
import { ManualCluster } from '../support/manual-cluster.ts';
import {
  CannotRun,
  type ConformanceCase,
  equals,
  equalsAs,
  type Handler,
  type Judge,
  onlyKnown,
  sorted,
} from './conformance-case.ts';
import { givenVertices, listOf, textOf } from './given-graph.ts';

type Given = ConformanceCase['given'];
type Step = ConformanceCase['when'][number];
type Decided = Extract<JobEvent, { type: 'failover.decided' | 'failover.refused' }>;
type Failed = Extract<JobEvent, { type: 'task.failed' }>;

const delayMs = 1_000;
const slotRequestTimeoutMs = 10_000;

/** A real job master whose strategy, backoff and enrichers answer as the case says. */
class FailureRig {
  readonly cluster: ManualCluster;
  readonly enricherSaw: string[] = [];
  readonly causes: Error[] = [];
  isBackoffNotified = false;
  readonly #historySize: number;

  constructor(given: Given, when: ConformanceCase['when']) {
    const { backoff, failoverStrategy, enricherLabels, maxExceptionHistorySize = 16 } = given;
    if (typeof maxExceptionHistorySize !== 'number') throw new CannotRun('maxExceptionHistorySize is no number');
    this.#historySize = maxExceptionHistorySize;
    const stubRestarts = stubOf(failoverStrategy);
    const waitsForSlots = when.some((step) => 'slotRequestTimeout' in step);
    this.cluster = new ManualCluster({
      vertices: verticesOf(given, when, stubRestarts ?? []),
      ...(waitsForSlots ? { slots: 0 } : {}),
      failoverStrategy: failoverStrategyMachine((failure, topology) =>
        stubRestarts === undefined
          ? restartPipelinedRegion()(failure, topology)
          : { kind: 'restart', regions: stubRestarts.map((name) => this.cluster.regionOf(taskOf(name))) },
      ),
      restartBackoff: restartBackoffMachine(this.#noting(backoffOf(backoff))),
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
    if ('taskFailure' in step) {
      onlyKnown(step, ['taskFailure', 'cause'], 'step');
      this.#fail(taskOf(step['taskFailure']), causeNamed(step['cause'] ?? 'plain'));
    } else if ('globalFailure' in step) {
      onlyKnown(step, ['globalFailure'], 'step');
      const cause = this.#noted(causeNamed(step['globalFailure']));
      cluster.tell({ type: 'job.globalFailure', cause });
    } else if ('report' in step) {
      onlyKnown(step, ['report', 'state', 'cause'], 'step');
      if (step['state'] !== 'FAILED') throw new CannotRun(`a report of ${JSON.stringify(step['state'])} is not known`);
      this.#fail(taskOf(step['report']), new Error(textOf(step['cause'] ?? 'failed')));
    } else if ('advanceRestartDelay' in step) {
      onlyKnown(step, ['advanceRestartDelay'], 'step');
      cluster.clock.advance(delayMs);
      cluster.runAll();
    } else if ('slotRequestTimeout' in step) {
      onlyKnown(step, ['slotRequestTimeout'], 'step');
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

  #fail(task: string, cause: Error): void {
    if (!this.cluster.tasks.includes(task)) throw new CannotRun(`there is no task ${task}`);
    this.cluster.fail(task, this.#noted(cause));
  }

  #noted(cause: Error): Error {
    this.causes.push(cause);
    return cause;
  }

  #noting(rule: RestartBackoffRule): RestartBackoffRule {
    return {
      ...rule,
      onFailure: (state, nowMs, random) => {
        this.isBackoffNotified = true;
        return rule.onFailure(state, nowMs, random);
      },
    };
  }
}

const fieldsOfGiven = [
  'vertices',
  'topologyVertices',
  'backoff',
  'failoverStrategy',
  'enricherLabels',
  'maxExceptionHistorySize',
];

const kindsOfStep = ['taskFailure', 'globalFailure', 'report', 'advanceRestartDelay', 'slotRequestTimeout'];

const failureHandling: Handler = ({ given: raw, when: steps, expect }) => {
  if (steps.some((step) => 'classify' in step)) return classification(raw, steps);
  const { given, when } = 'result' in raw ? asFailure(raw, steps) : { given: raw, when: steps };
  onlyKnown(given, fieldsOfGiven, 'given');
  const stray = when.find((step) => !kindsOfStep.some((kind) => kind in step));
  if (stray !== undefined) throw new CannotRun(`step ${JSON.stringify(stray)} is not known`);
  const rig = new FailureRig(given, when);
  for (const step of when) rig.take(step);
  const failed = rig.failures.at(-1);
  const decided = rig.decisions.at(-1);
  if (failed === undefined || decided === undefined) throw new CannotRun('a case without a failure is not known');
  const { cluster } = rig;
  const restart = decided.type === 'failover.decided' ? decided : undefined;
  const restarted = restart?.regions.flatMap((region) =>
    cluster.tasks.filter((task) => cluster.regionOf(task) === region).map(bare),
  );
  const { failure } = cluster.master.getSnapshot().context;
  const isGlobal = failed.task === undefined;
  return {
    canRestart: equals(restart !== undefined),
    failedExecution: equals(failed.task === undefined ? null : bare(failed.task)),
    verticesToRestart: (expected) =>
      expected === 'all topology vertices'
        ? equalsAs(sorted, restarted ?? [])(cluster.tasks.map(bare))
        : equalsAs(sorted, restarted ?? [])(expected),
    restartDelayMs: equals(restart?.delayMs),
    // Here a refusal has neither: its type has no such fields.
    readingVerticesToRestart: equals(restart === undefined ? 'illegal-state' : restarted),
    readingRestartDelay: equals(restart === undefined ? 'illegal-state' : restart.delayMs),
    errorIsOriginalCause: equals(failed.cause === rig.causes.at(-1)),
    errorWrapsCause: equals(failure !== undefined && failure.cause === rig.causes.at(-1) && failure.why !== ''),
    labels: equals({ ...failed.labels }),
    global: equals(isGlobal),
    isRootCause: equals(decided.newAttempt),
    unrecoverable: equals(failed.classification === 'unrecoverable'),
    backoffNotified: equals(rig.isBackoffNotified),
    numberOfRestarts: equals(
      rig.decisions.filter((decision) => decision.type === 'failover.decided' && decision.newAttempt).length,
    ),
    reportedSpan: equals({ canRestart: restart !== undefined, global: isGlobal }),
    enricherSaw: equals(rig.enricherSaw),
    jobFailureInfoMentions: (expected) => equals(rig.history.at(-1)?.cause.message.includes(textOf(expected)))(true),
    ...historyJudges(rig, expect),
  };
};

function historyJudges(rig: FailureRig, expect: ConformanceCase['expect']): Record<string, Judge> {
  if (!('exceptionHistory' in expect) && !('exceptionHistoryContains' in expect)) return {};
  const { history } = rig;
  return {
    exceptionHistory: (expected) => {
      const wanted = listOf<Readonly<Record<string, unknown>>>(expected, 'exceptionHistory');
      return equals(history.map((entry, index) => entryAs(wanted[index] ?? {}, entry, rig)))(wanted);
    },
    exceptionHistoryContains: (expected) => {
      const causes = history.map(({ cause }) => cause.message);
      return equals(listOf<string>(expected, 'exceptionHistoryContains').filter((cause) => causes.includes(cause)))(
        expected,
      );
    },
  };
}

/** The fields of an entry that a case asks for. */
function entryAs(
  wanted: Readonly<Record<string, unknown>>,
  entry: RootExceptionEntry,
  { cluster }: FailureRig,
): unknown {
  const read: Readonly<Record<string, () => unknown>> = {
    cause: () => entry.cause.message,
    task: () => entry.task ?? null,
    labels: () => ({ ...entry.labels }),
    global: () => entry.task === undefined,
    concurrent: () => entry.concurrent.map(({ cause }) => cause.message),
    location: () => {
      if (entry.task !== undefined && cluster.deployed.includes(entry.task)) {
        throw new CannotRun('the place where a deployed task failed is not kept in the history');
      }
      return null;
    },
  };
  onlyKnown(wanted, Object.keys(read), 'history entry');
  return Object.fromEntries(Object.keys(wanted).map((field) => [field, read[field]?.()]));
}

/** Consecutive failures, each in a separate job. */
function classification(given: Given, when: ConformanceCase['when']): Record<string, Judge> {
  onlyKnown(given, [], 'given');
  const verdicts = when.map((step) => {
    onlyKnown(step, ['classify'], 'step');
    const failing = { taskFailure: 't0', cause: step['classify'] };
    const rig = new FailureRig({}, [failing]);
    rig.take(failing);
    return rig.failures[0]?.classification === 'unrecoverable';
  });
  return { unrecoverable: equals(verdicts) };
}

/** A finished result that is only read: expressed as the failure, and the answers, that lead to it. */
function asFailure(given: Given, when: ConformanceCase['when']): { given: Given; when: ConformanceCase['when'] } {
  onlyKnown(given, ['result'], 'given');
  if (when.length !== 1 || when[0]?.['op'] !== 'read')
    throw new CannotRun(`step ${JSON.stringify(when[0])} is not known`);
  const { result } = given;
  if (typeof result !== 'object' || result === null) throw new CannotRun('given result is no object');
  const known = ['kind', 'failedExecution', 'vertices', 'delayMs', 'global', 'newAttempt', 'labels'];
  onlyKnown({ ...result }, known, 'result');
  const {
    kind,
    failedExecution,
    vertices,
    delayMs: backoffMs = delayMs,
    newAttempt,
    labels,
  } = result as Record<string, unknown>;
  if (kind !== 'restartable' && kind !== 'unrecoverable') throw new CannotRun(`result ${textOf(kind)} is not known`);
  return {
    given: {
      backoff: { stub: true, canRestart: kind === 'restartable', backoffMs, newAttempt },
      ...(vertices === undefined ? {} : { failoverStrategy: { stubRestarts: vertices } }),
      ...(failedExecution === null ? { topologyVertices: ['t0'] } : {}),
      ...(labels === undefined ? {} : { enricherLabels: labels }),
    },
    when: [failedExecution === null ? { globalFailure: 'plain' } : { taskFailure: failedExecution, cause: 'plain' }],
  };
}

function verticesOf(given: Given, when: ConformanceCase['when'], stubbed: readonly string[]) {
  if (given['vertices'] !== undefined) return givenVertices(given['vertices']);
  const failing = when.flatMap((step) => ('taskFailure' in step ? [textOf(step['taskFailure'])] : []));
  const names = [
    ...new Set([...listOf<string>(given['topologyVertices'] ?? [], 'topologyVertices'), ...stubbed, ...failing]),
  ];
  if (names.length === 0) throw new CannotRun('a job without vertices is not known');
  return names.map((id) => ({ id: bare(id), parallelism: 1 }));
}

function stubOf(strategy: unknown): readonly string[] | undefined {
  if (strategy === undefined) return undefined;
  if (typeof strategy !== 'object' || strategy === null) throw new CannotRun('given failoverStrategy is no object');
  onlyKnown({ ...strategy }, ['stubRestarts'], 'failoverStrategy');
  return listOf<string>((strategy as Record<string, unknown>)['stubRestarts'], 'stubRestarts');
}

function backoffOf(backoff: unknown): RestartBackoffRule {
  if (backoff === undefined) return fixedDelay({ maxAttempts: Number.POSITIVE_INFINITY, delayMs });
  if (typeof backoff !== 'object' || backoff === null) throw new CannotRun('given backoff is no object');
  onlyKnown({ ...backoff }, ['stub', 'canRestart', 'backoffMs', 'newAttempt'], 'backoff');
  const { canRestart, backoffMs, newAttempt } = backoff as Record<string, unknown>;
  if (typeof canRestart !== 'boolean' || typeof backoffMs !== 'number' || typeof newAttempt !== 'boolean') {
    throw new CannotRun(`backoff ${JSON.stringify(backoff)} is not known`);
  }
  return {
    name: 'stub',
    initial: undefined,
    onFailure: () => ({ state: undefined, newAttempt }),
    canRestart: () => canRestart,
    delayMs: () => backoffMs,
  };
}

/** `plain`, `any`, `suppress-restarts`, a bare name (`E`, `E1`), or one of these `nested` in another error. */
function causeNamed(cause: unknown): Error {
  if (typeof cause === 'object' && cause !== null) {
    onlyKnown({ ...cause }, ['nested'], 'cause');
    return new Error('outer', { cause: causeNamed((cause as Record<string, unknown>)['nested']) });
  }
  if (cause === 'suppress-restarts') return new UnrecoverableError('no restart cures it');
  if (cause === 'plain' || cause === 'any') return new Error('plain');
  if (typeof cause === 'string' && /^E\w*$/.test(cause)) return new Error(cause);
  throw new CannotRun(`cause ${JSON.stringify(cause)} is not known`);
}

/** `t0` is the only subtask of a vertex. */
function taskOf(name: unknown): string {
  const text = textOf(name);
  return text.endsWith(']') ? text : `${text}[0]`;
}

function bare(task: string): string {
  return task.replace(/\[0\]$/, '');
}

/** Handler of the area `failure-handler`. */
export const failureHandlers: Readonly<Record<string, Handler>> = { default: failureHandling };
