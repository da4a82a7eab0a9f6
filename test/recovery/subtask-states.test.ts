import {
  broadcastState,
  type DataStream,
  explain,
  InvalidArgumentError,
  Job,
  listState,
  SavepointMismatchError,
  toJsonLinesFile,
  unionListState,
  valueState,
} from '../../src/index.ts';
import { insideOf } from '../../src/run/run-inside.ts';
import { seededRandom } from '../../src/testing/index.ts';
import { tickingSource } from '../support/abandoned-run.ts';
import { failureOf, Runs } from '../support/runs.ts';

const checkpoints = { intervalMs: 5 };
const count = 240;

const ticks = (job: Job, most = count): DataStream<number> =>
  job.source('ticks', tickingSource(most), { version: 1, parallelism: 1 });

type Row = { readonly batch: readonly number[] } | { readonly all: readonly number[] };

/** Batches of five, and at the end what each subtask knows of all records. */
const jobOf = (runs: Runs, parallelism: number): Job => {
  const job = Job.create('batches', { mode: 'streaming', parallelism });
  ticks(job)
    .process(
      {
        states: { batch: listState<number>(), all: unionListState<number>() },
        onRecord: (n, { states: { batch, all } }, emit: (row: Row) => void) => {
          batch.add(n);
          all.add(n);
          if (batch.get().length < 5) return;
          emit({ batch: [...batch.get()] });
          batch.clear();
        },
        onEnd: ({ states: { batch, all } }, emit) => {
          emit({ batch: [...batch.get()] });
          emit({ all: [...all.get()] });
        },
      },
      { uid: 'hold', version: 1, parallelism },
    )
    .sink('out', toJsonLinesFile(runs.path('out/rows.jsonl')), { version: 1 });
  return job;
};

