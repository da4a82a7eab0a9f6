import {
  explain,
  forEach,
  Job,
  type JobEvent,
  type JobRunOptions,
  listState,
  SavepointMismatchError,
  type Sink,
  StateMigrationError,
  type StateDeclarations,
  StateVersionError,
  valueState,
} from '../../src/index.ts';
import { AbandonedRuns, tickingSource, transactionalSink, World } from '../support/abandoned-run.ts';
import { Runs } from '../support/runs.ts';

const count = 400;
const checkpoints = { intervalMs: 5 };
const keyOf = (n: number): string => `k${n % 23}`;

interface Sum {
  readonly n: number;
  readonly sum: number;
}

/** The sum of a key: first a number, then with its count, then a text. */
interface Counted {
  readonly sum: number;
  /** Records since the sum has this form. */
  readonly records: number;
}

type Form = 1 | 2 | 3;

const toCounted = (stored: number): Counted => ({ sum: stored, records: 0 });
const toText = (stored: unknown, version: number): string =>
  String(version === 1 ? (stored as number) : (stored as Counted).sum);

/** What a version of the code declares, and how it adds. */
const forms = {
  1: { states: { total: valueState<number>() }, add: (old: number | undefined, n: number) => (old ?? 0) + n },
  2: {
    states: { total: valueState<Counted>({ version: 2, migrate: toCounted }) },
    add: (old: Counted | undefined, n: number) => ({ sum: (old?.sum ?? 0) + n, records: (old?.records ?? 0) + 1 }),
  },
  3: {
    states: { total: valueState<string>({ version: 3, migrate: toText }) },
    add: (old: string | undefined, n: number) => String(Number(old ?? 0) + n),
  },
};

const sumOf = (total: unknown): number =>
  typeof total === 'object' ? (total as Counted).sum : Number(total as number | string);

interface Shape {
  readonly parallelism?: number;
  readonly states?: StateDeclarations;
  /** Fails the first attempt at this record. */
  readonly failsAt?: number;
  readonly onError?: 'skip';
  /** Default: the ledger of the world. */
  readonly out?: Sink<Sum>;
}

//  ticks[0] ─▶ total[0..p] ─▶ out: one row for each record, the sum of its key so far
const jobOf = (world: World<Sum>, form: Form, shape: Shape = {}): Job => {
  const { parallelism = 2, states, failsAt, onError, out = transactionalSink(world) } = shape;
  const { add, states: own } = forms[form];
  let mayFail = true;
  const job = Job.create('sums', { mode: 'streaming', parallelism });
  job
    .source('ticks', tickingSource(count), { version: 1, parallelism: 1 })
    .keyBy(keyOf, { version: 1 })
    .process(
      {
        states: (states ?? own) as StateDeclarations,
        onRecord: (n: number, context, emit: (row: Sum) => void) => {
          const { total } = context.states as { total: { get(): never; set(total: unknown): void } };
          if (n === failsAt && mayFail) {
            mayFail = false;
            throw new Error('broken once');
          }
          const next = (add as (old: unknown, n: number) => unknown)(total.get(), n);
          total.set(next);
          emit({ n, sum: sumOf(next) });
        },
      },
      { uid: 'total', version: 1, onError },
    )
    .sink('out', out, { version: 1 });
  return job;
};

const expected = ((): readonly Sum[] => {
  const sums = new Map<string, number>();
  return Array.from({ length: count }, (_, n) => {
    const sum = (sums.get(keyOf(n)) ?? 0) + n;
    sums.set(keyOf(n), sum);
    return { n, sum };
  });
})();

const sorted = (rows: readonly Sum[]): Sum[] => [...rows].sort((a, b) => a.n - b.n);

const failureOf = async (promise: Promise<unknown>): Promise<Error> =>
  await promise.then(
    () => new Error('It did not fail'),
    (error: unknown) => error as Error,
  );

/** Runs on virtual time that share a directory and a world. */
class MigratedRuns extends Runs {
  readonly world = new World<Sum>();
  #savepoints = 0;

  /** Runs for some ms, and stops with a savepoint. */
  async stopped(job: Job, options: JobRunOptions = {}): Promise<string> {
    const run = this.start(job, options);
    await this.wait(12);
    return await this.until(run.stopWithSavepoint(this.path(`savepoint-${this.#savepoints++}`)));
  }
}

