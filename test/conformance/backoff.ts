import type { Random } from '../../src/environment.ts';
import { exponentialDelay } from '../../src/failover/backoffs/exponential-delay.ts';
import { failureRate } from '../../src/failover/backoffs/failure-rate.ts';
import { fixedDelay } from '../../src/failover/backoffs/fixed-delay.ts';
import { noRestart } from '../../src/failover/backoffs/no-restart.ts';
import type { RestartBackoffRule } from '../../src/failover/backoffs/restart-backoff.ts';
import {
  CannotRun,
  type ConformanceCase,
  equals,
  fields,
  type Handler,
  type Judge,
  knowing,
  perStep,
} from './conformance-case.ts';
import { errorKindOf } from './conformance-runner.ts';
import { type FlinkRestartBackoff, flinkRestartBackoff } from './flink-restart-backoff.ts';

/** The observable state of a backoff right after a step. */
interface Reading {
  readonly newAttempt: boolean | undefined;
  readonly newAttemptRest: readonly boolean[];
  readonly canRestart: boolean | undefined;
  readonly backoffMs: number | undefined;
  readonly error: string | undefined;
}

const timeline: Handler = ({ given, when, expect }) => {
  const rule = createRule(given);
  const steps = Array.isArray(expect['steps']) ? (expect['steps'] as (Record<string, unknown> | null)[]) : [];
  // With randomness, one run proves nothing: every possible value must be seen, and no other.
  const samples = Math.max(1, ...steps.map((step) => (step?.['backoffOneOf'] === undefined ? 1 : sampleCount(step))));
  const random = new Sequence();
  const runs = Array.from({ length: samples }, () => runTimeline(rule, when, random));
  const judgeStep = (step: number): Judge => {
    const readings = runs.map((run) => run[step] as Reading);
    const every = (read: (reading: Reading) => unknown): Judge => {
      const distinct = [...new Set(readings.map(read))];
      return equals(distinct.length === 1 ? distinct[0] : distinct);
    };
    const delays = [...new Set(readings.map(({ backoffMs }) => backoffMs as number))].sort((a, b) => a - b);
    const wantsEvery = steps[step]?.['everyValueSeenInSamples'] !== undefined;
    return fields({
      newAttempt: every(({ newAttempt }) => newAttempt),
      newAttemptRest: (expected) => {
        const rest = [...new Set(readings.flatMap(({ newAttemptRest }) => newAttemptRest))];
        return equals(rest.every((value) => value === expected) ? expected : rest)(expected);
      },
      canRestart: every(({ canRestart }) => canRestart),
      backoffMs: every(({ backoffMs }) => backoffMs),
      backoffAtMostMs: (expected) => equals(delays.filter((delay) => !(delay <= (expected as number))))([]),
      backoffOneOf: (expected) => {
        const possible = [...(expected as number[])].sort((a, b) => a - b);
        return equals(wantsEvery ? delays : delays.filter((delay) => !possible.includes(delay)))(
          wantsEvery ? possible : [],
        );
      },
      everyValueSeenInSamples: () => ({ kind: 'passed' }),
      error: every(({ error }) => error),
    });
  };
  return { steps: perStep(when.map((_, step) => judgeStep(step))) };
};

const invalidParams: Handler = ({ given }) => {
  const { name } = createRule(given);
  return { error: (expected) => ({ kind: 'failed', expected, actual: `${name} was created` }), why: equals(undefined) };
};

const strategySelection: Handler = ({ given }) => {
  const levels = ['executionConfig', 'jobConfig', 'clusterConfig'].map((level) => configOf(given[level]));
  const { name } = flinkRestartBackoff(levels, { checkpointing: given['checkpointingEnabled'] === true });
  return { strategy: equals(name) };
};

/** Handlers of the area `backoff`. */
export const backoffHandlers: Readonly<Record<string, Handler>> = {
  timeline: knowing(
    { given: ['strategy', 'params', 'clockStartMs'], ops: ['failure', 'query'], steps: ['at', 'times'] },
    timeline,
  ),
  'invalid-params': knowing({ given: ['strategy', 'params'], ops: ['create'] }, invalidParams),
  'strategy-selection': knowing(
    { given: ['executionConfig', 'jobConfig', 'clusterConfig', 'checkpointingEnabled'], ops: ['selectStrategy'] },
    strategySelection,
  ),
};

