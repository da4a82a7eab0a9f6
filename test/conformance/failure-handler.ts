import type { RootExceptionEntry } from '../../src/failover/exception-history.ts';
import {
  CannotRun,
  type ConformanceCase,
  DiffersOnPurpose,
  equals,
  equalsAs,
  fields,
  type Handler,
  type Judge,
  onlyKnown,
  perStep,
  sorted,
} from './conformance-case.ts';
import { asFailure, bare } from './failure-given.ts';
import { FailureRig } from './failure-rig.ts';
import { listOf, textOf } from './given-graph.ts';

type Given = ConformanceCase['given'];

const fieldsOfGiven = [
  ...['vertices', 'topologyVertices', 'backoff', 'failoverStrategy', 'enricherLabels', 'maxExceptionHistorySize'],
  'restartDelayMs',
];

const kindsOfStep = [
  ...['taskFailure', 'globalFailure', 'report', 'setCanRestart', 'advanceRestartDelay', 'runDelayedRestarts'],
  'slotRequestTimeout',
];

const failureHandling: Handler = ({ given: raw, when: steps }) => {
  if (steps.some((step) => 'classify' in step)) return classification(raw, steps);
  const { given, when } = 'result' in raw ? asFailure(raw, steps) : { given: raw, when: steps };
  onlyKnown(given, fieldsOfGiven, 'given');
  const stray = when.find((step) => !kindsOfStep.some((kind) => kind in step));
  if (stray !== undefined) throw new CannotRun(`step ${JSON.stringify(stray)} is not known`);
  const rig = new FailureRig(given, when);
  const results = when.map((step) => {
    const [failuresBefore, decisionsBefore] = [rig.failures.length, rig.decisions.length];
    rig.take(step);
    const isHandled = rig.failures.length > failuresBefore || rig.decisions.length > decisionsBefore;
    return isHandled ? handlingResult(rig) : undefined;
  });
  const last = results.findLast((result) => result !== undefined);
  if (last === undefined) throw new CannotRun('a case without a failure is not known');
  return {
    ...stepwise(last, results),
    steps: perStep(results.map((result) => fields(result ?? {}))),
    enricherSaw: equals(rig.enricherSaw),
    jobFailureInfoMentions: (expected) => equals(rig.history.at(-1)?.cause.message.includes(textOf(expected)))(true),
    ...historyJudges(rig, when),
  };
};

/** What the handling of the latest failure came to. */
function handlingResult(rig: FailureRig): Readonly<Record<string, Judge>> {
  const { cluster, isBackoffNotified } = rig;
  const failed = rig.failures.at(-1);
  const decided = rig.decisions.at(-1);
  if (failed === undefined || decided === undefined) throw new CannotRun('a failure without a decision is not known');
  const restart = decided.type === 'failover.decided' ? decided : undefined;
  const restarted = restart?.regions.flatMap((region) =>
    cluster.tasks.filter((task) => cluster.regionOf(task) === region).map(bare),
  );
  const { failure } = cluster.master.getSnapshot().context;
  const isGlobal = failed.task === undefined;
  const cause = rig.causes.at(-1);
  const restarts = rig.decisions.filter((decision) => decision.type === 'failover.decided' && decision.newAttempt);
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
    errorIsOriginalCause: equals(failed.cause === cause),
    errorWrapsCause: equals(failure !== undefined && failure.cause === cause && failure.why !== ''),
    labels: equals({ ...failed.labels }),
    global: equals(isGlobal),
    isRootCause: equals(decided.newAttempt),
    unrecoverable: equals(failed.classification === 'unrecoverable'),
    backoffNotified: equals(isBackoffNotified),
    numberOfRestarts: equals(restarts.length),
    reportedSpan: equals({ canRestart: restart !== undefined, global: isGlobal }),
  };
}

type Result = ReturnType<typeof handlingResult>;

/** A field of the last result; as a list, or as `…PerStep`, the field of the result of each step. */
function stepwise(last: Result, results: readonly (Result | undefined)[]): Record<string, Judge> {
  const nothing: Judge = (expected) => ({ kind: 'failed', expected, actual: 'no failure was handled in this step' });
  const judges: Record<string, Judge> = {};
  for (const [field, judge] of Object.entries(last)) {
    const everyStep = perStep(results.map((result) => result?.[field] ?? nothing));
    const isList = ['verticesToRestart', 'readingVerticesToRestart'].includes(field);
    judges[field] = (expected) => (Array.isArray(expected) && !isList ? everyStep : judge)(expected);
    judges[`${field}PerStep`] = everyStep;
  }
  return judges;
}

/** Words of a case in which tasks fail before the restarts for earlier failures have run. */
const overlapping = ['stubRestarts', 'runDelayedRestarts'];

function historyJudges(rig: FailureRig, when: ConformanceCase['when']): Record<string, Judge> {
  const { history } = rig;
  const overlaps = when.some((step) => overlapping.some((word) => word in step));
  return {
    exceptionHistory: (expected) => {
      const wanted = listOf<Readonly<Record<string, unknown>>>(expected, 'exceptionHistory');
      const verdict = equals(history.map((entry, index) => entryAs(wanted[index] ?? {}, entry, rig)))(wanted);
      if (verdict.kind === 'failed' && overlaps && hasSameRoots(rig, wanted)) throw new DiffersOnPurpose('concurrent');
      return verdict;
    },
    exceptionHistoryContains: (expected) => {
      const causes = history.map(({ cause }) => cause.message);
      return equals(listOf<string>(expected, 'exceptionHistoryContains').filter((cause) => causes.includes(cause)))(
        expected,
      );
    },
  };
}

/** Whether the entries differ only in their order, and in what is listed beside them. */
function hasSameRoots(rig: FailureRig, wanted: readonly Readonly<Record<string, unknown>>[]): boolean {
  const { history } = rig;
  if (history.length !== wanted.length) return false;
  return wanted.every(({ concurrent: _, ...root }) =>
    history.some((entry) => equals(entryAs(root, entry, rig))(root).kind === 'passed'),
  );
}

/** The fields of an entry that a case asks for. */
function entryAs(
  wanted: Readonly<Record<string, unknown>>,
  entry: RootExceptionEntry,
  rig: FailureRig,
): Readonly<Record<string, unknown>> {
  const { cluster } = rig;
  const concurrentAs = listOf<unknown>(wanted['concurrent'], 'concurrent');
  const read: Readonly<Record<string, () => unknown>> = {
    cause: () => entry.cause.message,
    task: () => entry.task ?? null,
    labels: () => ({ ...entry.labels }),
    // One that ends the job concerns all of it; ours keeps its task nevertheless.
    global: () => entry.task === undefined || rig.isFinal(entry),
    concurrent: () =>
      entry.concurrent.map((one, index) => {
        const form = concurrentAs[index];
        if (typeof form !== 'object' || form === null) return one.cause.message;
        return entryAs({ ...form }, { ...one, concurrent: [], concurrentNotKept: 0 }, rig);
      }),
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

/** Handler of the area `failure-handler`. */
export const failureHandlers: Readonly<Record<string, Handler>> = { default: failureHandling };