describe('states of a savepoint', () => {
  it.each<[forms: readonly Form[], parallelisms: readonly number[]]>([
    [
      [1, 2],
      [2, 2],
    ],
    [
      [1, 2],
      [2, 3],
    ],
    [
      [1, 3],
      [3, 1],
    ],
    [
      [1, 2, 3],
      [2, 2, 2],
    ],
    [
      [1, 2, 3],
      [1, 3, 2],
    ],
  ])('of versions %j at parallelism %j: every sum goes on', async (versions, parallelisms) => {
    using runs = new MigratedRuns();
    let fromSavepoint: string | undefined;
    const rows: Sum[] = [];
    for (const [index, form] of versions.entries()) {
      const out = forEach<Sum>((row) => void rows.push(row));
      const job = jobOf(runs.world, form, { parallelism: parallelisms[index] as number, out });
      if (index < versions.length - 1) fromSavepoint = await runs.stopped(job, { fromSavepoint });
      else await runs.until(runs.start(job, { fromSavepoint }).result);
    }
    expect(sorted(rows)).toEqual(expected);
  });

  it('are migrated again by a task that restarts, from a checkpoint with values of both versions', async () => {
    using runs = new MigratedRuns();
    const fromSavepoint = await runs.stopped(jobOf(runs.world, 1));
    const migrated: number[] = [];
    const states = {
      total: valueState<Counted>({
        version: 2,
        migrate: (stored: number) => {
          migrated.push(stored);
          return toCounted(stored);
        },
      }),
    };
    const run = runs.start(jobOf(runs.world, 2, { states, failsAt: 300 }), { fromSavepoint });
    const events: JobEvent[] = [];
    run.events$.subscribe((event) => events.push(event));
    await runs.until(run.result);
    expect(events.filter(({ type }) => type === 'checkpoint.restored').length).toBeGreaterThan(0);
    expect(sorted(runs.world.transacted)).toEqual(expected);
    // Those that a checkpoint had taken over are not migrated again.
    expect(migrated.length).toBeGreaterThanOrEqual(23);
    expect(migrated.length).toBeLessThan(2 * 23);
  });

  const refusals: readonly {
    readonly what: string;
    readonly before: Form;
    readonly states: StateDeclarations;
    readonly message: RegExp;
  }[] = [
    {
      what: 'of a lower version without `migrate`',
      before: 1,
      states: { total: valueState({ version: 2 }) },
      message:
        /"total" had version 1, and has version 2 without `migrate`\. Give it `migrate`, or give the state another name/,
    },
    {
      what: 'of a higher version',
      before: 2,
      states: { total: valueState() },
      message: /"total" had version 2, and has version 1\. Run the code that declares version 2 or a later one/,
    },
    {
      what: 'of a higher version than one that migrates',
      before: 3,
      states: { total: valueState({ version: 2, migrate: () => 1 }) },
      message: /"total" had version 3, and has version 2\./,
    },
    {
      what: 'of another kind',
      before: 1,
      states: { total: listState() },
      message: /its state "total" was a value state, and is a list state\. Give the state another name/,
    },
    {
      what: 'of another kind and version',
      before: 2,
      states: { total: listState({ version: 3, migrate: () => 1 }) },
      message: /its state "total" was a value state, and is a list state\. Give the state another name/,
    },
  ];

  it.each(refusals)('$what are refused before anything runs, by uid and name', async ({ before, states, message }) => {
    using runs = new MigratedRuns();
    const fromSavepoint = await runs.stopped(jobOf(runs.world, before));
    const written = runs.world.transacted.length;
    const job = (): Job => jobOf(runs.world, before, { states });
    const error = await failureOf(runs.until(runs.start(job(), { fromSavepoint }).result));
    expect(error.cause).toBeInstanceOf(SavepointMismatchError);
    expect((error.cause as SavepointMismatchError).uid).toBe('total');
    expect(error.message).toMatch(message);
    expect(runs.world.transacted.length).toBe(written);
    const { savepoint } = await explain(job(), { fromSavepoint, checkpoints });
    expect(savepoint.refusal?.message).toMatch(message);
  });

  it('that cannot be migrated fail the job at once, with operator, state, key and cause', async () => {
    using runs = new MigratedRuns();
    const fromSavepoint = await runs.stopped(jobOf(runs.world, 1));
    const migrate = (): Counted => {
      throw new TypeError('no sum');
    };
    const states = { total: valueState<Counted>({ version: 2, migrate }) };
    const run = runs.start(jobOf(runs.world, 2, { states }), { fromSavepoint });
    const error = await failureOf(runs.until(run.result));
    expect(error.cause).toBeInstanceOf(StateMigrationError);
    expect(error.message).toMatch(
      /State "total" of "total" cannot be migrated from version 1 to 2 at key "k\d+": no sum/,
    );
  });

  it('that cannot be migrated are no fault of a record, which `onError` would pass over', async () => {
    using runs = new MigratedRuns();
    const skips = { onError: 'skip' } as const;
    const fromSavepoint = await runs.stopped(jobOf(runs.world, 1, skips));
    const migrate = (): Counted => {
      throw new TypeError('no sum');
    };
    const states = { total: valueState<Counted>({ version: 2, migrate }) };
    const error = await failureOf(
      runs.until(runs.start(jobOf(runs.world, 2, { states, ...skips }), { fromSavepoint }).result),
    );
    expect(error.cause).toBeInstanceOf(StateMigrationError);
  });
});

describe('states of a run whose process has died', () => {
  const dead = async (form: Form): Promise<AbandonedRuns<Sum>> => {
    const runs = new AbandonedRuns<Sum>((world) => jobOf(world, form), { checkpoints });
    await runs.runUntil({ ms: 23 });
    return runs;
  };

  it('go on in another version: neither it nor `migrate` begins the component anew', async () => {
    using runs = await dead(1);
    const { receipt } = await runs.run({ resume: 'require' }, (world) => jobOf(world, 2));
    expect(receipt.checkpoints?.restored).toBeGreaterThan(0);
    expect(sorted(runs.world.transacted)).toEqual(expected);
  });

  it.each<[Form, StateDeclarations, RegExp]>([
    [
      1,
      { total: valueState({ version: 2 }) },
      /values of version 1, and the job declares version 2\. Give it `migrate`/,
    ],
    [
      2,
      { total: valueState() },
      /values of version 2, and the job declares version 1\. Run the code that declares version 2/,
    ],
  ])('of version %i that it cannot read fail it, by operator and state', async (form, states, message) => {
    using runs = await dead(form);
    const error = await failureOf(runs.run({}, (world) => jobOf(world, form, { states })));
    expect(error.cause).toBeInstanceOf(StateVersionError);
    expect(error.message).toMatch(message);
    // The right version continues from the same checkpoint.
    await runs.run({}, (world) => jobOf(world, form));
    expect(sorted(runs.world.transacted)).toEqual(expected);
  });
});
