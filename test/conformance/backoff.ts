import type { Random } from '../../src/environment.ts';
import type { RestartBackoffRule } from '../../src/failover/backoffs/restart-backoff.ts';
import {
  CannotRun,
  type ConformanceCase,
  equals,
  fields,
  type Handler,
  type Judge,
  knowing,
  onlyKnown,
  perStep,
} from './conformance-case.ts';
import { errorKindOf } from './conformance-runner.ts';
import { type FlinkRestartBackoff, flinkRestartBackoff } from './flink-restart-backoff.ts';
import { listOf } from './given-graph.ts';

/** The observable state of a backoff right after a step. */
interface Reading {
  readonly newAttempt: boolean | undefined;
  readonly newAttemptRest: readonly boolean[];
  readonly canRestart: boolean | undefined;
  readonly backoffMs: number | undefined;
  readonly error: string | undefined;
}

const timeline: Handler = ({ given, when, expect }) => {
  if (typeof (given['clockStartMs'] ?? 0) !== 'number') throw new CannotRun('given clockStartMs is no number');
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
  const { checkpointingEnabled = false } = given;
  if (typeof checkpointingEnabled !== 'boolean') throw new CannotRun('given checkpointingEnabled is no boolean');
  const levels = ['executionConfig', 'jobConfig', 'clusterConfig'].map((level) => configOf(given[level]));
  // Those behind the first are not looked at.
  const unread = levels.filter((level) => level !== undefined).slice(1);
  if (unread.some(({ type }) => !Object.hasOwn(options, type))) throw new CannotRun('a strategy is not known');
  const chosen = flinkRestartBackoff(levels, { checkpointing: checkpointingEnabled });
  return {
    strategy: equals(chosen.name),
    params: (expected) => {
      if (!isObject(expected)) throw new CannotRun(`params ${JSON.stringify(expected)} are not known`);
      let rule: RestartBackoffRule;
      try {
        rule = createRule({ strategy: chosen.name, params: expected });
      } catch (error) {
        if (error instanceof CannotRun) throw error;
        return { kind: 'failed', expected, actual: String(error) };
      }
      // A strategy shows its parameters by what it answers alone.
      return equals(answersOf(chosen, expected))(answersOf(rule, expected));
    },
  };
};

/** Handlers of the area `backoff`. */
export const backoffHandlers: Readonly<Record<string, Handler>> = {
  timeline: knowing(
    {
      given: ['strategy', 'params', 'clockStartMs'],
      ops: { failure: ['at', 'times'], query: ['at', 'fields'] },
    },
    timeline,
  ),
  'invalid-params': knowing({ given: ['strategy', 'params'], ops: { create: [] } }, invalidParams),
  'strategy-selection': knowing(
    {
      given: ['executionConfig', 'jobConfig', 'clusterConfig', 'checkpointingEnabled'],
      ops: { selectStrategy: [] },
    },
    strategySelection,
  ),
};

/**
 * What a strategy answers around every time and number that its parameters name: after failures at one moment, and after
 * failures each of which comes as long after the restart before it.
 */
function answersOf(rule: RestartBackoffRule, params: Readonly<Record<string, unknown>>): unknown[] {
  const numbers = [1, ...Object.values(params).filter((value) => typeof value === 'number')];
  return [0, 0.5, 1 - Number.EPSILON].flatMap((drawn) =>
    numbers.flatMap((gapMs) => {
      const random = { next: () => drawn };
      let [burst, state, nowMs] = [rule.initial, rule.initial, 0];
      return Array.from({ length: 16 }, () => {
        burst = rule.onFailure(burst, 0, random).state;
        state = rule.onFailure(state, nowMs, random).state;
        const delayMs = rule.delayMs(state, nowMs);
        nowMs += delayMs + gapMs;
        const early = rule.onFailure(state, nowMs - 1, random).state;
        const bursts = [gapMs - 1, gapMs, gapMs + 1].map((atMs) => rule.canRestart(burst, atMs));
        return [
          bursts,
          delayMs,
          rule.delayMs(early, nowMs - 1),
          rule.canRestart(state, nowMs),
          rule.restartsLeft?.(state, nowMs),
        ];
      });
    }),
  );
}

