import { CannotRun, type ConformanceCase, DiffersOnPurpose, onlyKnown } from './conformance-case.ts';
import { listOf, textOf } from './given-graph.ts';
import { type JobRig, reportedState } from './job-rig.ts';

type Step = ConformanceCase['when'][number];

/** An attempt that the job never had. */
const unknownAttempt = 1_000;

const operations: Readonly<Record<string, (rig: JobRig, cause: string) => void>> = {
  startScheduling: (rig) => rig.start(),
  cancelJob: (rig) => rig.cancel(),
  suspendJob: (rig, cause) => rig.suspend(cause),
  failJob: (rig, cause) => rig.failForGood(cause),
  // A job whose master stops is suspended.
  closeScheduler: (rig, cause) => rig.suspend(cause),
  runNextDelayedRestart: (rig) => {
    const [next] = rig.pendingRestarts;
    if (next === undefined) throw new Error('no restart is planned');
    rig.advanceTo(next);
  },
};

/** Operations that have a cause. */
const withCause: readonly unknown[] = ['suspendJob', 'failJob', 'closeScheduler'];

/** Performs one step of a case in the rig. Returns whether a report was accepted. @throws CannotRun for an unknown step */
export function runJobStep(rig: JobRig, step: Step): boolean | undefined {
  rig.beginStep();
  const take = (...known: string[]): void => {
    onlyKnown(step, known, 'step');
  };
  if ('op' in step) {
    const { op, cause = op } = step;
    if (op === 'notifyEndOfData') throw new DiffersOnPurpose('notifyEndOfData');
    take('op', ...(withCause.includes(op) ? ['cause'] : []));
    const run = Object.hasOwn(operations, String(op)) ? operations[String(op)] : undefined;
    if (run === undefined) throw new CannotRun(`operation ${JSON.stringify(op)} is not known`);
    run(rig, textOf(cause));
  } else if ('report' in step) {
    take('report', 'state', 'cause', 'attempt', 'restarts');
    return runReport(rig, step);
  } else if ('reportAll' in step) {
    take('reportAll');
    rig.reportAll(reportedState(step['reportAll']));
  } else if ('globalFailure' in step) {
    take('globalFailure');
    rig.failGlobally(textOf(step['globalFailure']));
  } else if ('taskManagerLost' in step) {
    take('taskManagerLost');
    if (step['taskManagerLost'] !== 'all') throw new CannotRun('a single lost task manager is not known');
    rig.loseExecutors();
  } else if ('advanceRestartDelay' in step) {
    take('advanceRestartDelay');
    const last = rig.pendingRestarts.at(-1);
    if (step['advanceRestartDelay'] !== true) throw new CannotRun('an advance by part of the delay is not known');
    if (last !== undefined) rig.advanceTo(last);
  } else throw new CannotRun(`step ${JSON.stringify(step)} is not known`);
  return undefined;
}

const ordinals = ['first', 'second', 'third', 'fourth', 'fifth'];

/**
 * `{ report: "v[0]", state: "FAILED" }`; the task may be `v[0] (first attempt)`, `v[0] (unknown attempt)`, or be left out
 * for an `unknown attempt`. Returns whether it is accepted.
 */
function runReport(rig: JobRig, step: Step): boolean {
  const text = textOf(step['report']);
  const [, name, ordinal] = text === 'unknown attempt' ? [] : (/^(.*?)(?: \((\w+) attempt\))?$/.exec(text) ?? []);
  const task = name === undefined ? (rig.tasks[0] as string) : rig.taskNamed(name);
  const isUnknown =
    name === undefined || ordinal === 'unknown' || ['unknown', 'unknown attempt'].includes(String(step['attempt']));
  let attempt = isUnknown ? unknownAttempt : step['attempt'];
  if (!isUnknown && ordinal !== undefined) {
    attempt = ordinals.indexOf(ordinal);
    if (attempt === -1) throw new CannotRun(`which is the ${ordinal} attempt is not known`);
  }
  if (attempt !== undefined && typeof attempt !== 'number') {
    throw new CannotRun(`attempt ${JSON.stringify(attempt)} is not known`);
  }
  const state = reportedState(step['state']);
  if (step['cause'] !== undefined && state !== 'failed')
    throw new CannotRun('step cause is not known but for a failure');
  if (step['restarts'] !== undefined) {
    if (state !== 'failed') throw new CannotRun('step restarts is not known but for a failure');
    rig.answerFailureOf(task, listOf<string>(step['restarts'], 'restarts'));
  }
  const cause = textOf(step['cause'] ?? `${task} broke`);
  return rig.isAccepted(() => rig.report(task, state, cause, attempt));
}
