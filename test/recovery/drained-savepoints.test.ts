import { cpSync, existsSync } from 'node:fs';
import {
  collect,
  type Exchange,
  explain,
  InvalidArgumentError,
  Job,
  JobCanceledError,
  type JobEvent,
  type JobRun,
  type JobRunOptions,
  SavepointFailedError,
  type Sink,
  valueState,
} from '../../src/index.ts';
import { seededRandom, type VirtualEnvironment } from '../../src/testing/index.ts';
import { insideOf } from '../../src/run/run-inside.ts';
import { tickingSource, transactionalSink, World } from '../support/abandoned-run.ts';
import { eventsOf, failureOf, Runs } from '../support/runs.ts';
import {
  checkpoints,
  count,
  expected,
  type Fold,
  foldsOf,
  recordsIn,
  type Shape,
  totals,
} from '../support/drained-runs.ts';

describe('a job that is stopped with a savepoint and drained', () => {
  it.each<Exchange>(['pipelined', 'memory', 'reliable'])(
    'over %s: TB2 its final results come before the savepoint, and the run ends as finished',
    async (exchange) => {
      using runs = new Runs();
      const world = new World<Fold>();
      const run = runs.start(foldsOf(transactionalSink(world), { exchange }));
      await runs.wait(12);
      expect(world.transacted).toEqual([]);
      const path = await runs.until(run.stopWithSavepoint(runs.path('savepoint'), { drain: true }));
      expect(path).toBe(runs.path('savepoint'));
      await runs.until(run.result);
      expect(run.status).toBe('finished');
      const read = recordsIn(world.transacted);
      expect(read).toBeGreaterThan(0);
      expect(read).toBeLessThan(count);
      expect(totals(world.transacted)).toEqual(expected(read));
    },
  );

  it('has nothing final without `drain`', async () => {
    using runs = new Runs();
    const world = new World<Fold>();
    const run = runs.start(foldsOf(transactionalSink(world)));
    await runs.wait(12);
    const fromSavepoint = await runs.until(run.stopWithSavepoint(runs.path('savepoint')));
    expect(await failureOf(run.result)).toBeInstanceOf(JobCanceledError);
    expect(world.transacted).toEqual([]);
    await runs.until(runs.start(foldsOf(transactionalSink(world)), { fromSavepoint }).result);
    expect(totals(world.transacted)).toEqual(expected());
    expect(world.transacted).toHaveLength(23);
  });

  it.each([
    [2, 2],
    [2, 3],
    [3, 1],
  ])('continues at parallelism %i → %i: folds begin anew, so each record is in one result', async (before, now) => {
    using runs = new Runs();
    const [first, second] = [new World<Fold>(), new World<Fold>()];
    const run = runs.start(foldsOf(transactionalSink(first), { parallelism: before }));
    await runs.wait(12);
    const fromSavepoint = await runs.until(run.stopWithSavepoint(runs.path('savepoint'), { drain: true }));
    const read = recordsIn(first.transacted);
    // The ledger of the first is committed: what it had prepared is committed again, which changes nothing.
    const out = { ...transactionalSink(second), redistribute: () => [], commitPrepared: () => {} };
    await runs.until(runs.start(foldsOf(out, { parallelism: now }), { fromSavepoint }).result);
    expect(recordsIn(second.transacted)).toBe(count - read);
    expect(totals([...first.transacted, ...second.transacted])).toEqual(expected());
  });

  it('keeps the states that the end does not touch, and drops those that it handed on', async () => {
    using runs = new Runs();
    const told: string[] = [];
    const jobOf = (): Job => {
      const job = Job.create('mixed', { mode: 'streaming' });
      const ticks = job.source('ticks', tickingSource(count), { version: 1, parallelism: 1 }).keyBy(() => 'all');
      ticks
        .reduce((sum, n) => sum + n, { uid: 'running', emit: 'updates' })
        .map((sum) => `running ${sum}`)
        .sink('running out', collectInto(told));
      ticks
        .process(
          {
            states: { seen: valueState<number>() },
            onRecord: (_, { states }, emit: (out: string) => void) => {
              const seenNow = (states.seen.get() ?? 0) + 1;
              states.seen.set(seenNow);
              emit(`seen ${seenNow}`);
            },
          },
          { uid: 'seen' },
        )
        .sink('seen out', collectInto(told));
      ticks
        .process<number, string>(
          {
            onRecord: (_, context) => context.set((context.get() ?? 0) + 1),
            onEnd: (context, emit) => emit(`ended ${context.get()}`),
          },
          { uid: 'ended' },
        )
        .sink('ended out', collectInto(told));
      return job;
    };
    const of = (what: string): number[] =>
      told.filter((one) => one.startsWith(what)).map((one) => Number(one.slice(what.length + 1)));
    const run = runs.start(jobOf());
    await runs.wait(12);
    const fromSavepoint = await runs.until(run.stopWithSavepoint(runs.path('savepoint'), { drain: true }));
    const read = of('seen').length;
    expect(of('ended')).toEqual([read]);
    await runs.until(runs.start(jobOf(), { fromSavepoint }).result);
    expect(of('seen')).toEqual(Array.from({ length: count }, (_, n) => n + 1));
    expect(of('running').at(-1)).toBe((count * (count - 1)) / 2);
    expect(of('ended')).toEqual([read, count - read]);
  });

  it('is explained as one', async () => {
    using runs = new Runs();
    const run = runs.start(foldsOf(transactionalSink(new World<Fold>())));
    await runs.wait(12);
    const fromSavepoint = await runs.until(run.stopWithSavepoint(runs.path('savepoint'), { drain: true }));
    const { savepoint } = await explain(foldsOf(transactionalSink(new World<Fold>())), { checkpoints, fromSavepoint });
    expect(savepoint.isDrained).toBe(true);
    expect(savepoint.toString()).toContain('was drained: what it handed on at its end begins anew');
  });

  it('has the results of `collect`', async () => {
    using runs = new Runs();
    const rows = collect<Fold>();
    const run = runs.start(foldsOf(rows));
    await runs.wait(12);
    await runs.until(run.stopWithSavepoint(runs.path('savepoint'), { drain: true }));
    await runs.until(run.result);
    expect(totals(rows.records)).toEqual(expected(recordsIn(rows.records)));
  });

  it('and a state directory: the job has finished, and the same call does nothing', async () => {
    using runs = new Runs();
    const world = new World<Fold>();
    const options = { stateDirectory: runs.path('state') };
    const run = runs.start(foldsOf(transactionalSink(world)), options);
    await runs.wait(12);
    await runs.until(run.stopWithSavepoint(runs.path('savepoint'), { drain: true }));
    const before = world.transacted.length;
    expect(before).toBeGreaterThan(0);
    const { receipt } = await runs.until(runs.start(foldsOf(transactionalSink(world)), options).result);
    expect(receipt.toString()).toContain('nothing has changed since');
    expect(world.transacted).toHaveLength(before);
  });

  it('refuses what is no option', async () => {
    using runs = new Runs();
    const run = runs.start(foldsOf(transactionalSink(new World<Fold>())));
    for (const options of [{ drian: true }, { drain: 'yes' }, undefined, null]) {
      const stopping = run.stopWithSavepoint('', options as never);
      expect(await failureOf(runs.until(stopping))).toBeInstanceOf(InvalidArgumentError);
    }
    await runs.until(run.stop());
  });
});