/** The questions of a query: those that it names, or all. */
function asksFor({ fields: named }: ConformanceCase['when'][number]): (field: string) => boolean {
  if (named === undefined) return () => true;
  const asked = typeof named === 'string' ? [named] : listOf<string>(named, 'fields');
  const stranger = asked.find((field) => field !== 'canRestart' && field !== 'backoffMs');
  if (stranger !== undefined) throw new CannotRun(`field ${JSON.stringify(stranger)} is not known`);
  return (field) => asked.includes(field);
}

function runTimeline(rule: RestartBackoffRule, when: ConformanceCase['when'], random: Random): Reading[] {
  let state = rule.initial;
  return when.map((step) => {
    const { at = 0, op, times = 1 } = step;
    if (typeof at !== 'number' || typeof times !== 'number') throw new CannotRun('at and times are numbers');
    const isAsked = asksFor(step);
    const attempts: boolean[] = [];
    for (let count = 0; op === 'failure' && count < times; count++) {
      const noted = rule.onFailure(state, at, random);
      state = noted.state;
      attempts.push(noted.newAttempt);
    }
    const [newAttempt, ...newAttemptRest] = attempts;
    let error: string | undefined;
    const ask = <Answer>(field: string, question: () => Answer): Answer | undefined => {
      try {
        return isAsked(field) ? question() : undefined;
      } catch (thrown) {
        error = errorKindOf(thrown) ?? String(thrown);
        return undefined;
      }
    };
    const canRestart = ask('canRestart', () => rule.canRestart(state, at));
    const backoffMs = ask('backoffMs', () => rule.delayMs(state, at));
    return { newAttempt, newAttemptRest, canRestart, backoffMs, error };
  });
}

/** The catalogue's largest integer means: as many as you like. */
const anyNumber: readonly unknown[] = ['inf', 2 ** 31 - 1];

/** By strategy and parameter of the catalogue: the option of ours. */
const options: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  none: {},
  'fixed-delay': { maxAttempts: 'maxAttempts', delayMs: 'delayMs', backoffMs: 'delayMs' },
  'failure-rate': {
    maxFailuresPerInterval: 'maxFailuresPerInterval',
    intervalMs: 'intervalMs',
    backoffMs: 'delayMs',
    delayMs: 'delayMs',
  },
  'exponential-delay': {
    initialBackoffMs: 'initialDelayMs',
    maxBackoffMs: 'maxDelayMs',
    multiplier: 'multiplier',
    backoffMultiplier: 'multiplier',
    resetThresholdMs: 'resetThresholdMs',
    jitterFactor: 'jitterFactor',
    attemptsBeforeResetBackoff: 'maxAttempts',
  },
};

/** A strategy with its parameters under the catalogue's names. One that nobody knows has none. */
function configNamed(type: unknown, params: Readonly<Record<string, unknown>>): FlinkRestartBackoff {
  const known: Readonly<Record<string, string>> = Object.hasOwn(options, String(type))
    ? { ...options[String(type)] }
    : {};
  onlyKnown(params, Object.keys(known), 'params');
  const given = Object.entries(params).map(([name, value]) => {
    const option = known[name] as string;
    if (option === 'maxAttempts' && anyNumber.includes(value)) return [option, Number.POSITIVE_INFINITY];
    if (typeof value !== 'number') throw new CannotRun(`${name} ${JSON.stringify(value)} is no number`);
    return [option, value];
  });
  return { ...Object.fromEntries(given), type } as FlinkRestartBackoff;
}

function createRule({ strategy, params = {} }: ConformanceCase['given']): RestartBackoffRule {
  if (!Object.hasOwn(options, String(strategy))) {
    throw new CannotRun(`strategy ${JSON.stringify(strategy)} is not known`);
  }
  if (!isObject(params)) throw new CannotRun('params is no object');
  return flinkRestartBackoff([configNamed(strategy, params)], { checkpointing: false });
}

/** A configuration level: a type, or a type with its parameters. */
function configOf(level: unknown): FlinkRestartBackoff | undefined {
  if (level === undefined || level === null) return undefined;
  if (typeof level === 'string') return configNamed(level, {});
  if (!isObject(level)) throw new CannotRun(`configuration ${JSON.stringify(level)} is not known`);
  const { type, ...params } = level;
  return configNamed(type, params);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
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