describe('states of subtasks', () => {
  it.each(Array.from({ length: 10 }, (_, seed) => seed))(
    'are as plain lists, through failures and savepoints at any parallelism (seed %i)',
    async (seed) => {
      const random = seededRandom(seed);
      using runs = new Runs();
      const parallelisms: number[] = [];
      let fromSavepoint: string | undefined;
      for (let stops = random.integer(0, 2); stops >= 0; stops--) {
        const parallelism = random.integer(1, 4);
        parallelisms.push(parallelism);
        const run = runs.start(jobOf(runs, parallelism), { fromSavepoint });
        if (random.integer(0, 1) === 1) {
          const { shape, controls } = insideOf(run);
          runs.environment.clock.setTimeout(
            () =>
              run.status === 'running' &&
              controls.failTask(shape.graph.vertexAt(shape.graph.jobGraph.vertices.length - 1, 0)),
            random.integer(3, 12),
          );
        }
        if (stops === 0) await runs.until(run.result);
        else {
          await runs.wait(random.integer(3, 10));
          while (fromSavepoint !== runs.path(`${stops}`)) {
            fromSavepoint = await runs.until(run.stopWithSavepoint(runs.path(`${stops}`)).catch(() => undefined));
            if (fromSavepoint === undefined) await runs.wait(20);
          }
        }
      }
      const rows = runs.rows<Row>();
      const batched = rows.flatMap((row) => ('batch' in row ? row.batch : []));
      expect([...batched].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, n) => n));
      // Of all that was read by one run, each subtask of the next one begins with everything.
      const known = new Map<number, number>();
      for (const n of rows.flatMap((row) => ('all' in row ? row.all : []))) known.set(n, (known.get(n) ?? 0) + 1);
      const products = parallelisms.map((_, run) => parallelisms.slice(run + 1).reduce((all, p) => all * p, 1));
      let run = 0;
      for (let n = 0; n < count; n++) {
        while (run < products.length - 1 && known.get(n) !== products[run]) run++;
        expect(known.get(n)).toBe(products[run]);
      }
    },
  );

  it('a union list is that of all subtasks with each savepoint, also at the same parallelism', async () => {
    using runs = new Runs();
    const run = runs.start(jobOf(runs, 2));
    await runs.wait(12);
    const fromSavepoint = await runs.until(run.stopWithSavepoint(runs.path('savepoint')));
    await runs.until(runs.start(jobOf(runs, 2), { fromSavepoint }).result);
    const known = runs.rows<Row>().flatMap((row) => ('all' in row ? [row.all] : []));
    expect(known).toHaveLength(2);
    for (const all of known) expect(all).toEqual(expect.arrayContaining([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
  });

  it('a list is divided evenly, in its order', async () => {
    using runs = new Runs();
    const sizesOf = (parallelism: number, most: number): Job => {
      const job = Job.create('sizes', { mode: 'streaming', parallelism });
      ticks(job, most)
        .process(
          {
            states: { held: listState<number>() },
            onRecord: (n, { states }) => states.held.add(n),
            onEnd: ({ states }, emit: (held: { held: readonly number[] }) => void) =>
              emit({ held: [...states.held.get()] }),
          },
          { uid: 'held', version: 1, parallelism },
        )
        .sink('out', toJsonLinesFile(runs.path('out/rows.jsonl')), { version: 1 });
      return job;
    };
    const run = runs.start(sizesOf(1, 100_000));
    await runs.wait(12);
    const fromSavepoint = await runs.until(run.stopWithSavepoint(runs.path('savepoint')));
    // Its source has nothing more for the next run.
    await runs.until(runs.start(sizesOf(3, 0), { fromSavepoint }).result);
    const held = runs
      .rows<{ held: number[] }>()
      .map((row) => row.held)
      .sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
    expect(held).toHaveLength(3);
    const sizes = held.map(({ length }) => length);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    expect(held.flat()).toEqual(Array.from({ length: held.flat().length }, (_, n) => n));
    expect(held.flat().length).toBeGreaterThan(8);
  });

  it.each([
    [1, 3],
    [3, 2],
    [2, 2],
  ])('rules that are broadcast are known to every subtask, at parallelism %i → %i', async (before, now) => {
    using runs = new Runs();
    const rulesOf = (parallelism: number): Job => {
      const job = Job.create('rules', { mode: 'streaming', parallelism });
      const rules = job
        .source('rules', tickingSource(10), { version: 1, parallelism: 1 })
        .map((n) => ({ kind: 'rule' as const, name: `r${n}`, factor: n }), { uid: 'rule', parallelism: 1 })
        .broadcast();
      ticks(job)
        .map((n) => ({ kind: 'order' as const, n }), { uid: 'order', parallelism: 1 })
        .rebalance()
        .union(rules)
        .process(
          {
            states: { rules: broadcastState<string, number>() },
            onRecord: (record, { states }, emit: (row: { n: number; sum: number }) => void) => {
              if (record.kind === 'rule') return states.rules.set(record.name, record.factor);
              const sum = states.rules.entries().reduce((all, [, factor]) => all + factor, 0);
              emit({ n: record.n, sum });
            },
          },
          { uid: 'rated', version: 1, parallelism },
        )
        .sink('out', toJsonLinesFile(runs.path('out/rows.jsonl')), { version: 1 });
      return job;
    };
    const run = runs.start(rulesOf(before));
    await runs.wait(15);
    const fromSavepoint = await runs.until(run.stopWithSavepoint(runs.path('savepoint')));
    const earlier = runs.rows<{ n: number }>().length;
    expect(earlier).toBeLessThan(count);
    const { savepoint } = await explain(rulesOf(now), { checkpoints, fromSavepoint });
    expect(savepoint.restored).toContainEqual({ uid: 'rated', restores: 'subtask states', before, now });
    await runs.until(runs.start(rulesOf(now), { fromSavepoint }).result);
    const rows = runs.rows<{ n: number; sum: number }>().sort((a, b) => a.n - b.n);
    expect(rows.map(({ n }) => n)).toEqual(Array.from({ length: count }, (_, n) => n));
    expect(new Set(rows.slice(earlier).map(({ sum }) => sum))).toEqual(new Set([45]));
  });

  it('of an earlier version are migrated, also those that another subtask has migrated already', async () => {
    using runs = new Runs();
    const firstOf = (): Job => {
      const job = Job.create('versions', { mode: 'streaming', parallelism: 2 });
      ticks(job, 100_000)
        .process(
          { states: { held: listState<number>() }, onRecord: (n, { states }) => states.held.add(n) },
          { uid: 'held', version: 1, parallelism: 2 },
        )
        .sink('out', toJsonLinesFile(runs.path('out/rows.jsonl')), { version: 1 });
      return job;
    };
    let isUsed = false;
    const nextOf = (parallelism: number, most: number): Job => {
      const job = Job.create('versions', { mode: 'streaming', parallelism });
      const held = listState<{ n: number }>({ version: 2, migrate: (n) => ({ n: n as number }) });
      ticks(job, most)
        .process(
          {
            states: { held },
            // Only one subtask uses its state.
            onRecord: (n, { states }) => {
              if (!isUsed) states.held.add({ n });
              isUsed = true;
            },
            onEnd: ({ states }, emit: (held: { held: readonly { n: number }[] }) => void) =>
              emit({ held: [...states.held.get()] }),
          },
          { uid: 'held', version: 1, parallelism },
        )
        .sink('out', toJsonLinesFile(runs.path('out/rows.jsonl')), { version: 1 });
      return job;
    };
    const first = runs.start(firstOf());
    await runs.wait(12);
    const one = await runs.until(first.stopWithSavepoint(runs.path('one')));
    const next = runs.start(nextOf(2, 100_000), { fromSavepoint: one });
    await runs.wait(12);
    const two = await runs.until(next.stopWithSavepoint(runs.path('two')));
    expect(isUsed).toBe(true);
    await runs.until(runs.start(nextOf(3, 0), { fromSavepoint: two }).result);
    const held = runs.rows<{ held: { n: number }[] }>().flatMap((row) => row.held);
    expect(held.map(({ n }) => n).sort((a, b) => a - b)).toEqual(Array.from({ length: held.length }, (_, n) => n));
    expect(held.length).toBeGreaterThan(8);
  });

  it('go on where a run was drained, as `onEnd` left them', async () => {
    using runs = new Runs();
    const run = runs.start(jobOf(runs, 2));
    await runs.wait(12);
    const fromSavepoint = await runs.until(run.stopWithSavepoint(runs.path('savepoint'), { drain: true }));
    const ended = runs.rows<Row>().flatMap((row) => ('all' in row ? row.all : []));
    await runs.until(runs.start(jobOf(runs, 3), { fromSavepoint }).result);
    const known = runs.rows<Row>().flatMap((row) => ('all' in row ? row.all : []));
    expect(known).toHaveLength(ended.length + 3 * ended.length + (count - ended.length));
  });

  it('are not states of keys: a list of a subtask is refused as one of a key, by name', async () => {
    using runs = new Runs();
    const run = runs.start(jobOf(runs, 2));
    await runs.wait(12);
    const fromSavepoint = await runs.until(run.stopWithSavepoint(runs.path('savepoint')));
    const keyed = Job.create('batches', { mode: 'streaming', parallelism: 2 });
    ticks(keyed)
      .keyBy((n) => n % 3)
      .process(
        { states: { batch: listState<number>() }, onRecord: (n, { states }) => states.batch.add(n) },
        { uid: 'hold' },
      )
      .sink('out', toJsonLinesFile(runs.path('out/rows.jsonl')), { version: 1 });
    const options = { fromSavepoint, allowRemovedState: true };
    const { cause } = await failureOf(runs.until(runs.start(keyed, options).result));
    expect(cause).toBeInstanceOf(SavepointMismatchError);
    expect((cause as Error).message).toMatch(/"hold".*state "batch" was a split list state, and is a list state/);
  });

  it.each<[string, unknown, RegExp]>([
    [
      'a state of keys',
      { states: { last: valueState() } },
      /states\.last of process.*other states belong to a key: put keyBy/,
    ],
    [
      'a time to live',
      { states: { all: listState({ ttlMs: 5 }) } },
      /ttlMs of states\.all of process.*only states of a key/,
    ],
    ['no states', {}, /states of process.*an object with the states of each subtask/],
    ['a timer', { states: {}, onTimer: () => {} }, /onTimer of process/],
    ['what is no state', { states: { all: [] } }, /states\.all of process/],
  ])('refuse %s', (_, process, message) => {
    const build = (): unknown =>
      ticks(Job.create('refused')).process({ onRecord: () => {}, ...(process as object) } as never);
    expect(build).toThrow(InvalidArgumentError);
    expect(build).toThrow(message);
  });

  it.each([
    ['unionListState', unionListState()],
    ['broadcastState', broadcastState()],
  ])('%s is refused behind keyBy', (_, state) => {
    const stream = ticks(Job.create('refused')).keyBy((n) => n);
    const build = (): unknown => stream.process({ states: { state }, onRecord: () => {} });
    expect(build).toThrow(/states\.state of process.*valueState\(\), listState\(\)/);
  });
});