/** Adds records to a list, in order. */
function collectInto(told: string[]): Sink<string> {
  return {
    name: 'told',
    guarantee: 'at-least-once',
    redo: 'repeats',
    open: () => ({ write: (records) => void told.push(...records), commit: () => {}, abort: () => {} }),
  };
}

/** Whose calls take some virtual ms, drawn. */
const slowed = (sink: Sink<Fold>, environment: () => VirtualEnvironment, delayMs: () => number): Sink<Fold> => ({
  ...sink,
  async open(context, from) {
    const writer = await sink.open(context, from);
    const wait = (): Promise<void> => new Promise((resolve) => void environment().clock.setTimeout(resolve, delayMs()));
    return {
      ...writer,
      prepareCheckpoint: async (at) => {
        const prepared = writer.prepareCheckpoint?.(at);
        await wait();
        return prepared;
      },
      commit: async () => {
        await wait();
        await writer.commit();
      },
    };
  },
});

/** Runs that are drained, while tasks are killed. */
class Drain {
  readonly world = new World<Fold>();
  readonly run: JobRun;
  readonly events: JobEvent[];
  readonly #runs: Runs;

  constructor(runs: Runs, shape: Shape, delayMs: () => number, options?: JobRunOptions) {
    this.#runs = runs;
    const out = slowed(transactionalSink(this.world), () => runs.environment, delayMs);
    this.run = runs.start(foldsOf(out, shape), options);
    this.events = eventsOf(this.run);
  }

