import type { SchedulerLike } from 'rxjs';
import { asScheduler } from '../rxjs/clock-scheduler.ts';
import { type Environment, type Logger, silentLogger } from '../environment.ts';
import { checkBoolean, checkOptions, checkWord, type OptionNames } from '../options.ts';
import { faultPlan, type FaultPlan } from './fault-plan.ts';
import { type SeededRandom, seededRandom } from './seeded-random.ts';
import { VirtualClock, VirtualTimeError } from './virtual-clock.ts';

/** The only real timers in this folder. This one lets promises of user code continue; */
const nextMacrotask = (
  (schedule) => () =>
    new Promise<void>((resolve) => schedule(resolve))
)(setImmediate);

/** this one waits for real work, and leaves it the processor. */
const nextMillisecond = (
  (schedule) => () =>
    new Promise<void>((resolve) => schedule(resolve, 1))
)(setTimeout);

const defaultLimitMs = 24 * 60 * 60 * 1_000;

export interface VirtualEnvironmentOptions {
  /** Determines all random choices. Default 1. */
  readonly seed?: number | undefined;
  /** Initial time of the clock, in ms. Default 0. */
  readonly startMs?: number | undefined;
  /**
   * `fifo` runs callbacks of one instant in the order of scheduling, as Node does. `shuffled` draws the order from the
   * seed, for work that must not depend on it. Default `fifo`.
   */
  readonly order?: 'fifo' | 'shuffled' | undefined;
  readonly logger?: Logger | undefined;
  /** Default: a new {@link FaultPlan} with nothing armed. */
  readonly faults?: FaultPlan | undefined;
  readonly freezeRecords?: boolean | undefined;
}

const optionNames: OptionNames<VirtualEnvironmentOptions> = {
  seed: true,
  startMs: true,
  order: true,
  logger: true,
  faults: true,
  freezeRecords: true,
};

/** The limit of a drive, and details for its error. */
export interface DriveOptions {
  /** The awaited event, for the error. */
  readonly what?: string | undefined;
  /** Maximum virtual time. A job with heartbeats never runs out of timers. Default: 24 hours. */
  readonly limitMs?: number | undefined;
  /** Further details about a standstill, for the error. */
  readonly describe?: (() => string) | undefined;
}

/**
 * An environment independent of the system's clock, randomness and timers: time is virtual and moves when driven, and
 * the seed determines the rest. XState (`createActor(logic, { clock })`), RxJS (`scheduler`) and the engine share one
 * clock, in one order.
 *
 * `advance` and `runUntilIdle` drive synchronously: no promise continues during the call. `runUntil`, `drive` and
 * `settle` let promises continue after every turn of the clock, and wait for file operations before time moves.
 */
export class VirtualEnvironment implements Environment {
  readonly seed: number;
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  readonly logger: Logger;
  readonly faults: FaultPlan;
  readonly freezeRecords: boolean;
  /** RxJS's scheduler on this clock. */
  readonly scheduler: SchedulerLike;
  #holds = 0;

  constructor(options: VirtualEnvironmentOptions = {}) {
    checkOptions('virtualEnvironment', options, optionNames);
    const { seed = 1, startMs = 0, order = 'fifo', logger = silentLogger, freezeRecords = true } = options;
    checkWord('order', order, ['fifo', 'shuffled']);
    checkBoolean('freezeRecords', freezeRecords);
    const random = seededRandom(seed);
    this.seed = seed;
    this.random = random.fork('environment');
    this.clock = new VirtualClock({ startMs, order: order === 'shuffled' ? random.fork('order') : undefined });
    this.logger = logger;
    this.faults = options.faults ?? faultPlan();
    this.freezeRecords = freezeRecords;
    this.scheduler = asScheduler(this.clock);
  }

  /** Advances time by `ms` and runs all work that becomes due. */
  advance(ms: number): void {
    this.clock.advance(ms);
  }

