import {
  blocking,
  collect,
  type FailoverRule,
  type FailureClassifier,
  fixedDelay,
  fromAsyncIterable,
  fromIterable,
  Job,
  type JobEvent,
  memory,
  range,
  reliable,
} from '../../src/index.ts';
import { planJob } from '../../src/api/job-planner.ts';
import { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import type { PartitionId, RegionId } from '../../src/ids.ts';
import { virtualEnvironment } from '../../src/testing/index.ts';
import { inOneDataPlane, killing, runStory } from '../support/run-story.ts';

const count = 200;
const everyNumber = Array.from({ length: count }, (_, n) => n);
const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b);

/** Numbers in a different order at each reading, falsely declared deterministic. */
function liar() {
  let starts = 0;
  return fromIterable(() => (starts++ % 2 === 1 ? everyNumber.toReversed() : everyNumber));
}

/** The error of a function that knows which result is lost, and a classifier for it. */
class Loss extends Error {
  readonly lost: number;
  constructor(lost: number) {
    super('lost');
    this.lost = lost;
  }
}
/** By its data, because the error of a task on another thread is a copy. */
const blameProducer: FailureClassifier = (cause) => {
  const { lost } = cause as Partial<Loss>;
  return lost === undefined ? undefined : { kind: 'partition-lost', partitions: [lost as PartitionId] };
};

class Hidden {
  readonly #id: number;
  constructor(id: number) {
    this.#id = id;
  }
  get id(): number {
    return this.#id;
  }
}

class Shown {
  readonly id: number;
  constructor(id: number) {
    this.id = id;
  }
}

inOneDataPlane('such records cannot be sent to another executor', () => {
  describe('a false declaration for records that cannot be written', () => {
    it.each<[string, (id: number) => { readonly id: number }, number]>([
      ['whose difference does not show from outside', (id) => new Hidden(id), Number.POSITIVE_INFINITY],
      ['that were dropped, and left no checksum', (id) => new Shown(id), 300],
    ])('%s, is detected: the output is right', async (_, make, memoryBudgetBytes) => {
      for (const skip of [5, 10, 15]) {
        const job = Job.create('liar', { parallelism: 1, deterministic: true });
        const out = collect<number>();
        job
          .source('numbers', liar(), { deterministic: true })
          .map(make)
          .forward({ exchange: memory({ memoryBudgetBytes, memoryOverflow: 'drop' }) })
          .map(({ id }) => id, { uid: 'reader' })
          .sink('out', out);
        const end = await runStory(job, { faults: killing('numbers', { skip }) });
        expect([skip, end.unfired]).toEqual([skip, []]);
        expect(sorted(out.records)).toEqual(everyNumber);
      }
    });
  });
});

describe('a result that is reproduced twice after it was released', () => {
  //  p ─┬─▶ c[0..1] ─▶ e      first `p→d` is lost, then the result of c[1]: p runs a second and a third time; its third output
  //     └─▶ d                 differs, after the result that c has read was released
  it('is compared both times', async () => {
    let starts = 0;
    const pairs = () => {
      const isLie = starts++ >= 2;
      return Array.from({ length: count }, (_, n) => (isLie ? n ^ 1 : n));
    };
    const environment = virtualEnvironment();
    const gate = () => {
      let open = (): void => {};
      const opened = new Promise<void>((resolve) => (open = resolve));
      return { opened, open: () => open() };
    };
    const [cIsDone, pRanAgain] = [gate(), gate()];
    const lossOf = { d: -1, e: -1 };
    const thrown = new Set<string>();
    const once = (what: 'd' | 'e'): void => {
      if (thrown.has(what)) return;
      thrown.add(what);
      throw new Loss(lossOf[what]);
    };
    const job = Job.create('twice', { parallelism: 1, deterministic: true });
    const [outE, outD] = [collect<number>(), collect<number>()];
    const p = job.source('p', fromIterable(pairs), { deterministic: true });
    p.rebalance({ exchange: reliable() })
      .map((n) => n, { uid: 'c', parallelism: 2, deterministic: false })
      .rebalance({ exchange: reliable() })
      .mapAsync(async (n) => (await pRanAgain.opened, once('e'), n), { uid: 'e', parallelism: 1 })
      .sink('out-e', outE);
    // Both readers get the same, whichever of a pair comes first.
    p.keyBy((n) => n % 2, { exchange: reliable() })
      .process<number, number>({ onRecord: (n, _state, emit) => emit(n) }, { uid: 'd', parallelism: 2 })
      .mapAsync(async (n) => (await cIsDone.opened, once('d'), n), { uid: 'wait' })
      .sink('out-d', outD);
    const graph = new ExecutionGraph(planJob(job).jobGraph);
    for (let partition = 0; partition < graph.partitionCount; partition++) {
      const producer = graph.nameOf(graph.producerOf(partition as never));
      const { target } = graph.edgeOfPartition(partition as never);
      if (producer === 'p[0]' && target === 'd') lossOf.d = partition;
      if (producer === 'c[1]') lossOf.e = partition;
    }
    const run = job.run({
      restartBackoff: fixedDelay({ maxAttempts: 20, delayMs: 1 }),
      failureClassifiers: [blameProducer],
      batchSize: 8,
      environment,
    });
    const events: JobEvent[] = [];
    const finished = new Set<string>();
    run.events$.subscribe((event) => {
      events.push(event);
      if (event.type !== 'task.stateChanged' || event.state !== 'finished') return;
      finished.add(`${event.task}#${event.attempt}`);
      if (finished.has('c[0]#0') && finished.has('c[1]#0')) environment.clock.setTimeout(cIsDone.open, 20);
      if (finished.has('p[0]#1')) environment.clock.setTimeout(pRanAgain.open, 20);
    });
    await environment.drive(run.result);
    expect(thrown).toEqual(new Set(['d', 'e']));
    expect(starts).toBeGreaterThan(2);
    expect(events.filter(({ type }) => type === 'determinism.broken')).toHaveLength(1);
    expect(sorted(outE.records)).toEqual(everyNumber);
    expect(sorted(outD.records)).toEqual(everyNumber);
  });
});

