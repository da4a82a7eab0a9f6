import type { Clock } from '../../environment.ts';

/** Where something can go wrong with a checkpoint, in the order in which it passes them. */
export const checkpointMoments = {
  /** A savepoint is wanted. */
  ordered: 'savepoint.ordered',
  /** Its barriers start. */
  triggered: 'checkpoint.triggered',
  /** At its barrier, a source is asked for its position, */
  position: 'source.position',
  /** and a sink prepares what it got. */
  prepare: 'sink.prepareCheckpoint',
  /** The state of a task is written: it is captured, and not acknowledged yet. */
  write: 'storage.write',
  /** All tasks have acknowledged it: its manifest is written. */
  store: 'storage.commit',
  /** It is complete, and its tasks do not know yet. */
  completed: 'checkpoint.completed',
  /** A sink commits what it had prepared. */
  commit: 'sink.commitPrepared',
  failed: 'checkpoint.failed',
  /** A region is deployed with the states of one, */
  restored: 'checkpoint.restored',
  /** which its tasks read; */
  read: 'storage.read',
  /** a sink is opened where it was at one. */
  continue: 'sink.continue',
  list: 'storage.list',
  remove: 'storage.remove',
} as const;

export type CheckpointMoment = (typeof checkpointMoments)[keyof typeof checkpointMoments];

/** What befalls a whole task or its executor, at any moment. */
export type TaskStrike = 'task fails' | 'executor is lost';

/** What an operation of the storage does instead. */
export type StorageEffect = 'fails' | 'is slow' | 'never ends' | 'is torn' | 'has a bit flipped' | 'is lost';

/** What a call of a source or a sink does instead. */
export type CallEffect = 'fails' | 'declines';

export interface DrawnCheckpointFault {
  readonly moment: CheckpointMoment;
  readonly effect: TaskStrike | StorageEffect | CallEffect;
  /** How often the moment is passed before. */
  readonly skip: number;
  /** The task that is struck, or whose executor is. */
  readonly vertex: string;
  readonly subtask: number;
}

/** Timers that belong to a simulation, not to the run that it simulates. */
export class OwnTimers {
  readonly #clock: Pick<Clock, 'setTimeout'>;
  /** Number of those that are armed. */
  count = 0;

  constructor(clock: Pick<Clock, 'setTimeout'>) {
    this.#clock = clock;
  }

  after(ms: number, callback: () => void): void {
    this.count++;
    this.#clock.setTimeout(() => {
      this.count--;
      callback();
    }, ms);
  }
}

/** Counts how often each moment is passed, and says what happens there. */
export class Moments {
  #faults: readonly DrawnCheckpointFault[] = [];
  readonly #passed = new Map<CheckpointMoment, number>();
  readonly fired: DrawnCheckpointFault[] = [];
  /** Strikes the task of a fault, or its executor. */
  strike: (fault: DrawnCheckpointFault) => void = () => {};
  /** Whether nothing happens, and nothing is counted. */
  isQuiet = false;

  arm(faults: readonly DrawnCheckpointFault[]): void {
    this.#faults = faults;
  }

  /** Whether something happens at a moment. */
  mayBefall(moment: CheckpointMoment): boolean {
    return this.#faults.some((fault) => fault.moment === moment);
  }

  /** Passes a moment. @returns what the operation itself does instead, if anything */
  pass(moment: CheckpointMoment): StorageEffect | CallEffect | undefined {
    if (this.isQuiet) return undefined;
    const passed = this.#passed.get(moment) ?? 0;
    this.#passed.set(moment, passed + 1);
    let instead: StorageEffect | CallEffect | undefined;
    for (const fault of this.#faults) {
      if (fault.moment !== moment || fault.skip !== passed) continue;
      this.fired.push(fault);
      if (fault.effect === 'task fails' || fault.effect === 'executor is lost') this.strike(fault);
      else instead = fault.effect;
    }
    return instead;
  }

  /** Passes the moment of a call that may fail. */
  call(moment: CheckpointMoment): void {
    if (this.pass(moment) === 'fails') throw new Error(`${moment} failed as drawn`);
  }
}