  kill(uid: string): void {
    const { shape, controls } = insideOf(this.run);
    const index = shape.graph.jobGraph.vertices.findIndex(({ id }) => id === uid);
    if (this.run.status === 'running') controls.failTask(shape.graph.vertexAt(index, 0));
  }

  /** Kills a task at the first event that is the one. */
  killAt(isIt: (event: JobEvent) => boolean, uid: string): void {
    const watching = this.run.events$.subscribe((event) => {
      if (!isIt(event)) return;
      watching.unsubscribe();
      this.#runs.environment.clock.setImmediate(() => this.kill(uid));
    });
  }

  /** Whether the savepoint was taken. Every record is in one committed result, whatever has happened. */
  async end(): Promise<boolean> {
    const directory = this.#runs.path('savepoint');
    const stopping = this.run.stopWithSavepoint(directory, { drain: true });
    const failure = await this.#runs.until(
      stopping.then(
        () => undefined,
        (error: unknown) => error,
      ),
    );
    await this.#runs.until(this.run.result);
    const rows = this.world.transacted;
    expect(totals(rows)).toEqual(expected(recordsIn(rows)));
    expect(existsSync(directory)).toBe(failure === undefined);
    if (failure === undefined) return true;
    expect(failure).toBeInstanceOf(SavepointFailedError);
    expect(recordsIn(rows)).toBe(count);
    return false;
  }
}

