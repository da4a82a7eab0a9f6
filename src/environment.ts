import { InvalidArgumentError } from './errors/usage-errors.ts';
import { hasMethods, propertyOf } from './foreign-value.ts';
import { checkOptions, givenOf, type OptionNames } from './options.ts';

/** Time and timers. The virtual one drives XState's timers and RxJS's scheduler in one order. */
export interface Clock {
  /** Milliseconds since some fixed instant; never goes back. */
  now(): number;
  /**
   * Wall-clock milliseconds since 1970; may jump when the clock is set. For timestamps from outside, never for
   * durations.
   */
  epochMs(): number;
  /** @param kind a `background` timer, for what only watches, does not keep the process alive. */
  setTimeout(callback: () => void, delayMs: number, kind?: 'background'): unknown;
  clearTimeout(handle: unknown): void;
  /** Runs `callback` soon, after work that is already waiting (`setImmediate`). */
  setImmediate(callback: () => void): unknown;
}

/** A source of randomness. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
}

export interface Logger {
  debug(message: string, data?: Readonly<Record<string, unknown>>): void;
  info(message: string, data?: Readonly<Record<string, unknown>>): void;
  warn(message: string, data?: Readonly<Record<string, unknown>>): void;
  error(message: string, data?: Readonly<Record<string, unknown>>): void;
}

/**
 * Named places in the engine and in operators where a test can arm a fault. In production nothing is armed, and `reach`
 * costs one call.
 */
export interface FaultPoints {
  /** Triggers the fault `name` if one is armed and due at this place; by default it throws. */
  reach(name: string, place?: Readonly<Record<string, unknown>>): void;
}

/** The engine's access to the outside. No other part of it reads a clock, draws a random number or starts a timer. */
export interface Environment {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly faults: FaultPoints;
  /**
   * Whether batches are frozen as they cross an exchange, so that a function that changes an emitted record throws
   * instead of corrupting its consumers. Default: on, unless `NODE_ENV` is `production`.
   */
  readonly freezeRecords: boolean;
  /**
   * Announces real work that the clock cannot see (a decompression thread), until the returned function is called.
   * Virtual time stands still during the work; a real clock does not need this.
   */
  hold?(): () => void;
}

const silent = (): void => {};

/** Logs nothing. */
export const silentLogger: Logger = { debug: silent, info: silent, warn: silent, error: silent };

/** No fault is armed. */
export const noFaults: FaultPoints = { reach: silent };

/** The parts to replace in the system environment. */
export type EnvironmentOverrides = { readonly [Part in keyof Environment]?: Environment[Part] | undefined };

const environmentNames: OptionNames<Environment> = {
  clock: true,
  random: true,
  logger: true,
  faults: true,
  freezeRecords: true,
  hold: true,
};

/** The production environment: the system's clock, randomness and timers, and a silent logger. */
export function systemEnvironment(overrides: EnvironmentOverrides = {}): Environment {
  checkOptions('systemEnvironment', overrides, environmentNames);
  return {
    clock: {
      now: () => performance.now(),
      epochMs: () => Date.now(),
      setTimeout: (callback, delayMs, kind) => {
        const timer = setTimeout(callback, delayMs);
        return kind === 'background' ? timer.unref() : timer;
      },
      clearTimeout: (handle) => clearTimeout(handle as NodeJS.Timeout),
      setImmediate: (callback) => setImmediate(callback),
    },
    random: { next: Math.random },
    logger: silentLogger,
    faults: noFaults,
    freezeRecords: process.env['NODE_ENV'] !== 'production',
    ...givenOf(overrides),
  };
}

/** Whether this process runs the engine's charts by XState's interpreter: with `KINTSUGI_CHARTS=interpreted`. */
export const interpretsCharts = process.env['KINTSUGI_CHARTS'] === 'interpreted';

/** @throws InvalidArgumentError if a part is missing */
export function checkEnvironment(given: Environment): void {
  const missing = (
    [
      ['clock', 'now', 'epochMs', 'setTimeout', 'clearTimeout', 'setImmediate'],
      ['random', 'next'],
      ['logger', 'debug', 'info', 'warn', 'error'],
      ['faults', 'reach'],
    ] as const
  ).flatMap(([part, ...methods]) => {
    const methodsOf = propertyOf(given, part);
    return methods.filter((method) => !hasMethods(methodsOf, method)).map((m) => `${part}.${m}`);
  });
  if (missing.length === 0) return;
  const expected = `an environment from systemEnvironment() or virtualEnvironment(); ${missing.join(', ')} missing`;
  throw new InvalidArgumentError('environment', given, expected);
}
