import { fixedDelay } from '../../src/failover/backoffs/fixed-delay.ts';
import { noRestart } from '../../src/failover/backoffs/no-restart.ts';
import type { RestartBackoffRule } from '../../src/failover/backoffs/restart-backoff.ts';
import { CannotRun, type ConformanceCase, onlyKnown } from './conformance-case.ts';
import { graphFields } from './given-graph.ts';
import { JobRig } from './job-rig.ts';

/** Long enough to be noticed, over before anything else is due. */
const someDelayMs = 1_000;

/** Fields of `given` that {@link givenJob} reads. */
export const jobFields: readonly string[] = [...graphFields, 'jobStatus', 'before', 'restart', 'canRestart'];

/** The job with which a case begins, led to its status. */
export function givenJob(given: ConformanceCase['given'], beginsIn: string): JobRig {
  const { vertices, edges, jobStatus = beginsIn, before, restart, canRestart } = given;
  const rig = new JobRig({ vertices, edges, restart: restartOf(restart, canRestart) });
  leadJob(rig, String(jobStatus), before);
  return rig;
}

type Lead = readonly [status: string, before: RegExp, way: (rig: JobRig) => void];

const run = (rig: JobRig): void => {
  rig.start();
  rig.reportAll('running');
};
const fail = (rig: JobRig): void => {
  run(rig);
  rig.refuseRestarts();
  rig.failGlobally('the case begins with it');
};
const cancel = (rig: JobRig): void => {
  run(rig);
  rig.cancel();
};

/** How a job reaches a status; if a case describes the past, in its words. */
const leads: readonly Lead[] = [
  ['CREATED', /^(nothing scheduled)?$/, () => {}],
  ['RUNNING', /^(all running)?$/, run],
  ['RUNNING', /^all deploying$/, (rig) => rig.start()],
  [
    'RUNNING',
    /^all initializing$/,
    (rig) => {
      rig.start();
      rig.reportAll('initializing');
    },
  ],
  [
    'RESTARTING',
    /^(global failure, all canceled)?$/,
    (rig) => {
      run(rig);
      rig.failGlobally('the case begins with it');
      rig.confirmCancellations();
    },
  ],
  ['FAILING', /^(global failure.*)?$/, fail],
  [
    'FAILED',
    /^(failed( for good)?)?$/,
    (rig) => {
      fail(rig);
      rig.confirmCancellations();
    },
  ],
  ['CANCELLING', /^(cancel in progress.*)?$/, cancel],
  [
    'CANCELED',
    /^(cancell?ed)?$/,
    (rig) => {
      cancel(rig);
      rig.confirmCancellations();
    },
  ],
  [
    'FINISHED',
    /^(finished)?$/,
    (rig) => {
      run(rig);
      rig.reportAll('finished');
    },
  ],
  [
    'SUSPENDED',
    /^(suspended)?$/,
    (rig) => {
      run(rig);
      rig.suspend('the case begins with it');
    },
  ],
];

/** Leads a new job to a status. @throws CannotRun if the way there is unknown */
export function leadJob(rig: JobRig, status: string, before: unknown = ''): void {
  const lead = leads.find(([leadsTo, said]) => leadsTo === status && said.test(String(before)));
  if (lead === undefined) throw new CannotRun(`a job that is ${status} after ${JSON.stringify(before)} is not known`);
  lead[2](rig);
  if (rig.status !== status) throw new Error(`the job was led to ${rig.status} instead of ${status}`);
  const calls = /(\d+) cancel calls/.exec(String(before))?.[1];
  if (calls !== undefined && Number(calls) !== rig.cluster.canceled.length) {
    throw new Error(`${rig.cluster.canceled.length} instead of ${calls} tasks were canceled before the case begins`);
  }
}

/**
 * The backoff of a case. Here a restart without delay happens at once; a case that separates failure and restart means
 * the moment after.
 */
function restartOf(restart: unknown, canRestart: unknown): RestartBackoffRule {
  if (canRestart !== undefined && typeof canRestart !== 'boolean')
    throw new CannotRun('given canRestart is no boolean');
  if (canRestart === false || restart === 'none') return noRestart();
  if (restart === undefined) return fixedDelay({ maxAttempts: Number.POSITIVE_INFINITY, delayMs: someDelayMs });
  if (typeof restart !== 'object' || restart === null)
    throw new CannotRun(`restart ${JSON.stringify(restart)} is not known`);
  onlyKnown({ ...restart }, ['type', 'maxAttempts', 'delay', 'delayMs'], 'restart');
  const { type, maxAttempts = 1, delay, delayMs = someDelayMs } = restart as Record<string, unknown>;
  if (type !== 'fixed-delay') throw new CannotRun(`restart of type ${JSON.stringify(type)} is not known`);
  if (delay !== undefined && delay !== 'long' && delay !== 'manual') {
    throw new CannotRun(`delay ${JSON.stringify(delay)} is not known`);
  }
  const attempts = maxAttempts === 'inf' ? Number.POSITIVE_INFINITY : maxAttempts;
  if (typeof attempts !== 'number' || typeof delayMs !== 'number') {
    throw new CannotRun(`restart ${JSON.stringify(restart)} is not known`);
  }
  return fixedDelay({ maxAttempts: attempts, delayMs: Math.max(1, delayMs) });
}
