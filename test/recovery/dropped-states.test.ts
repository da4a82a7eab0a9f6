import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Job, type JobRunOptions, listState, type StateDeclarations, valueState } from '../../src/index.ts';
import { virtualEnvironment } from '../../src/testing/index.ts';
import { tickingSource, transactionalSink, World } from '../support/abandoned-run.ts';

interface Row {
  readonly n: number;
  readonly seen: unknown;
  readonly total: number;
}

/** The forms of the state `seen`: a list, then not declared, then a value. */
const forms = {
  list: { states: { seen: listState<number>() }, note: 'add' },
  absent: { states: {}, note: undefined },
  value: { states: { seen: valueState<number>() }, note: 'set' },
} as const;

interface Opened {
  readonly total: { get(): number | undefined; set(value: number): void };
  readonly seen?: { get(): unknown } & Record<'add' | 'set', (value: number) => void>;
}

/** Of each record: the state `seen` of its key before it, and the sum of the key. */
function jobOf(world: World<Row>, form: keyof typeof forms): Job {
  const { states, note } = forms[form];
  const job = Job.create('dropped', { mode: 'streaming' });
  job
    .source('ticks', tickingSource(400), { version: 1 })
    .keyBy((n) => n % 7, { version: 1 })
    .process(
      {
        states: { total: valueState<number>(), ...states } as StateDeclarations,
        onRecord: (n: number, context, emit: (row: Row) => void) => {
          const { total, seen } = context.states as unknown as Opened;
          total.set((total.get() ?? 0) + n);
          emit({ n, seen: seen?.get(), total: total.get() as number });
          if (note !== undefined) seen?.[note](n);
        },
      },
      { uid: 'sum', version: 1 },
    )
    .sink('out', transactionalSink(world), { version: 1 });
  return job;
}

it('a state that a savepoint drops is gone: declared again, as another kind, it begins empty', async () => {
  const home = mkdtempSync(join(tmpdir(), 'dropped-states-'));
  try {
    const world = new World<Row>();
    let savepoints = 0;
    const stopped = async (form: 'list' | 'absent', options: JobRunOptions): Promise<string> => {
      const environment = virtualEnvironment();
      const run = jobOf(world, form).run({ batchSize: 8, environment, checkpoints: { intervalMs: 5 }, ...options });
      await environment.drive(
        new Promise<void>((resolve) => {
          run.events$.subscribe(({ type }) => (type === 'checkpoint.completed' ? resolve() : undefined));
        }),
      );
      return await environment.drive(run.stopWithSavepoint(join(home, `${savepoints++}`)));
    };
    const first = await stopped('list', {});
    const second = await stopped('absent', { fromSavepoint: first, allowRemovedState: true });
    const before = world.transacted.length;
    const environment = virtualEnvironment();
    const options = { batchSize: 8, environment, checkpoints: { intervalMs: 5 }, fromSavepoint: second };
    await environment.drive(jobOf(world, 'value').run(options).result);

    const rows = [...world.transacted].sort((a, b) => a.n - b.n);
    expect(rows.map(({ n }) => n)).toEqual(Array.from({ length: 400 }, (_, n) => n));
    const totals = new Map<number, number>();
    const expected = rows.map(({ n }) => {
      totals.set(n % 7, (totals.get(n % 7) ?? 0) + n);
      return totals.get(n % 7);
    });
    expect(rows.map(({ total }) => total)).toEqual(expected);
    // The first record of each key sees nothing, the others the one before.
    const last = rows.slice(before);
    expect(last.length).toBeGreaterThan(50);
    expect(last.map(({ seen }) => seen)).toEqual(last.map(({ n }, at) => (at < 7 ? undefined : n - 7)));
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});
