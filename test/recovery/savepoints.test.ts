import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  collect,
  type DataStream,
  type Exchange,
  explain,
  forEach,
  InvalidArgumentError,
  Job,
  JobCanceledError,
  type JobEvent,
  type JobRunOptions,
  jsonLinesFile,
  range,
  SavepointConflictError,
  SavepointFailedError,
  SavepointMismatchError,
  SavepointUnreadableError,
  toJsonLinesFile,
} from '../../src/index.ts';
import { seededRandom, type VirtualEnvironment, virtualEnvironment } from '../../src/testing/index.ts';
import { tickingSource, transactionalSink, World } from '../support/abandoned-run.ts';
import { failureOf, Runs } from '../support/runs.ts';
import {
  checkpoints,
  count,
  expected,
  keyOf,
  type Shape,
  sorted,
  streamOf,
  type Sum,
  sumsOf,
} from '../support/savepoint-runs.ts';

describe('a job that is stopped with a savepoint', () => {
  it.each([[[1, 1]], [[2, 2]], [[1, 3]], [[3, 2]], [[2, 4]], [[3, 1]], [[3, 2, 3]], [[1, 4, 2, 4]]])(
    'continues at parallelism %j: every record is in one sum and in one row of the files',
    async (parallelisms) => {
      using runs = new Runs();
      let fromSavepoint: string | undefined;
      for (const [index, parallelism] of parallelisms.entries()) {
        const job = sumsOf(toJsonLinesFile(runs.path('out/rows.jsonl')), { parallelism });
        const run = runs.start(job, { fromSavepoint });
        if (index === parallelisms.length - 1) {
          await runs.until(run.result);
          continue;
        }
        await runs.wait(12);
        fromSavepoint = await runs.until(run.stopWithSavepoint(runs.path(`savepoint-${index}`)));
        expect(fromSavepoint).toBe(runs.path(`savepoint-${index}`));
        const error = await failureOf(run.result);
        expect(error).toBeInstanceOf(JobCanceledError);
        expect((error as JobCanceledError).savepoint).toBe(fromSavepoint);
        // Everything before it is committed, and nothing after it.
        const rows = sorted(runs.rows('out'));
        expect(rows.length).toBeGreaterThan(0);
        expect(rows.length).toBeLessThan(count);
        expect(rows).toEqual(expected.slice(0, rows.length));
      }
      expect(sorted(runs.rows('out'))).toEqual(expected);
    },
  );

  it('at another parallelism has files of both, which a source for each set reads', async () => {
    using runs = new Runs();
    const out = (): ReturnType<typeof toJsonLinesFile> => toJsonLinesFile(runs.path('out/rows.jsonl'));
    const run = runs.start(sumsOf(out(), { parallelism: 2 }));
    await runs.wait(12);
    const fromSavepoint = await runs.until(run.stopWithSavepoint(runs.path('savepoint')));
    await runs.until(runs.start(sumsOf(out(), { parallelism: 3 }), { fromSavepoint }).result);

    const rows: Sum[] = [];
    const reading = (...patterns: [string, ...string[]]): Job => {
      const job = Job.create('read');
      const [first, ...others] = patterns.map((pattern) =>
        job.source(pattern, jsonLinesFile<Sum>(runs.path(`out/${pattern}`))),
      );
      others
        .reduce((all, other) => all.union(other), first as DataStream<Sum>)
        .sink(
          'rows',
          forEach((row) => void rows.push(row)),
        );
      return job;
    };
    const refusal = await failureOf(reading('rows*.jsonl').run().result);
    expect(refusal.message).toContain(
      'if a savepoint joins them, none is outdated: read each set with a source of its own',
    );
    await reading('rows-*-of-00002*.jsonl', 'rows-*-of-00003*.jsonl').run().result;
    expect(sorted(rows)).toEqual(expected);
  });

  it.each<Exchange>(['memory', 'reliable'])(
    'over %s: nothing of the savepoint is in a result of the earlier run',
    async (exchange) => {
      using runs = new Runs();
      const out = (): ReturnType<typeof toJsonLinesFile> => toJsonLinesFile(runs.path('out/rows.jsonl'));
      const run = runs.start(sumsOf(out(), { parallelism: 2, exchange }));
      await runs.wait(12);
      const fromSavepoint = await runs.until(run.stopWithSavepoint(runs.path('savepoint')));
      await runs.until(runs.start(sumsOf(out(), { parallelism: 3, exchange }), { fromSavepoint }).result);
      expect(sorted(runs.rows('out'))).toEqual(expected);
    },
  );

  it.each(Array.from({ length: 6 }, (_, seed) => seed))(
    'at any instant, any number of times, at any parallelism (seed %i)',
    async (seed) => {
      const random = seededRandom(seed);
      using runs = new Runs();
      let fromSavepoint: string | undefined;
      for (let stops = random.integer(1, 3); stops >= 0; stops--) {
        const shape = {
          parallelism: random.integer(1, 5),
          exchange: random.pick<Exchange>(['pipelined', 'memory', 'reliable']),
        };
        const run = runs.start(sumsOf(toJsonLinesFile(runs.path('out/rows.jsonl')), shape), { fromSavepoint });
        if (stops === 0) await runs.until(run.result);
        else {
          await runs.wait(random.integer(3, 15));
          fromSavepoint = await runs.until(run.stopWithSavepoint(runs.path(`savepoint-${stops}`)));
        }
      }
      expect(sorted(runs.rows('out'))).toEqual(expected);
    },
  );

  it('ST9: calls in flight are answered first, so that none is made again', async () => {
    using runs = new Runs();
    const calls = new Map<number, number>();
    const jobWith = (pays: Shape['pays']) =>
      sumsOf(toJsonLinesFile(runs.path('out/rows.jsonl')), { parallelism: 2, pays });
    let clock: VirtualEnvironment['clock'] | undefined;
    const pays = async (n: number): Promise<void> => {
      calls.set(n, (calls.get(n) ?? 0) + 1);
      await new Promise<void>((resolve) => void clock?.setTimeout(resolve, 4));
    };
    const environment = virtualEnvironment({ seed: 1 });
    clock = environment.clock;
    const run = jobWith(pays).run({ batchSize: 8, environment, checkpoints });
    await environment.drive(new Promise<void>((resolve) => void environment.clock.setTimeout(resolve, 30)));
    const fromSavepoint = await environment.drive(run.stopWithSavepoint(runs.path('savepoint')));
    const before = calls.size;
    expect(before).toBeGreaterThan(0);
    const again = virtualEnvironment({ seed: 2 });
    clock = again.clock;
    await again.drive(jobWith(pays).run({ batchSize: 8, environment: again, checkpoints, fromSavepoint }).result);
    expect(before).toBeLessThan(count);
    expect([...calls.values()].every((times) => times === 1)).toBe(true);
    expect(sorted(runs.rows('out'))).toEqual(expected);
  });

  it('commits with transactional sinks, and goes on with its sources at their positions', async () => {
    using runs = new Runs();
    const world = new World<Sum>();
    const job = (): Job => sumsOf(transactionalSink(world), { parallelism: 2 });
    const run = runs.start(job());
    await runs.wait(12);
    const fromSavepoint = await runs.until(run.stopWithSavepoint(runs.path('savepoint')));
    expect(sorted(world.transacted)).toEqual(expected.slice(0, world.transacted.length));
    expect(world.transacted.length).toBeGreaterThan(0);
    await runs.until(runs.start(job(), { fromSavepoint }).result);
    expect(sorted(world.transacted)).toEqual(expected);
  });

  it('ST9: has no results after it, so that a sink without transactions gets every record once', async () => {
    using runs = new Runs();
    const told: Sum[] = [];
    const job = (parallelism: number): Job =>
      sumsOf(
        forEach<Sum>((row) => void told.push(row)),
        { parallelism },
      );
    const run = runs.start(job(2));
    await runs.wait(12);
    const fromSavepoint = await runs.until(run.stopWithSavepoint(runs.path('savepoint')));
    expect(told.length).toBeGreaterThan(0);
    await runs.until(runs.start(job(3), { fromSavepoint }).result);
    expect(sorted(told)).toEqual(expected);
  });

  it('and a state directory: the same call continues from its latest checkpoint, once it has some', async () => {
    using runs = new Runs();
    const out = (): ReturnType<typeof toJsonLinesFile> => toJsonLinesFile(runs.path('out/rows.jsonl'));
    const first = runs.start(sumsOf(out(), { parallelism: 3 }), { stateDirectory: runs.path('first') });
    await runs.wait(12);
    const fromSavepoint = await runs.until(first.stopWithSavepoint(runs.path('savepoint')));
    const options = { fromSavepoint, stateDirectory: runs.path('second') };
    const second = runs.start(sumsOf(out(), { parallelism: 2 }), options);
    await runs.wait(20);
    await runs.until(second.stop());
    const third = runs.start(sumsOf(out(), { parallelism: 2 }), options);
    const events: JobEvent[] = [];
    third.events$.subscribe((event) => events.push(event));
    await runs.until(third.result);
    expect(events.some(({ type }) => type === 'job.resumed')).toBe(true);
    expect(sorted(runs.rows('out'))).toEqual(expected);
  });

  it('and a state directory: the same call does nothing once the job has finished, also without the savepoint', async () => {
    using runs = new Runs();
    const out = (): ReturnType<typeof toJsonLinesFile> => toJsonLinesFile(runs.path('out/rows.jsonl'));
    const first = runs.start(sumsOf(out(), { parallelism: 3 }));
    await runs.wait(12);
    const fromSavepoint = await runs.until(first.stopWithSavepoint(runs.path('savepoint')));
    const options = { fromSavepoint, stateDirectory: runs.path('second') };
    await runs.until(runs.start(sumsOf(out(), { parallelism: 2 }), options).result);
    for (const isThere of [true, false]) {
      if (!isThere) rmSync(fromSavepoint, { recursive: true });
      const explained = await explain(sumsOf(out(), { parallelism: 2 }), { ...options, checkpoints });
      expect(explained.savepoint).toBeUndefined();
      const { receipt } = await runs.until(runs.start(sumsOf(out(), { parallelism: 2 }), options).result);
      expect(receipt.toString()).toContain('nothing has changed since');
    }
    expect(sorted(runs.rows('out'))).toEqual(expected);
  });

  it('and a state directory: what it copied is enough to continue, once the savepoint has been deleted', async () => {
    using runs = new Runs();
    const out = (): ReturnType<typeof toJsonLinesFile> => toJsonLinesFile(runs.path('out/rows.jsonl'));
    const first = runs.start(sumsOf(out(), { parallelism: 3 }));
    await runs.wait(12);
    const fromSavepoint = await runs.until(first.stopWithSavepoint(runs.path('savepoint')));
    const options = { fromSavepoint, stateDirectory: runs.path('second') };
    const second = runs.start(sumsOf(out(), { parallelism: 2 }), options);
    await runs.wait(20);
    await runs.until(second.stop());
    rmSync(fromSavepoint, { recursive: true });
    const elsewhere = { ...options, fromSavepoint: runs.path('elsewhere') };
    const refused = await failureOf(runs.until(runs.start(sumsOf(out(), { parallelism: 2 }), elsewhere).result));
    expect(refused.cause).toBeInstanceOf(SavepointUnreadableError);
    await runs.until(runs.start(sumsOf(out(), { parallelism: 2 }), options).result);
    expect(sorted(runs.rows('out'))).toEqual(expected);
  });

  it.each([
    ['another parallelism', { parallelism: 4 }, {}],
    ['`rerun: true`', { parallelism: 2 }, { rerun: true }],
  ])(
    'and a state directory: with %s it begins with the savepoint again, not from the start',
    async (_, shape, more) => {
      using runs = new Runs();
      const out = (): ReturnType<typeof toJsonLinesFile> => toJsonLinesFile(runs.path('out/rows.jsonl'));
      const first = runs.start(sumsOf(out(), { parallelism: 3 }));
      await runs.wait(12);
      const fromSavepoint = await runs.until(first.stopWithSavepoint(runs.path('savepoint')));
      const options = { fromSavepoint, stateDirectory: runs.path('second') };
      const second = runs.start(sumsOf(out(), { parallelism: 2 }), options);
      await runs.wait(20);
      await runs.until(second.stop());
      const explained = await explain(sumsOf(out(), shape), { ...options, ...more, checkpoints });
      expect(explained.savepoint).toMatchObject({ directory: fromSavepoint, refusal: undefined });
      await runs.until(runs.start(sumsOf(out(), shape), { ...options, ...more }).result);
      expect(sorted(runs.rows('out'))).toEqual(expected);
    },
  );

  it('and a state directory: if only a part of it can be continued, that is refused', async () => {
    using runs = new Runs();
    const jobOf = (parallelism: number): Job => {
      const job = sumsOf(toJsonLinesFile(runs.path('out/rows.jsonl')), { parallelism });
      job.source('few', range(0, 60), { parallelism: 1 }).sink('copied', toJsonLinesFile(runs.path('few.jsonl')));
      return job;
    };
    const first = runs.start(jobOf(3));
    await runs.wait(12);
    const fromSavepoint = await runs.until(first.stopWithSavepoint(runs.path('savepoint')));
    const options = { fromSavepoint, stateDirectory: runs.path('second') };
    const second = runs.start(jobOf(2), options);
    await runs.wait(20);
    await runs.until(second.stop());
    const { cause } = await failureOf(runs.until(runs.start(jobOf(4), options).result));
    expect(cause).toBeInstanceOf(SavepointConflictError);
    expect((cause as Error).message).toMatch(
      /only a part.*: ticks\[0\] begins anew, because .* has 4\..*`resume: 'never'`/,
    );
    await runs.until(runs.start(jobOf(4), { ...options, resume: 'never' }).result);
    expect(sorted(runs.rows('out'))).toEqual(expected);
  });

  it('is refused by a state directory that holds something else, naming both', async () => {
    using runs = new Runs();
    const out = (): ReturnType<typeof toJsonLinesFile> => toJsonLinesFile(runs.path('out/rows.jsonl'));
    const run = runs.start(sumsOf(out(), { parallelism: 2 }), { stateDirectory: runs.path('state') });
    await runs.wait(12);
    const fromSavepoint = await runs.until(run.stopWithSavepoint(runs.path('savepoint')));
    const options = { fromSavepoint, stateDirectory: runs.path('state') };
    const refused = await failureOf(runs.until(runs.start(sumsOf(out(), { parallelism: 2 }), options).result));
    expect(refused.cause).toBeInstanceOf(SavepointConflictError);
    expect(refused.message).toContain(fromSavepoint);
    expect(refused.message).toContain(runs.path('state'));
    const explained = await explain(sumsOf(out(), { parallelism: 2 }), { ...options, checkpoints });
    expect(explained.savepoint?.refusal).toBeInstanceOf(SavepointConflictError);
    // Without it, the run itself goes on from where it stopped.
    await runs.until(runs.start(sumsOf(out(), { parallelism: 2 }), { stateDirectory: runs.path('state') }).result);
    expect(sorted(runs.rows('out'))).toEqual(expected);
  });
});

