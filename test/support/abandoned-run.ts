import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Job, JobEvent, JobReceipt, JobRunOptions, Sink, Source } from '../../src/index.ts';
import { type VirtualEnvironment, virtualEnvironment } from '../../src/testing/index.ts';

/** A source whose reader can continue: `perMs` numbers each millisecond, up to `count`, divided over its subtasks. */
export function tickingSource(count: number, perMs = 8): Source<number> {
  return {
    name: 'ticking',
    maxParallelism: Number.POSITIVE_INFINITY,
    open({ subtask, parallelism, environment: { clock } }, _plan, from) {
      let next = (from as number | undefined) ?? subtask;
      return {
        position: () => next,
        close: () => {},
        read: () =>
          new Promise((resolve) => {
            clock.setTimeout(() => {
              if (next >= count) return resolve(null);
              const batch: number[] = [];
              for (; batch.length < perMs && next < count; next += parallelism) batch.push(next);
              resolve(batch);
            }, 1);
          }),
      };
    },
  };
}

/** What a job has outside of its process. Plain data. */
export class World<Out> {
  /** What sinks without transactions have got. */
  readonly told: Out[] = [];
  /** By subtask: the transactions of a sink with some. */
  readonly committed = new Map<number, Out[][]>();
  /** Records by the number of times that they were read. */
  readonly reads = new Map<number, number>();

  /** Notes that a record was read. */
  read(n: number): number {
    this.reads.set(n, (this.reads.get(n) ?? 0) + 1);
    return n;
  }

  get transacted(): Out[] {
    return [...this.committed.values()].flat(2);
  }

  /** As it is now. */
  copy(): World<Out> {
    const copy = new World<Out>();
    copy.told.push(...this.told);
    for (const [subtask, transactions] of this.committed) copy.committed.set(subtask, structuredClone(transactions));
    for (const [n, times] of this.reads) copy.reads.set(n, times);
    return copy;
  }
}

interface Transaction<Out> {
  readonly subtask: number;
  readonly number: number;
  readonly records: Out[];
}

/** Commits what it got up to a checkpoint once that is safe. */
export function transactionalSink<Out>(world: World<Out>): Sink<Out> {
  const commit = ({ subtask, number, records }: Transaction<Out>): void => {
    const transactions = world.committed.get(subtask) ?? [];
    transactions[number] = records;
    world.committed.set(subtask, transactions);
  };
  return {
    name: 'ledger',
    guarantee: 'exactly-once',
    commitPrepared: (prepared) => commit(prepared as Transaction<Out>),
    open({ subtask }, from) {
      let number = from === undefined ? 0 : (from as Transaction<Out>).number + 1;
      world.committed.get(subtask)?.splice(number);
      let open: Out[] = [];
      const next = (): Transaction<Out> => {
        const transaction = { subtask, number: number++, records: open };
        open = [];
        return transaction;
      };
      return {
        write: (records) => void open.push(...records),
        prepareCheckpoint: next,
        commit: () => commit(next()),
        abort: () => {},
      };
    },
  };
}

/** The observations of a process. */
export interface ProcessEnd {
  readonly receipt: JobReceipt;
  readonly events: readonly JobEvent[];
}

/** Processes that run a job on virtual time, one after the other, with one state directory. */
export class AbandonedRuns<Out> implements Disposable {
  readonly home = mkdtempSync(join(tmpdir(), 'abandoned-'));
  readonly #jobOf: (world: World<Out>) => Job;
  readonly #options: JobRunOptions;
  world = new World<Out>();
  #process = 0;

  constructor(jobOf: (world: World<Out>) => Job, options: JobRunOptions) {
    this.#jobOf = jobOf;
    this.#options = options;
  }

  get stateDirectory(): string {
    return join(this.home, `state-${this.#process}`);
  }

  /** Runs until the job ends. */
  async run(options: JobRunOptions = {}, jobOf: (world: World<Out>) => Job = this.#jobOf): Promise<ProcessEnd> {
    const environment = virtualEnvironment({ seed: this.#process });
    return await this.#drive(environment, jobOf(this.world), options);
  }

  /**
   * Runs as a process that dies after `ms`, or when `isTime` says so of an event: what comes after that happens in another
   * world, which nobody sees.
   */
  async runUntil(when: { readonly ms: number } | ((event: JobEvent) => boolean), options: JobRunOptions = {}) {
    const { world, home, stateDirectory } = this;
    const environment = virtualEnvironment({ seed: this.#process });
    const next = join(home, `state-${this.#process + 1}`);
    let left: World<Out> | undefined;
    const die = (): void => {
      if (left !== undefined) return;
      left = world.copy();
      cpSync(stateDirectory, next, { recursive: true, filter: (path) => !path.includes('owner.kintsugi') });
    };
    if (typeof when === 'object') environment.clock.setTimeout(die, when.ms);
    const end = await this.#drive(environment, this.#jobOf(world), options, (event) => {
      if (typeof when === 'function' && when(event)) die();
    });
    // It ended before.
    die();
    this.#process++;
    this.world = left as unknown as World<Out>;
    return end;
  }

  [Symbol.dispose](): void {
    rmSync(this.home, { recursive: true, force: true });
  }

  async #drive(
    environment: VirtualEnvironment,
    job: Job,
    options: JobRunOptions,
    told: (event: JobEvent) => void = () => {},
  ): Promise<ProcessEnd> {
    const { stateDirectory } = this;
    const run = job.run({ batchSize: 8, environment, stateDirectory, ...this.#options, ...options });
    const events: JobEvent[] = [];
    run.events$.subscribe((event) => {
      events.push(event);
      told(event);
    });
    const { receipt } = await environment.drive(run.result);
    return { receipt, events };
  }
}
