import fc from 'fast-check';
import type { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import { pipelinedRegions } from '../../src/graph/pipelined-region.ts';
import type { ExecutionVertexId, RegionId } from '../../src/ids.ts';
import type { defaultInputConsumable } from '../../src/scheduling/input-consumable.ts';
import { PipelinedRegionScheduling } from '../../src/scheduling/pipelined-region-scheduling.ts';
import { flinkInputDeciders } from '../conformance/flink-input-deciders.ts';
import { drawn, drawnRegions, taskOf } from '../graph/drawn-graph.ts';
import { anyGraph, explicitEdges, naiveRegions } from '../graph/naive-graph.ts';
import { draws } from '../support/draws.ts';

/** A scheduler that takes tasks by name, and returns regions as comma-separated task names. */
function scheduler(...drawing: string[]) {
  const graph = drawn(...drawing);
  const regions = pipelinedRegions(graph);
  const scheduling = new PipelinedRegionScheduling(graph, regions);
  const names = drawnRegions(graph, regions);
  const told = (ready: readonly RegionId[]): string => ready.map((region) => names[region]).join(', ');
  const regionsOf = (tasks: readonly string[]): RegionId[] =>
    tasks.map((task) => regions.regionOf(taskOf(graph, task)));
  return {
    offer: (...tasks: string[]) => told(scheduling.offer(new Set(regionsOf(tasks)))),
    offerAll: () => told(scheduling.offer(names.keys() as Iterable<RegionId>)),
    finish: (...tasks: string[]) => told(tasks.flatMap((task) => scheduling.vertexFinished(taskOf(graph, task)))),
    invalidate: (...tasks: string[]) => scheduling.invalidate(new Set(regionsOf(tasks))),
    isScheduled: (task: string) => scheduling.isScheduled(regions.regionOf(taskOf(graph, task))),
    crossRegionGroups: scheduling.crossRegionGroups,
  };
}

describe('scheduling by region', () => {
  it('a job without exchanges that cut regions starts at once', () => {
    expect(scheduler('a:2 -> b:2').offerAll()).toBe('a[0] b[0], a[1] b[1]');
  });

  it('regions that are ready together are ordered by number, in any order of offers', () => {
    expect(scheduler('a', 'b', 'c').offer('c', 'a', 'b')).toBe('a, b, c');
  });

  //  (p[0]) ═┬═▶ (c[0])
  //          ╳
  //  (p[1]) ═┴═▶ (c[1])
  it('a consumer of a blocking shuffle waits for the last producer', () => {
    const job = scheduler('p:2 =x> c:2');
    expect(job.offerAll()).toBe('p[0], p[1]');
    expect(job.finish('p[1]')).toBe('');
    expect(job.isScheduled('c[0]')).toBe(false);
    expect(job.finish('p[0]')).toBe('c[0], c[1]');
    expect(job.isScheduled('c[0]')).toBe(true);
  });

  it('a consumer of a pointwise blocking edge waits only for its own share', () => {
    const job = scheduler('p:4 => c:2');
    job.offerAll();
    expect(job.finish('p[3]', 'p[0]')).toBe('');
    expect(job.finish('p[2]')).toBe('c[1]');
  });

  //  (a) ═╗
  //       ╠▶ (c)
  //  (b) ═╝
  it('a region waits for every result it reads', () => {
    const job = scheduler('a => c', 'b => c');
    expect(job.offerAll()).toBe('a, b');
    expect(job.finish('b')).toBe('');
    expect(job.finish('a')).toBe('c');
  });

  it('results that are read early are available once their producers are scheduled, wave by wave', () => {
    expect(scheduler('c', 'a ~> b ~> c').offerAll()).toBe('a, b, c');
  });

  it('a region is scheduled as a whole, and waits for the inputs of all its tasks', () => {
    const job = scheduler('a => b -> c', 'd => c');
    expect(job.offerAll()).toBe('a, d');
    expect(job.finish('a')).toBe('');
    expect(job.finish('d')).toBe('b c');
  });

  it('a second report that a task finished has no effect', () => {
    const job = scheduler('p:2 =x> c');
    job.offerAll();
    expect(job.finish('p[0]', 'p[0]')).toBe('');
    expect(job.finish('p[1]', 'p[1]')).toBe('c');
  });

  it('a report from a region that is not scheduled has no effect', () => {
    const job = scheduler('a => b');
    expect(job.finish('a')).toBe('');
    job.offerAll();
    job.invalidate('a', 'b');
    expect(job.finish('a')).toBe('');
    expect(job.offerAll()).toBe('a');
  });

  it('after a restart the producer must finish again', () => {
    const job = scheduler('a => b');
    job.offerAll();
    expect(job.finish('a')).toBe('b');
    job.invalidate('a', 'b');
    expect(job.isScheduled('b')).toBe(false);
    expect(job.offerAll()).toBe('a');
    expect(job.finish('a')).toBe('b');
  });

  it('a consumer that restarts alone is scheduled at once: the result is still available', () => {
    const job = scheduler('a => b');
    job.offerAll();
    job.finish('a');
    job.invalidate('b');
    expect(job.offer('b')).toBe('b');
  });

  it('a consumer offered before its restarted producer waits, and is scheduled with it', () => {
    const job = scheduler('a ~> b');
    job.offerAll();
    job.invalidate('a', 'b');
    expect(job.offer('b')).toBe('');
    expect(job.offer('a')).toBe('a, b');
  });

  //  (a[0]) ─▶ (c[0])   (a[0]) ═╗ ╔▶ (c[0])
  //  (a[1]) ─▶ (c[1])   (a[1]) ═╩═╩▶ (c[1])     each needs the other: one region
  it('a region does not wait for its own results', () => {
    const job = scheduler('a:2 -> c:2', 'a:2 =x> c:2');
    expect(job.crossRegionGroups).toEqual([]);
    expect(job.offerAll()).toBe('a[0] a[1] c[0] c[1]');
  });

  //  (a[0]) ─▶ (y[0]) ─▶ (c[0])                         c[0] also reads a[0] and a[1], blocking
  //  (a[1..3]) ─▶ (y[1]) (y[2]) ─▶ (c[1])               c[1] also reads a[2] and a[3], blocking
  it('a region that produces part of its input waits for the rest', () => {
    const job = scheduler('a:4 -> y:3 -> c:2', 'a:4 => c:2');
    expect(job.crossRegionGroups).toHaveLength(1);
    expect(job.offerAll()).toBe('a[1] a[2] a[3] y[1] y[2] c[1]');
    expect(job.finish('a[2]', 'a[3]')).toBe('');
    expect(job.finish('a[1]')).toBe('a[0] y[0] c[0]');
  });

  it('refuses a region twice, and unknown ones', () => {
    const graph = drawn('a => b');
    const scheduling = new PipelinedRegionScheduling(graph, pipelinedRegions(graph));
    scheduling.offer([0 as RegionId, 1 as RegionId]);
    expect(() => scheduling.offer([0 as RegionId])).toThrow(/Region 0 was already offered/);
    expect(() => scheduling.offer([1 as RegionId])).toThrow(/Region 1 was already offered/);
    expect(() => scheduling.offer([2 as RegionId])).toThrow(/no region 2/);
  });
});

/** The same by definition: nothing is counted, every question is answered from the connections. */
class NaiveScheduling {
  readonly #edges: ReturnType<typeof explicitEdges>;
  readonly #regionOf: readonly number[];
  readonly #decide: typeof defaultInputConsumable;
  readonly waiting = new Set<number>();
  readonly scheduled = new Set<number>();
  readonly #finished = new Set<number>();

  constructor(graph: ExecutionGraph, decide: typeof defaultInputConsumable) {
    this.#decide = decide;
    this.#edges = explicitEdges(graph.jobGraph);
    this.#regionOf = naiveRegions(graph.vertexCount, this.#edges);
  }

  /** Schedules ready regions until none is left. */
  settle(): number[] {
    const order: number[] = [];
    for (;;) {
      const ready = [...this.waiting].filter((region) => this.#mayRun(region));
      if (ready.length === 0) return order;
      for (const region of ready) {
        this.waiting.delete(region);
        this.scheduled.add(region);
        order.push(region);
      }
    }
  }

  finish(task: number): void {
    if (this.scheduled.has(this.#regionOf[task] as number)) this.#finished.add(task);
  }

  invalidate(region: number): void {
    this.waiting.delete(region);
    this.scheduled.delete(region);
    for (const [task, home] of this.#regionOf.entries()) if (home === region) this.#finished.delete(task);
  }

  #mayRun(region: number): boolean {
    const reads = this.#edges.filter(
      ({ consumer, producer, exchange }) =>
        this.#regionOf[consumer] === region && this.#regionOf[producer] !== region && !exchange.joinsRegions,
    );
    const sharesOf = new Map<string, typeof reads>();
    for (const read of reads) {
      const key = `${read.edge} ${read.consumer}`;
      sharesOf.set(key, [...(sharesOf.get(key) ?? []), read]);
    }
    return [...sharesOf.values()].every((share) => {
      const producers = [...new Set(share.map(({ producer }) => producer))];
      return this.#decide((share[0] as (typeof share)[number]).exchange.consumption, {
        total: producers.length,
        scheduled: producers.filter((task) => this.scheduled.has(this.#regionOf[task] as number)).length,
        finished: producers.filter((task) => this.#finished.has(task)).length,
      });
    });
  }
}

const anyCommand = fc.oneof(
  fc.record({ kind: fc.constant('offer' as const), at: fc.array(fc.nat(29), { minLength: 1 }) }),
  fc.record({ kind: fc.constant('finish' as const), at: fc.array(fc.nat(29), { minLength: 1 }) }),
  fc.record({ kind: fc.constant('invalidate' as const), at: fc.array(fc.nat(29), { minLength: 1, maxLength: 2 }) }),
);

describe.each(Object.entries(flinkInputDeciders))('scheduling with the decider %s', (_, decide) => {
  it('schedules what the plain rule does, for any offers, finishes and restarts', () => {
    fc.assert(
      fc.property(anyGraph, fc.array(anyCommand, { maxLength: 15 }), (graph, commands) => {
        const regions = pipelinedRegions(graph);
        const scheduling = new PipelinedRegionScheduling(graph, regions, decide);
        const naive = new NaiveScheduling(graph, decide);
        const all = { kind: 'offer' as const, at: [...Array(regions.count).keys()] };
        for (const { kind, at } of [...commands, all]) {
          if (kind === 'finish') {
            const tasks = [...new Set(at.map((index) => index % graph.vertexCount))];
            for (const task of tasks) {
              const actual = scheduling.vertexFinished(task as ExecutionVertexId);
              naive.finish(task);
              expect(actual.toSorted()).toEqual(naive.settle().toSorted());
            }
            continue;
          }
          const concerned = [...new Set(at.map((index) => (index % regions.count) as RegionId))];
          if (kind === 'invalidate') {
            scheduling.invalidate(concerned);
            for (const region of concerned) naive.invalidate(region);
          } else {
            const absent = concerned.filter((region) => !naive.waiting.has(region) && !naive.scheduled.has(region));
            const actual = scheduling.offer(absent);
            for (const region of absent) naive.waiting.add(region);
            expect(actual.toSorted()).toEqual(naive.settle().toSorted());
          }
          expect(all.at.filter((region) => scheduling.isScheduled(region as RegionId))).toEqual(
            all.at.filter((region) => naive.scheduled.has(region as RegionId)),
          );
        }
      }),
      { numRuns: draws(100, 300) },
    );
  });
});

describe('consumable inputs', () => {
  it.each([
    //                                            total scheduled finished   default  all    partial
    { constraint: 'after-producer-finished', at: [2, 2, 1], says: [false, false, false] },
    { constraint: 'after-producer-finished', at: [2, 2, 2], says: [true, true, true] },
    { constraint: 'after-producer-scheduled', at: [2, 1, 0], says: [false, false, false] },
    { constraint: 'after-producer-scheduled', at: [2, 1, 1], says: [false, false, true] },
    { constraint: 'after-producer-scheduled', at: [2, 2, 0], says: [true, false, false] },
    { constraint: 'after-producer-scheduled', at: [2, 2, 2], says: [true, true, true] },
    { constraint: 'after-producer-scheduled', at: [0, 0, 0], says: [true, true, true] },
    { constraint: 'after-producer-finished', at: [0, 0, 0], says: [true, true, true] },
  ] as const)(
    '$constraint at $at: default, all and partial say $says',
    ({ constraint, at: [total, scheduled, finished], says }) => {
      const deciders = Object.values(flinkInputDeciders);
      expect(deciders.map((decide) => decide(constraint, { total, scheduled, finished }))).toEqual(says);
    },
  );
});