describe('a savepoint of a run that goes on', () => {
  it('commits nothing, and can be continued later, which replaces what the run wrote after it', async () => {
    using runs = new Runs();
    const out = (): ReturnType<typeof toJsonLinesFile> => toJsonLinesFile(runs.path('out/rows.jsonl'));
    const run = runs.start(sumsOf(out(), { parallelism: 3 }), { checkpoints: { intervalMs: 1_000_000 } });
    await runs.wait(12);
    const fromSavepoint = await runs.until(run.savepoint(runs.path('savepoint')));
    expect(existsSync(runs.path('out/rows-00000-of-00003.jsonl'))).toBe(false);
    await runs.until(run.result);
    expect(sorted(runs.rows('out'))).toEqual(expected);
    await runs.until(runs.start(sumsOf(out(), { parallelism: 2 }), { fromSavepoint }).result);
    expect(sorted(runs.rows('out'))).toEqual(expected);
  });

  it('has the parts that were pending: the run that continues commits them', async () => {
    using runs = new Runs();
    const out = () => toJsonLinesFile(runs.path('out/rows.jsonl'), { rollIntervalMs: 1_000_000 });
    const rarely = { checkpoints: { intervalMs: 1_000_000 } };
    const run = runs.start(sumsOf(out(), { parallelism: 3 }), rarely);
    await runs.wait(12);
    const fromSavepoint = await runs.until(run.savepoint(runs.path('savepoint')));
    await runs.until(run.stop());
    expect(runs.rows('out')).toEqual([]);
    await runs.until(runs.start(sumsOf(out(), { parallelism: 2 }), { ...rarely, fromSavepoint }).result);
    expect(sorted(runs.rows('out'))).toEqual(expected);
  });

  it('is complete in itself: the files of the run may go', async () => {
    using runs = new Runs();
    const world = new World<Sum>();
    const job = (): Job => sumsOf(transactionalSink(world), { parallelism: 2 });
    const run = runs.start(job(), { stateDirectory: runs.path('state') });
    await runs.wait(30);
    const fromSavepoint = await runs.until(run.savepoint(runs.path('savepoint')));
    await runs.until(run.stop());
    rmSync(runs.path('state'), { recursive: true });
    await runs.until(runs.start(job(), { fromSavepoint }).result);
    expect(sorted(world.transacted)).toEqual(expected);
  });

  it('that was not completed is none', async () => {
    using runs = new Runs();
    const world = new World<Sum>();
    const job = (): Job => sumsOf(transactionalSink(world), { parallelism: 2 });
    const run = runs.start(job());
    const triggered = new Promise<void>((resolve) => {
      run.events$.subscribe((event) => {
        if (event.type === 'checkpoint.triggered' && event.kind === 'savepoint') resolve();
      });
    });
    await runs.wait(12);
    const taking = failureOf(run.savepoint(runs.path('savepoint')));
    await runs.until(triggered);
    await runs.until(run.stop());
    const error = await runs.until(taking);
    expect(error).toBeInstanceOf(SavepointFailedError);
    const refused = await failureOf(runs.until(runs.start(job(), { fromSavepoint: runs.path('savepoint') }).result));
    expect(refused.cause).toBeInstanceOf(SavepointUnreadableError);
  });

  it('whose process dies before it is complete is none, and the run continues from its own checkpoint', async () => {
    using runs = new Runs();
    const world = new World<Sum>();
    const run = runs.start(sumsOf(transactionalSink(world), { parallelism: 2 }), {
      stateDirectory: runs.path('state'),
    });
    // What is there at this moment; the rest happens in a world that nobody sees.
    let left = world;
    const died = new Promise<void>((resolve) => {
      run.events$.subscribe((event) => {
        if (event.type !== 'checkpoint.triggered' || event.kind !== 'savepoint') return;
        left = world.copy();
        const notOwned = { recursive: true, filter: (path: string) => !path.includes('owner.kintsugi') };
        for (const name of ['state', 'savepoint']) {
          if (existsSync(runs.path(name))) cpSync(runs.path(name), runs.path(`dead-${name}`), notOwned);
        }
        resolve();
      });
    });
    await runs.wait(23);
    const taking = run.stopWithSavepoint(runs.path('savepoint'));
    await runs.until(died);
    await runs.until(taking);
    const job = (): Job => sumsOf(transactionalSink(left), { parallelism: 2 });
    const none = { fromSavepoint: runs.path('dead-savepoint') };
    const refused = await failureOf(runs.until(runs.start(job(), none).result));
    expect(refused.cause).toBeInstanceOf(SavepointUnreadableError);
    const next = runs.start(job(), { stateDirectory: runs.path('dead-state') });
    const events: JobEvent[] = [];
    next.events$.subscribe((event) => events.push(event));
    await runs.until(next.result);
    expect(events.some(({ type }) => type === 'checkpoint.restored')).toBe(true);
    expect(sorted(left.transacted)).toEqual(expected);
  });

  it('has its directory to itself: a second one there is refused, and does the first no harm', async () => {
    using runs = new Runs();
    const out = (): ReturnType<typeof toJsonLinesFile> => toJsonLinesFile(runs.path('out/rows.jsonl'));
    const run = runs.start(sumsOf(out(), { parallelism: 2 }));
    await runs.wait(12);
    const directory = runs.path('savepoint');
    const [first, second] = await runs.until(Promise.allSettled([run.savepoint(directory), run.savepoint(directory)]));
    expect(first).toEqual({ status: 'fulfilled', value: directory });
    expect((second as PromiseRejectedResult).reason).toBeInstanceOf(InvalidArgumentError);
    await runs.until(run.stop());
    await runs.until(runs.start(sumsOf(out(), { parallelism: 3 }), { fromSavepoint: directory }).result);
    expect(sorted(runs.rows('out'))).toEqual(expected);
  });

  it('has its directory to itself: that of another run is refused, and does it no harm', async () => {
    using runs = new Runs();
    const out = (): ReturnType<typeof toJsonLinesFile> => toJsonLinesFile(runs.path('out/rows.jsonl'));
    const run = runs.start(sumsOf(out(), { parallelism: 2 }));
    const environment = virtualEnvironment({ seed: 9 });
    const elsewhere = toJsonLinesFile(runs.path('elsewhere/rows.jsonl'));
    const other = sumsOf(elsewhere, { parallelism: 2 }).run({ batchSize: 8, environment, checkpoints });
    await runs.wait(12);
    const directory = runs.path('savepoint');
    const taking = run.savepoint(directory);
    const refused = await environment.drive(failureOf(other.savepoint(directory)));
    expect(refused).toBeInstanceOf(InvalidArgumentError);
    await environment.drive(other.stop());
    expect(await runs.until(taking)).toBe(directory);
    expect(readdirSync(directory)).toEqual(['outputs', 'savepoint']);
    await runs.until(run.stop());
    await runs.until(runs.start(sumsOf(out(), { parallelism: 3 }), { fromSavepoint: directory }).result);
    expect(sorted(runs.rows('out'))).toEqual(expected);
  });

  it('that nobody waits for any more, because the run has ended, leaves nothing and says so', async () => {
    using runs = new Runs();
    const run = runs.start(sumsOf(transactionalSink(new World<Sum>()), { parallelism: 2 }));
    const directory = runs.path('savepoint');
    await runs.wait(12);
    const taking = failureOf(run.savepoint(directory));
    const written = new Promise<void>((resolve) => {
      const watched = setInterval(() => {
        if (!existsSync(directory)) return;
        clearInterval(watched);
        resolve();
      }, 1);
    });
    await runs.until(written);
    await runs.until(run.stop());
    const error = await runs.until(taking);
    expect((error as SavepointFailedError).reason).toBe('stopped');
    expect(error.message).not.toContain('goes on');
    while (existsSync(directory)) await new Promise((resolve) => setImmediate(resolve));
  });

  it('with a damaged state cannot be read: the error names its directory and the file', async () => {
    using runs = new Runs();
    const job = (parallelism: number): Job =>
      sumsOf(
        forEach(() => {}),
        { parallelism },
      );
    const run = runs.start(job(2));
    await runs.wait(12);
    const fromSavepoint = await runs.until(run.stopWithSavepoint(runs.path('savepoint')));
    const names = readdirSync(fromSavepoint, { recursive: true, encoding: 'utf8' });
    const file = join(fromSavepoint, names.find((name) => name.endsWith('-sum.0.state')) as string);
    const bytes = readFileSync(file);
    const middle = bytes.length >> 1;
    bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
    writeFileSync(file, bytes);
    for (const parallelism of [2, 3]) {
      const { cause } = await failureOf(runs.until(runs.start(job(parallelism), { fromSavepoint }).result));
      expect(cause).toBeInstanceOf(SavepointUnreadableError);
      expect((cause as Error).message).toContain(fromSavepoint);
      expect((cause as Error).message).toContain('sum.0.state');
      expect((cause as Error).message).not.toContain('retained');
    }
  });

  it('JC4: waits until all tasks run', async () => {
    using runs = new Runs();
    const world = new World<Sum>();
    // No task runs yet.
    const run = runs.start(sumsOf(transactionalSink(world), { parallelism: 2 }));
    const fromSavepoint = await runs.until(run.stopWithSavepoint(runs.path('savepoint')));
    await runs.until(runs.start(sumsOf(transactionalSink(world), { parallelism: 2 }), { fromSavepoint }).result);
    expect(sorted(world.transacted)).toEqual(expected);
  });

  it.each([
    ['when they do not run in time', false, 'notAllRunning', /not all of its tasks ran within/],
    ['when the run ends meanwhile', true, 'stopped', /the job has ended/],
  ])('JC4: waits for them no longer %s, and leaves the run as it was', async (_, stops, reason, message) => {
    using runs = new Runs();
    const world = new World<Sum>();
    const ledger = transactionalSink(world);
    const slow: typeof ledger = {
      ...ledger,
      open: async (context, from) => {
        await new Promise<void>((resolve) => void context.environment.clock.setTimeout(resolve, 100));
        return await ledger.open(context, from);
      },
    };
    const within = { checkpoints: { intervalMs: 5, timeoutMs: 50 } };
    const run = runs.start(sumsOf(slow, { parallelism: 2 }), within);
    const taking = failureOf(run.stopWithSavepoint(runs.path('savepoint')));
    await runs.wait(10);
    if (stops) await runs.until(run.stop());
    const error = await runs.until(taking);
    expect(error).toBeInstanceOf(SavepointFailedError);
    expect((error as SavepointFailedError).reason).toBe(reason);
    expect(error.message).toMatch(message);
    expect(existsSync(runs.path('savepoint'))).toBe(false);
    if (stops) return;
    await runs.until(run.result);
    expect(sorted(world.transacted)).toEqual(expected);
  });

  it.each([
    ['without the option `checkpoints`', { checkpoints: undefined }, /give `job\.run` the option `checkpoints`/],
    ['in a directory with something in it', {}, /a directory that is empty or does not exist/],
  ])('%s is refused', async (what, options, message) => {
    using runs = new Runs();
    const run = runs.start(sumsOf(transactionalSink(new World<Sum>()), { parallelism: 1 }), options);
    const directory = what.startsWith('in') ? tmpdir() : runs.path('savepoint');
    const error = await failureOf(runs.until(run.savepoint(directory)));
    await runs.until(run.stop());
    expect(error.message).toMatch(message);
  });
});

