import { checkOptions, givenOf, type OptionNames } from './options.ts';

/** Time and timers. The virtual one drives XState's timers and RxJS's scheduler in one order. */
export interface Clock {
  /** Milliseconds since some fixed instant; never goes back. */
  now(): number;
  /** Milliseconds since 1970 by the calendar, which may be set. For instants that others name, never for durations. */
  epochMs(): number;
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(handle: unknown): void;
  /** Runs `callback` soon, after other work that is already waiting (`setImmediate`). */
  setImmediate(callback: () => void): unknown;
}

/** Chance. */
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
 * Named places in the engine and in operators where a test may arm a fault. Nothing is armed in production, where
 * `reach` costs one call.
 */
export interface FaultPoints {
  /** Throws (or does whatever was armed) if the fault called `name` is due at this place. */
  reach(name: string, place?: Readonly<Record<string, unknown>>): void;
}

/** Everything the engine takes from outside: nothing else in it reads a clock, draws a number or starts a timer. */
export interface Environment {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly faults: FaultPoints;
  /**
   * Whether batches are frozen as they cross an exchange, so that a function that changes a record it handed on throws
   * instead of corrupting a neighbour. Default: on, unless `NODE_ENV` is `production`.
   */
  readonly freezeRecords: boolean;
  /**
   * Announces real work that the clock cannot see (a thread that decompresses), until the returned function is called.
   * Virtual time stands still meanwhile; real time needs no telling.
   */
  hold?(): () => void;
}

const silent = (): void => {};

/** Logs nothing. */
export const silentLogger: Logger = { debug: silent, info: silent, warn: silent, error: silent };

/** No fault is armed. */
export const noFaults: FaultPoints = { reach: silent };

/** What is to be other than the machine's. */
export type EnvironmentOverrides = { readonly [Part in keyof Environment]?: Environment[Part] | undefined };

const environmentNames: OptionNames<Environment> = {
  clock: true,
  random: true,
  logger: true,
  faults: true,
  freezeRecords: true,
  hold: true,
};

/** The environment of production: the machine's clock, chance and timers, and a silent logger. */
export function systemEnvironment(overrides: EnvironmentOverrides = {}): Environment {
  checkOptions('systemEnvironment', overrides, environmentNames);
  return {
    clock: {
      now: () => performance.now(),
      epochMs: () => Date.now(),
      setTimeout: (callback, delayMs) => setTimeout(callback, delayMs),
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