describe('a consumer that fails while its producer waits to reproduce its result', () => {
  //  x ═▶ p ─reliable─▶ c     what x wrote is lost, x produces it again, p waits for it; c fails by itself
  it('restarts alone: a result that is not yet registered is not lost', async () => {
    const environment = virtualEnvironment();
    const wait = (ms: number) => new Promise<void>((resolve) => environment.clock.setTimeout(resolve, ms));
    let starts = 0;
    const thrown = new Set<string>();
    let mayFail = false;
    const job = Job.create('early', { parallelism: 1, deterministic: true });
    const out = collect<number>();
    const numbers = async function* () {
      const isSlow = starts++ > 0;
      for (const n of everyNumber) {
        if (isSlow && n % 40 === 0) await wait(50);
        yield n;
      }
    };
    const fail = (what: string, error: Error): void => {
      if (thrown.has(what)) return;
      thrown.add(what);
      throw error;
    };
    job
      .source('x', fromAsyncIterable(numbers), { deterministic: true })
      .rebalance({ exchange: blocking() })
      .mapAsync(
        async (n) => {
          if (n === 150) fail('p', new Loss(0));
          return n;
        },
        { uid: 'p', concurrency: 1 },
      )
      .rebalance({ exchange: reliable() })
      .mapAsync(
        async (n) => {
          while (n === 100 && !mayFail) await wait(5);
          if (n === 100) fail('c', new Error('c fails by itself'));
          return n;
        },
        { uid: 'c', concurrency: 1 },
      )
      .sink('out', out);
    const run = job.run({
      batchSize: 16,
      restartBackoff: fixedDelay({ maxAttempts: 9, delayMs: 1 }),
      failureClassifiers: [blameProducer],
      environment,
    });
    const decided: (readonly RegionId[])[] = [];
    run.events$.subscribe((event) => {
      if (event.type !== 'failover.decided') return;
      decided.push(event.regions);
      environment.clock.setTimeout(() => (mayFail = true), 100);
    });
    await environment.drive(run.result);
    expect(thrown).toEqual(new Set(['p', 'c']));
    expect(decided).toEqual([[1, 0], [2]]);
    expect(out.records).toEqual(everyNumber);
  });
});

describe('a strategy with an answer', () => {
  const boom = new Error('the answer throws');
  type Answer = (regions: readonly RegionId[]) => Iterable<RegionId>;
  it.each<[string, Answer, RegExp | undefined]>([
    ['can be looked at once', (regions) => new Set(regions).values(), undefined],
    [
      'is generated',
      function* (regions) {
        yield* regions;
      },
      undefined,
    ],
    [
      'throws when it is looked at',
      () => ({
        [Symbol.iterator]: () => {
          throw boom;
        },
      }),
      /it threw: the answer throws/,
    ],
    [
      'has no end',
      function* (regions) {
        for (;;) yield* regions;
      },
      undefined,
    ],
  ])('%s blocks nothing', async (_, answer, problem) => {
    const rule: FailoverRule = (failure, { regions }) => ({
      kind: 'restart',
      regions: answer([regions.regionOf(failure.vertex as never)]) as readonly RegionId[],
    });
    const job = Job.create('asked', { parallelism: 2 });
    const out = collect<number>();
    job
      .source('numbers', range(0, count))
      .rebalance({ exchange: 'blocking' })
      .map((n) => n, { uid: 'copy' })
      .sink('out', out);
    const end = await runStory(job, { faults: killing('copy', { skip: 2 }), failoverStrategy: rule });
    expect(end.unfired).toEqual([]);
    expect(sorted(out.records)).toEqual(everyNumber);
    const problems = end.events.flatMap((event) => (event.type === 'failover.overruled' ? [event.problem] : []));
    expect(problems).toEqual(problem === undefined ? [] : [expect.stringMatching(problem)]);
  });
});