describe('a drain during which something fails', () => {
  const ofSavepoint = (type: 'checkpoint.triggered' | 'checkpoint.completed') => (event: JobEvent) =>
    event.type === type && event.kind === 'savepoint';

  it.each<Exchange>(['pipelined', 'reliable'])(
    'over %s: TB2 if it is not complete, what was drained restarts, and the run goes on',
    async (exchange) => {
      using runs = new Runs();
      // The sink takes long, so everything before it is drained when it is killed.
      const drain = new Drain(runs, { exchange }, () => 5);
      await runs.wait(12);
      drain.run.events$.subscribe((event) => {
        if (ofSavepoint('checkpoint.triggered')(event)) runs.environment.clock.setTimeout(() => drain.kill('fold'), 3);
      });
      expect(await drain.end()).toBe(false);
      // At once, and not because some later checkpoint waits for them in vain.
      expect(runs.environment.clock.now()).toBeLessThan(60_000);
      const restored = drain.events.flatMap((event) => (event.type === 'checkpoint.restored' ? [event.region] : []));
      expect(new Set(restored).size).toBe(insideOf(drain.run).shape.regions.count);
    },
  );

  it.each<[Exchange, string]>([
    ['pipelined', 'fold'],
    ['reliable', 'fold'],
    ['reliable', 'ticks'],
  ])('over %s: once it is complete, a task that restarts (%s) only finishes', async (exchange, uid) => {
    using runs = new Runs();
    const drain = new Drain(runs, { exchange }, () => 2);
    await runs.wait(12);
    drain.killAt(ofSavepoint('checkpoint.completed'), uid);
    expect(await drain.end()).toBe(true);
    const restored = drain.events.findLastIndex(({ type }) => type === 'checkpoint.restored');
    expect(restored).toBeGreaterThan(drain.events.findIndex(ofSavepoint('checkpoint.completed')));
    expect(recordsIn(drain.world.transacted)).toBeLessThan(count);
  });

  it.each(Array.from({ length: 16 }, (_, seed) => seed))(
    'at any instant, at any task: every record is in one committed result (seed %i)',
    async (seed) => {
      const random = seededRandom(seed);
      using runs = new Runs();
      const exchange = random.pick<Exchange>(['pipelined', 'memory', 'reliable']);
      const shape = { exchange, parallelism: random.integer(1, 3) };
      const drain = new Drain(runs, shape, () => random.integer(0, 3));
      await runs.wait(random.integer(8, 16));
      for (let kills = random.integer(1, 2); kills > 0; kills--) {
        const uid = random.pick(['ticks', 'fold']);
        runs.environment.clock.setTimeout(() => drain.kill(uid), random.integer(0, 12));
      }
      await drain.end();
    },
  );

  it.each(Array.from({ length: 8 }, (_, seed) => seed))(
    'at any instant the process dies: the same call continues, and every record is in one committed result (seed %i)',
    async (seed) => {
      const random = seededRandom(seed);
      using runs = new Runs();
      const shape = { exchange: random.pick<Exchange>(['pipelined', 'reliable']) };
      const options = { stateDirectory: runs.path('state') };
      const drain = new Drain(runs, shape, () => random.integer(0, 3), options);
      await runs.wait(random.integer(8, 16));
      let left = drain.world;
      const died = new Promise<void>((resolve) => {
        runs.environment.clock.setTimeout(
          () => {
            left = drain.world.copy();
            const filter = (path: string): boolean => !path.includes('owner.kintsugi');
            cpSync(runs.path('state'), runs.path('left'), { recursive: true, filter });
            resolve();
          },
          random.integer(0, 14),
        );
      });
      expect(await drain.end()).toBe(true);
      await runs.until(died);
      const again = runs.start(foldsOf(transactionalSink(left), shape), { stateDirectory: runs.path('left') });
      await runs.until(again.result);
      expect(totals(left.transacted)).toEqual(expected(recordsIn(left.transacted)));
      // Drained before it died, or not at all.
      expect([recordsIn(drain.world.transacted), count]).toContain(recordsIn(left.transacted));
    },
  );

  it('JC4: tasks that only finish are in no other savepoint, which would not know where to read on: in this process and the next', async () => {
    using runs = new Runs();
    const [shape, options] = [{ exchange: 'pipelined' } as const, { stateDirectory: runs.path('state') }];
    const drain = new Drain(runs, shape, () => 3, options);
    let left = drain.world;
    let second: Promise<Error> | undefined;
    drain.run.events$.subscribe((event) => {
      if (event.type !== 'checkpoint.completed' || event.kind !== 'savepoint') return;
      left = drain.world.copy();
      const filter = (path: string): boolean => !path.includes('owner.kintsugi');
      cpSync(runs.path('state'), runs.path('left'), { recursive: true, filter });
      second = failureOf(drain.run.savepoint(runs.path('second')));
    });
    await runs.wait(12);
    expect(await drain.end()).toBe(true);
    const refused = { code: 'SAVEPOINT_FAILED', reason: 'stopped' };
    expect(await second).toMatchObject(refused);
    const again = runs.start(foldsOf(transactionalSink(left), shape), { stateDirectory: runs.path('left') });
    expect(await runs.until(failureOf(again.savepoint(runs.path('third'))))).toMatchObject(refused);
    await runs.until(again.result);
    expect(['second', 'third'].filter((name) => existsSync(runs.path(name)))).toEqual([]);
    expect(recordsIn(left.transacted)).toBe(recordsIn(drain.world.transacted));
  });

  it('together with another component: neither ends unless both can', async () => {
    using runs = new Runs();
    const [world, other] = [new World<Fold>(), new World<number>()];
    const job = foldsOf(transactionalSink(world));
    const failing: Sink<number> = {
      ...transactionalSink(other),
      async open(context, from) {
        const writer = await transactionalSink(other).open(context, from);
        let fails = true;
        return {
          ...writer,
          prepareCheckpoint: (at) => {
            const isOfSavepoint = at?.isSavepoint === true && fails;
            fails &&= !isOfSavepoint;
            if (isOfSavepoint) throw new Error('disk full');
            return writer.prepareCheckpoint?.(at);
          },
        };
      },
    };
    job.source('others', tickingSource(count), { version: 1, parallelism: 1 }).sink('other', failing, { version: 1 });
    const run = runs.start(job);
    await runs.wait(12);
    const stopping = run.stopWithSavepoint(runs.path('savepoint'), { drain: true });
    expect(await runs.until(failureOf(stopping))).toBeInstanceOf(SavepointFailedError);
    await runs.until(run.result);
    expect(totals(world.transacted)).toEqual(expected());
    expect(world.transacted).toHaveLength(23);
    expect([...other.transacted].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, n) => n));
  });
});