  /**
   * Runs until nothing is ready and no timer is armed.
   *
   * @throws VirtualTimeError if that is not reached within `limitMs` of virtual time.
   */
  runUntilIdle(limitMs = defaultLimitMs): void {
    const untilMs = this.clock.now() + limitMs;
    do while (this.clock.step());
    while (this.clock.skip(untilMs));
    if (this.clock.timerCount > 0) throw this.#standstill({ what: 'the clock', limitMs });
  }

  /**
   * Runs until `predicate` is true; it is called after every callback and every turn.
   *
   * @throws VirtualTimeError if no work is left, or `limitMs` of virtual time have passed.
   */
  async runUntil(predicate: () => boolean, options: DriveOptions = {}): Promise<void> {
    checkOptions('a drive', options, { what: true, limitMs: true, describe: true });
    const { clock } = this;
    const untilMs = clock.now() + (options.limitMs ?? defaultLimitMs);
    if (predicate()) return;
    for (;;) {
      while (clock.step()) {
        if (predicate()) return;
        if (clock.isBetweenTurns) break;
      }
      await nextMacrotask();
      if (predicate()) return;
      if (clock.isReady) continue;
      if (this.#holds > 0 || isFileOperationPending()) await nextMillisecond();
      else if (!clock.skip(untilMs)) throw this.#standstill(options);
    }
  }

  /** Runs until `promise` settles, and settles alike. Fails like {@link runUntil}. */
  async drive<Value>(promise: PromiseLike<Value>, options: DriveOptions = {}): Promise<Value> {
    let isSettled = false;
    const settle = (): void => {
      isSettled = true;
    };
    promise.then(settle, settle);
    await this.runUntil(() => isSettled, { ...options, what: options.what ?? 'the promise' });
    return promise;
  }

  /** Runs until no work is ready, no timer is armed and no promise continues. */
  async settle(options: DriveOptions = {}): Promise<void> {
    const { clock } = this;
    let ranCount = -1;
    await this.runUntil(
      () => {
        // Promises have run since the last check and scheduled nothing.
        const isStill = ranCount === clock.ranCount && !clock.isReady && clock.timerCount === 0;
        ranCount = clock.ranCount;
        return isStill && this.#holds === 0 && !isFileOperationPending();
      },
      { ...options, what: options.what ?? 'the clock' },
    );
  }

  /**
   * Stops time until the returned function is called, for real work that the environment cannot see, such as a worker
   * or a socket.
   */
  hold(): () => void {
    let isHeld = true;
    this.#holds++;
    return () => {
      if (isHeld) this.#holds--;
      isHeld = false;
    };
  }

  #standstill({ what = 'the awaited event', limitMs = defaultLimitMs, describe }: DriveOptions): VirtualTimeError {
    const { clock } = this;
    const nextMs = clock.nextDueMs;
    const why =
      nextMs === undefined
        ? `Virtual time is stuck at ${clock.now()} ms: no work is ready, no timer is armed, and ${what} is not done. It waits either for an event that never comes, or for real work that was not announced with \`hold()\``
        : `Virtual time reached ${clock.now()} ms and ${what} is not done within ${limitMs} ms: ${clock.timerCount} timers are armed, the next is due at ${nextMs} ms`;
    const more = describe?.();
    return new VirtualTimeError(
      `${why}. ${clock.ranCount} callbacks ran (seed ${this.seed})${more ? `\n${more}` : ''}`,
    );
  }
}

/** Creates a {@link VirtualEnvironment}. */
export function virtualEnvironment(options: VirtualEnvironmentOptions = {}): VirtualEnvironment {
  return new VirtualEnvironment(options);
}

/** Whether Node has file operations under way: real work that virtual time has to wait for. */
function isFileOperationPending(): boolean {
  return process.getActiveResourcesInfo().some((resource) => resource.startsWith('FSReq') || resource === 'CloseReq');
}
