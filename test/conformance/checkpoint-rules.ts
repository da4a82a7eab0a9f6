import { countFailure, countSuccess, noFailures } from '../../src/checkpoints/failure-count.ts';
import type { CheckpointFailureReason } from '../../src/checkpoints/failure-reason.ts';
import {
  type CheckpointRequest,
  nextRequest,
  type RequestDecision,
  type RequestLimits,
  submitRequest,
} from '../../src/checkpoints/request-decider.ts';
import type { CheckpointId } from '../../src/ids.ts';
import { CannotRun, equals, type Handler, knowing, sorted, equalsAs } from './conformance-case.ts';

/** The catalogue's names of our reasons. */
export const catalogueReasons: Readonly<Record<CheckpointFailureReason, string>> = {
  io: 'io-exception',
  declined: 'declined',
  expired: 'expired',
  async: 'async-exception',
  notAllRunning: 'not-all-required-tasks-running',
  notReady: 'declined-task-not-ready',
  tooSoon: 'minimum-time-between-checkpoints',
  tooManyRequests: 'too-many-checkpoint-requests',
  failover: 'job-failover-region',
  subsumed: 'subsumed',
  triggering: 'trigger-checkpoint-failure',
  storing: 'finalize-checkpoint-failure',
  periodicStopped: 'periodic-scheduler-shutdown',
  stopped: 'coordinator-shutdown',
};

/** Reasons of the catalogue that have no name of their own with us, and ours. */
const otherReasons: Readonly<Record<string, CheckpointFailureReason>> = {
  'job-failure': 'failover',
  'declined-task-closing': 'notReady',
  'coordinator-suspend': 'stopped',
  // A message about a checkpoint that has no number reaches nobody.
  'task-checkpoint-failure-when-unassigned': 'notReady',
};

function reasonNamed(name: unknown): CheckpointFailureReason {
  const [reason] = Object.entries(catalogueReasons).find(([, one]) => one === name) ?? [otherReasons[name as string]];
  if (reason === undefined) throw new CannotRun(`reason ${JSON.stringify(name)} is not known`);
  return reason as CheckpointFailureReason;
}

type Step = Readonly<Record<string, unknown>>;

/** A request with the name that a case gives it. */
interface NamedRequest extends CheckpointRequest {
  readonly name: string | undefined;
}

/** More than any clock. */
const forever = 2 ** 40;

/** What may be otherwise from one step on. */
const changing = ['pending', 'cleaning', 'triggeringInProgress', 'lastCompletionAgoMs'];

const requestDecider: Handler = knowing(
  {
    given: [
      ...['maxConcurrent', 'minPauseMs', 'maxQueued', 'lastCompletionAgoMs'],
      ...['pending', 'cleaning', 'triggeringInProgress'],
    ],
    ops: { submit: ['request', ...changing], next: changing },
  },
  ({ given, when }) => {
    const limits: RequestLimits = {
      maxConcurrent: given['maxConcurrent'] as number,
      minPauseMs: given['minPauseMs'] === 'max' ? forever : (given['minPauseMs'] as number),
      maxQueued: given['maxQueued'] as number,
    };
    const nowMs = forever;
    let queue: readonly NamedRequest[] = [];
    let nextPeriodicAfterMs: number | undefined;
    const dropped: Record<string, string> = {};
    const outcomes = when.map((step, number): string => {
      const now = { ...given, ...step };
      const agoMs = now['lastCompletionAgoMs'] as number | null | undefined;
      const situation = {
        nowMs,
        isTriggering: now['triggeringInProgress'] === true,
        pendingCount: (now['pending'] as number | undefined) ?? 0,
        cleaningCount: (now['cleaning'] as number | undefined) ?? 0,
        lastCompletedMs: agoMs === null || agoMs === undefined ? undefined : nowMs - agoMs,
      };
      const request = step['op'] === 'submit' ? requestIn(step, number) : undefined;
      const decision: RequestDecision<NamedRequest> =
        request === undefined
          ? nextRequest(queue, limits, situation)
          : submitRequest(queue, request, limits, situation);
      queue = decision.queue;
      if (decision.earliestMs !== undefined) nextPeriodicAfterMs = decision.earliestMs - nowMs;
      for (const refused of decision.refused) {
        if (refused.request.name !== undefined) dropped[refused.request.name] = catalogueReasons[refused.reason];
      }
      if (decision.next !== undefined) return ['execute', decision.next.name].filter(Boolean).join(' ');
      const refused = decision.refused.find((one) => one.request === request);
      return refused === undefined ? 'queued' : `dropped: ${catalogueReasons[refused.reason]}`;
    });
    return {
      outcomes: equals(outcomes),
      nextPeriodicAfterMs: equals(nextPeriodicAfterMs),
      dropped: equals(dropped),
      queuedAfter: equals(queue.map(({ name }) => name)),
    };
  },
);

function requestIn(step: Step, number: number): NamedRequest {
  const { type, forced, periodic, id } = step['request'] as Record<string, unknown>;
  return {
    number,
    kind: type as NamedRequest['kind'],
    isForced: forced === true,
    isPeriodic: periodic === true,
    name: id as string | undefined,
  };
}

const failureManager: Handler = knowing(
  { given: ['tolerableConsecutiveFailures'], steps: ['success', 'failure', 'checkpoint'] },
  ({ given, when }) => {
    const tolerable = given['tolerableConsecutiveFailures'] as number;
    let failures = noFailures;
    let jobFailures = 0;
    for (const step of when) {
      if (step['success'] !== undefined) failures = countSuccess(failures, step['success'] as CheckpointId);
      else {
        const checkpoint = step['checkpoint'] === 'unassigned' ? undefined : (step['checkpoint'] as CheckpointId);
        const reason = reasonNamed(step['failure']);
        const counted = countFailure(failures, { reason, checkpoint, kind: 'checkpoint' }, tolerable);
        ({ failures } = counted);
        if (counted.areTooMany) jobFailures++;
      }
    }
    return { jobFailures: equals(jobFailures) };
  },
);

/** Whether a failure counts: with none tolerable, one is too many. */
const isTooMany = (reason: CheckpointFailureReason, kind: CheckpointRequest['kind'] = 'checkpoint'): boolean =>
  countFailure(noFailures, { reason, checkpoint: undefined, kind }, 0).areTooMany;

const rules: Handler = knowing({ given: ['tolerableConsecutiveFailures'], ops: { rules: [] } }, ({ expect }) => {
  const never = expect['neverCounted'];
  return {
    failsJobWhen: equals(failsWhenExceeded() ? 'counter > n, counter is then cleared' : 'otherwise'),
    masterSideSavepointFailureCounts: equals(isTooMany('io', 'savepoint')),
    neverCounted: equalsAs(
      sorted,
      Array.isArray(never) ? never.filter((name) => !isTooMany(reasonNamed(name))) : never,
    ),
    synchronousSavepointTaskFailureFailsJobImmediately: equals(false),
    unlimited: equals(Infinity),
  };
});

/** Whether the third failure in a row is too many if two are tolerable, and the sixth is the next. */
function failsWhenExceeded(): boolean {
  let failures = noFailures;
  const found: number[] = [];
  for (let checkpoint = 1; checkpoint <= 6; checkpoint++) {
    const failure = { reason: 'io', checkpoint: checkpoint as CheckpointId, kind: 'checkpoint' } as const;
    const counted = countFailure(failures, failure, 2);
    if (counted.areTooMany) found.push(checkpoint);
    ({ failures } = counted);
  }
  return found.join() === '3,6';
}

export const checkpointRuleHandlers = { 'request-decider': requestDecider, 'failure-manager': failureManager, rules };