describe('a savepoint of another job', () => {
  interface Case {
    readonly what: string;
    readonly uid: string;
    readonly message: RegExp;
    readonly job: (world: World<unknown>) => Job;
    readonly options?: JobRunOptions;
    /** Whether the job runs with `allowRemovedState`. */
    readonly mayDrop?: boolean;
  }
  const jobOf = (build: (job: Job) => void, parallelism = 2): Job => {
    const job = Job.create('sums', { mode: 'streaming', parallelism });
    build(job);
    return job;
  };
  const ticks = (job: Job, parallelism = 1) => job.source('ticks', tickingSource(count), { version: 1, parallelism });
  const cases: readonly Case[] = [
    {
      what: 'that lacks a step with a state',
      uid: 'sum',
      message: /the job has no step of that uid.*Give the step its uid back, or say `allowRemovedState: true`/,
      job: (world) =>
        jobOf((job) =>
          ticks(job)
            .keyBy(keyOf)
            .reduce((a) => a, { uid: 'other' })
            .sink('out', transactionalSink(world), { version: 1 }),
        ),
      mayDrop: true,
    },
    {
      what: 'in which a step with a state is something else',
      uid: 'sum',
      message: /it was process, and is reduce\. Give it another uid/,
      job: (world) =>
        jobOf((job) =>
          ticks(job)
            .keyBy(keyOf)
            .reduce((a) => a, { uid: 'sum' })
            .sink('out', transactionalSink(world), { version: 1 }),
        ),
    },
    {
      what: 'whose source has more tasks',
      uid: 'ticks',
      message:
        /it ran at parallelism 1 and should run at 2, and the positions of ticking cannot be divided anew\. Give it `parallelism: 1`/,
      job: (world) =>
        jobOf((job) =>
          ticks(job, 2)
            .keyBy(keyOf)
            .process<{ sum: number }, number>({ onRecord: (n, _, emit) => emit(n) }, { uid: 'sum' })
            .sink('out', transactionalSink(world), { version: 1 }),
        ),
    },
    {
      what: 'whose sink has more tasks',
      uid: 'out',
      message:
        /it ran at parallelism 2 and should run at 3, and what the sink ledger has prepared cannot be divided anew\. Give it `parallelism: 2`/,
      job: (world) =>
        jobOf(
          (job) =>
            ticks(job)
              .keyBy(keyOf)
              .process<{ sum: number }, number>({ onRecord: (n, _, emit) => emit(n) }, { uid: 'sum' })
              .sink('out', transactionalSink(world), { version: 1 }),
          3,
        ),
    },
  ];

  const savepointOf = async (runs: Runs): Promise<string> => {
    const run = runs.start(sumsOf(transactionalSink(new World<Sum>()), { parallelism: 2 }));
    await runs.wait(12);
    return await runs.until(run.stopWithSavepoint(runs.path('savepoint')));
  };

  it.each(cases)('$what is refused, naming it and the remedy', async ({ uid, message, job, mayDrop = false }) => {
    using runs = new Runs();
    const fromSavepoint = await savepointOf(runs);
    const error = await failureOf(runs.until(runs.start(job(new World()), { fromSavepoint }).result));
    expect(error.cause).toBeInstanceOf(SavepointMismatchError);
    expect((error.cause as SavepointMismatchError).uid).toBe(uid);
    expect(error.message).toMatch(message);
    if (!mayDrop) return;
    const world = new World<unknown>();
    await runs.until(runs.start(job(world), { fromSavepoint, allowRemovedState: true }).result);
    expect(world.transacted.length).toBeGreaterThan(0);
  });

  it('is explained: what continues, what begins empty, what is dropped, and why it is refused', async () => {
    using runs = new Runs();
    const fromSavepoint = await savepointOf(runs);
    const wider = await explain(
      sumsOf(
        forEach(() => {}),
        { parallelism: 3 },
      ),
      { fromSavepoint, checkpoints },
    );
    // Another sink.
    expect(wider.savepoint.refusal?.message).toMatch(/"out" cannot continue.*it was ledger, and is forEach/);
    const job = jobOf((build) => {
      streamOf(build, { parallelism: 4 }).sink('rows', collect());
    }, 4);
    const refused = await explain(job, { fromSavepoint, checkpoints });
    expect(refused.savepoint.refusal).toBeInstanceOf(SavepointMismatchError);
    const { savepoint } = await explain(job, { fromSavepoint, checkpoints, allowRemovedState: true });
    expect(savepoint.restored).toEqual([
      { uid: 'ticks', restores: 'positions', before: 1, now: 1 },
      { uid: 'sum', restores: 'keyed states', before: 2, now: 4 },
    ]);
    expect([savepoint.added, savepoint.dropped]).toEqual([['rows'], ['out']]);
    expect(savepoint.toString()).toMatch(/sum\s+keyed states\s+×2 → ×4/);
  });

  it('with further steps: these begin empty, and the others go on', async () => {
    using runs = new Runs();
    const world = new World<Sum>();
    const first = runs.start(sumsOf(transactionalSink(world), { parallelism: 2 }));
    await runs.wait(12);
    const fromSavepoint = await runs.until(first.stopWithSavepoint(runs.path('savepoint')));
    const before = world.transacted.length;
    const seen = new World<number>();
    const job = Job.create('sums', { mode: 'streaming', parallelism: 2 });
    const sums = streamOf(job, { parallelism: 2 });
    sums.sink('out', transactionalSink(world), { version: 1 });
    sums
      .keyBy(() => 'all')
      .process<{ rows: number }, number>(
        {
          onRecord: (_, context, emit) => {
            const rows = (context.get()?.rows ?? 0) + 1;
            context.set({ rows });
            emit(rows);
          },
        },
        { uid: 'rows' },
      )
      .sink('rows out', transactionalSink(seen), { version: 1 });
    await runs.until(runs.start(job, { fromSavepoint }).result);
    expect(sorted(world.transacted)).toEqual(expected);
    expect(Math.max(...seen.transacted)).toBe(count - before);
  });
});