function runTimeline(rule: RestartBackoffRule, when: ConformanceCase['when'], random: Random): Reading[] {
  let state = rule.initial;
  return when.map((step) => {
    const { at = 0, op, times = 1 } = step as { at?: number; op?: string; times?: number };
    if (op !== 'failure' && op !== 'query') throw new CannotRun(`operation ${JSON.stringify(op)} is not known`);
    const attempts: boolean[] = [];
    for (let count = 0; op === 'failure' && count < times; count++) {
      const noted = rule.onFailure(state, at, random);
      state = noted.state;
      attempts.push(noted.newAttempt);
    }
    const [newAttempt, ...newAttemptRest] = attempts;
    let error: string | undefined;
    const ask = <Answer>(question: () => Answer): Answer | undefined => {
      try {
        return question();
      } catch (thrown) {
        error = errorKindOf(thrown) ?? String(thrown);
        return undefined;
      }
    };
    const canRestart = ask(() => rule.canRestart(state, at));
    const backoffMs = ask(() => rule.delayMs(state, at));
    return { newAttempt, newAttemptRest, canRestart, backoffMs, error };
  });
}

function createRule(given: ConformanceCase['given']): RestartBackoffRule {
  const params = { ...(given['params'] as Record<string, number> | undefined) };
  const take = (...names: string[]): number | undefined => {
    const name = names.find((candidate) => params[candidate] !== undefined);
    return name === undefined ? undefined : params[name];
  };
  switch (given['strategy']) {
    case 'none':
      return noRestart();
    case 'fixed-delay':
      return fixedDelay({ maxAttempts: take('maxAttempts') ?? 1, delayMs: take('delayMs', 'backoffMs') ?? 1_000 });
    case 'failure-rate':
      return failureRate({
        maxFailuresPerInterval: take('maxFailuresPerInterval') ?? 1,
        intervalMs: take('intervalMs') ?? 60_000,
        delayMs: take('backoffMs', 'delayMs') ?? 1_000,
      });
    case 'exponential-delay':
      return exponentialDelay(
        present({
          initialDelayMs: take('initialBackoffMs'),
          maxDelayMs: take('maxBackoffMs'),
          multiplier: take('multiplier', 'backoffMultiplier'),
          resetThresholdMs: take('resetThresholdMs'),
          jitterFactor: take('jitterFactor'),
          maxAttempts: take('attemptsBeforeResetBackoff'),
        }),
      );
    default:
      throw new CannotRun(`strategy ${JSON.stringify(given['strategy'])} is not known`);
  }
}

/** A configuration level: a type, or a type with its parameters under the catalogue's names. */
function configOf(level: unknown): FlinkRestartBackoff | undefined {
  if (level === undefined || level === null) return undefined;
  if (typeof level === 'string') return { type: level } as FlinkRestartBackoff;
  const { backoffMs, initialBackoffMs, maxBackoffMs, attemptsBeforeResetBackoff, ...rest } = level as Record<
    string,
    unknown
  >;
  return {
    ...rest,
    ...present({
      delayMs: backoffMs,
      initialDelayMs: initialBackoffMs,
      maxDelayMs: maxBackoffMs,
      maxAttempts: attemptsBeforeResetBackoff,
    }),
  } as FlinkRestartBackoff;
}

/** Without the fields that are undefined. */
function present<Value>(entries: Record<string, Value | undefined>): Record<string, Value> {
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined)) as Record<
    string,
    Value
  >;
}

function sampleCount(step: Record<string, unknown>): number {
  const count = step['everyValueSeenInSamples'];
  return typeof count === 'number' ? count : 1_000;
}

/** Random numbers that fill [0, 1) evenly, for any count: the multiples of the golden ratio. */
class Sequence implements Random {
  #last = 0;

  next(): number {
    this.#last = (this.#last + 0.618_033_988_749_894_9) % 1;
    return this.#last;
  }
}
