import fc from 'fast-check';
import type { DataStream } from '../../src/api/data-stream.ts';
import { reliable } from '../../src/api/exchange.ts';
import { Job, type JobOptions } from '../../src/api/job.ts';
import { planJob } from '../../src/api/job-planner.ts';
import type { JobPlan } from '../../src/run/job-plan.ts';
import type { StreamNode } from '../../src/api/stream-graph.ts';
import { InvalidArgumentError, JobValidationError } from '../../src/errors/usage-errors.ts';
import { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import { pipelinedRegions } from '../../src/graph/pipelined-region.ts';
import type { VertexProgram } from '../../src/operators/operator-description.ts';
import { add, type Flight, flights, sinkOf, sourceOf } from './outside.ts';
import { thrownBy } from '../support/thrown-by.ts';

const origin = (flight: Flight) => flight.origin;
const same = (flight: Flight) => flight;

/** A plan in a few lines: `chain ×parallelism`, then `source -exchange/partitioning-> target`. */
function draw(plan: JobPlan): string[] {
  const { vertices, edges } = plan.jobGraph;
  const partitioningOf = (edge: number) =>
    plan.programs.flatMap((program) => program.outputs).find((output) => output.edge === edge)?.partitioning.kind;
  return [
    ...vertices.map((vertex, index) => `${plan.chains[index]?.join('+')} ×${vertex.parallelism}`),
    ...edges.map((edge, index) => `${edge.source} -${edge.exchange.name}/${partitioningOf(index)}-> ${edge.target}`),
  ];
}

function planOf(options: JobOptions, build: (source: DataStream<Flight>, job: Job) => void): JobPlan {
  const job = Job.create('flights', options);
  build(job.source('in', flights()), job);
  return planJob(job);
}

describe('planJob', () => {
  it.each<{
    title: string;
    options?: JobOptions;
    build: (source: DataStream<Flight>, job: Job) => void;
    plan: string[];
  }>([
    {
      title: 'chains source, operators and sink of one parallelism into one vertex',
      options: { parallelism: 3 },
      build: (s) =>
        s
          .filter((f) => f.delay > 0)
          .map(same)
          .flatMap((f) => [f])
          .sink('out', sinkOf()),
      plan: ['in+filter-1+map-1+flatMap-1+out ×3'],
    },
    {
      title: 'cuts the chain at a shuffle, which is blocking in batch',
      options: { parallelism: 2 },
      build: (s) => s.map(same).keyBy(origin).reduce(add, { uid: 'sum', parallelism: 4 }).sink('out', sinkOf()),
      plan: ['in+map-1 ×2', 'sum+out ×4', 'in -blocking/hash-> sum'],
    },
    {
      title: 'makes shuffles pipelined in streaming',
      options: { mode: 'streaming', parallelism: 2 },
      build: (s) => s.keyBy(origin).reduce(add, { uid: 'sum' }).broadcast().map(same).rebalance().sink('out', sinkOf()),
      plan: [
        'in ×2',
        'sum ×2',
        'map-1 ×2',
        'out ×2',
        'in -pipelined/hash-> sum',
        'sum -pipelined/broadcast-> map-1',
        'map-1 -pipelined/rebalance-> out',
      ],
    },
    {
      title: 'lets each edge name its exchange',
      options: { parallelism: 2 },
      build: (s) =>
        s
          .keyBy(origin, { exchange: 'pipelined' })
          .reduce(add, { uid: 'sum' })
          .forward({ exchange: 'blocking' })
          .map(same)
          .filter(() => true, { exchange: 'pipelined' })
          .sink('out', sinkOf(), { exchange: 'blocking' }),
      plan: [
        'in ×2',
        'sum ×2',
        'map-1 ×2',
        'filter-1 ×2',
        'out ×2',
        'in -pipelined/hash-> sum',
        'sum -blocking/forward-> map-1',
        'map-1 -pipelined/forward-> filter-1',
        'filter-1 -blocking/forward-> out',
      ],
    },
    {
      title: 'begins a fold that merges before its shuffle',
      options: { parallelism: 2 },
      build: (s) =>
        s.map(same).keyBy(origin).reduce(add, { uid: 'sum', merge: true, parallelism: 4 }).sink('out', sinkOf()),
      plan: ['in+map-1+sum (partial) ×2', 'sum+out ×4', 'in -blocking/hash-> sum'],
    },
    {
      title: 'begins a fold that merges in each of its producers',
      options: { parallelism: 2 },
      build: (s, job) =>
        s
          .union(job.source('other', flights()))
          .keyBy(origin, { exchange: 'reliable' })
          .aggregate({ create: () => 0, add: (n) => n + 1, merge: (a, b) => a + b, result: (n) => n }, { uid: 'count' })
          .sink('out', sinkOf()),
      plan: [
        'in+count (partial, of in) ×2',
        'other+count (partial, of other) ×2',
        'count+out ×2',
        'in -reliable/hash-> count',
        'other -reliable/hash-> count',
      ],
    },
    {
      title: 'does not begin a fold before its shuffle that has none, or emits updates, or rejects records',
      options: { parallelism: 2 },
      build: (s) =>
        s
          .keyBy(origin)
          .reduce(add, { uid: 'a', merge: true, parallelism: 1, emit: 'updates' })
          .keyBy(origin)
          .reduce(add, { uid: 'b', merge: true, parallelism: 1 })
          .keyBy(origin)
          .reduce(add, { uid: 'c', merge: true, onError: 'skip', parallelism: 2 })
          .sink('out', sinkOf()),
      plan: ['in ×2', 'a+b ×1', 'c+out ×2', 'in -blocking/hash-> a', 'a -blocking/hash-> c'],
    },
    {
      title: 'does not begin a fold before its shuffle if the stream has another consumer',
      options: { parallelism: 2 },
      build: (s) => {
        s.keyBy(origin).reduce(add, { uid: 'sum', merge: true }).sink('out', sinkOf());
        s.sink('all', sinkOf());
      },
      plan: ['in ×2', 'sum+out ×2', 'all ×2', 'in -blocking/hash-> sum', 'in -pipelined/forward-> all'],
    },
    {
      title: 'chains a shuffle between two single subtasks',
      build: (s) => s.keyBy(origin).reduce(add).rebalance().map(same).broadcast().sink('out', sinkOf()),
      plan: ['in+reduce-1+map-1+out ×1'],
    },
    {
      title: 'keeps a shuffle between two single subtasks whose exchange is named',
      build: (s) => s.keyBy(origin, { exchange: 'blocking' }).reduce(add).sink('out', sinkOf()),
      plan: ['in ×1', 'reduce-1+out ×1', 'in -blocking/hash-> reduce-1'],
    },
    {
      title: 'rebalances where parallelism changes',
      options: { parallelism: 2 },
      build: (s) => s.map(same, { parallelism: 3 }).sink('out', sinkOf()),
      plan: ['in ×2', 'map-1+out ×3', 'in -blocking/rebalance-> map-1'],
    },
    {
      title: 'chains over forward() without an exchange',
      options: { parallelism: 2 },
      build: (s) => s.forward().map(same).sink('out', sinkOf()),
      plan: ['in+map-1+out ×2'],
    },
    {
      title: 'gives each consumer of a stream a separate edge, pipelined if records stay in their subtask',
      options: { parallelism: 2 },
      build: (s) => {
        const mapped = s.map(same);
        mapped.sink('a', sinkOf());
        mapped.filter(() => true).sink('b', sinkOf());
      },
      plan: ['in+map-1 ×2', 'a ×2', 'filter-1+b ×2', 'in -pipelined/forward-> a', 'in -pipelined/forward-> filter-1'],
    },
    {
      title: 'leads every stream of a union into the next operator, which is not chained',
      options: { parallelism: 2 },
      build: (s, job) =>
        s
          .union(job.source('more', flights()), job.source('one', flights(1)))
          .map(same, { uid: 'all' })
          .sink('out', sinkOf()),
      plan: [
        'in ×2',
        'more ×2',
        'one ×1',
        'all+out ×2',
        'in -pipelined/forward-> all',
        'more -pipelined/forward-> all',
        'one -blocking/rebalance-> all',
      ],
    },
    {
      title: 'reads a stream twice that is united with itself',
      build: (s) => s.union(s).sink('out', sinkOf()),
      plan: ['in ×1', 'out ×1', 'in -pipelined/forward-> out', 'in -pipelined/forward-> out'],
    },
    {
      title: 'hashes every stream of a keyed union',
      options: { parallelism: 2 },
      build: (s, job) => s.union(job.source('more', flights())).keyBy(origin).reduce(add).sink('out', sinkOf()),
      plan: ['in ×2', 'more ×2', 'reduce-1+out ×2', 'in -blocking/hash-> reduce-1', 'more -blocking/hash-> reduce-1'],
    },
    {
      title: 'keys the same stream twice over two edges',
      build: (s) => {
        const keyed = s.keyBy(origin);
        keyed.reduce(add).sink('a', sinkOf());
        keyed.aggregate({ create: () => 0, add: (n) => n + 1, result: (n) => n }).sink('b', sinkOf());
      },
      plan: [
        'in ×1',
        'reduce-1+a ×1',
        'aggregate-1+b ×1',
        'in -blocking/hash-> reduce-1',
        'in -blocking/hash-> aggregate-1',
      ],
    },
    {
      title: 'makes the meeting point of a blocking and a pipelined way blocking, or a region would wait for itself',
      options: { parallelism: 2 },
      build: (s) => s.map(same).union(s.keyBy(origin).reduce(add)).sink('out', sinkOf()),
      plan: [
        'in ×2',
        'map-1 ×2',
        'reduce-1 ×2',
        'out ×2',
        'in -pipelined/forward-> map-1',
        'in -blocking/hash-> reduce-1',
        'map-1 -blocking/forward-> out',
        'reduce-1 -blocking/forward-> out',
      ],
    },
    {
      title: 'leaves exchanges alone that the user named, and opens the ring elsewhere',
      options: { parallelism: 2 },
      build: (s) =>
        s
          .map(same)
          .forward({ exchange: 'pipelined' })
          .union(s.keyBy(origin).reduce(add).forward({ exchange: 'pipelined' }))
          .sink('out', sinkOf()),
      plan: [
        'in ×2',
        'map-1 ×2',
        'reduce-1 ×2',
        'out ×2',
        'in -blocking/forward-> map-1',
        'in -blocking/hash-> reduce-1',
        'map-1 -pipelined/forward-> out',
        'reduce-1 -pipelined/forward-> out',
      ],
    },
  ])('$title', ({ options = {}, build, plan }) => {
    expect(draw(planOf(options, build))).toEqual(plan);
  });

  describe('parallelism', () => {
    const parallelismOf = (options: JobOptions, build: (job: Job) => void) => {
      const job = Job.create('flights', options);
      build(job);
      const { jobGraph, chains } = planJob(job);
      return Object.fromEntries(
        jobGraph.vertices.flatMap((vertex, index) => (chains[index] ?? []).map((uid) => [uid, vertex.parallelism])),
      );
    };

    it('is the job’s for sources and after shuffles, the input’s elsewhere', () => {
      expect(
        parallelismOf({ parallelism: 4 }, (job) =>
          job.source('in', flights(), { parallelism: 2 }).map(same).keyBy(origin).reduce(add).sink('out', sinkOf()),
        ),
      ).toEqual({ in: 2, 'map-1': 2, 'reduce-1': 4, out: 4 });
    });

    it('is the maximum of a source or a sink, if none is given', () => {
      expect(
        parallelismOf({ parallelism: 4 }, (job) =>
          job.source('in', flights(3)).keyBy(origin).reduce(add).sink('out', sinkOf('file', 2)),
        ),
      ).toEqual({ in: 3, 'reduce-1': 4, out: 2 });
    });

    it('is the job’s after a union of streams with different ones', () => {
      expect(
        parallelismOf({ parallelism: 4 }, (job) =>
          job
            .source('a', flights(3))
            .union(job.source('b', flights(2)))
            .map(same)
            .sink('out', sinkOf()),
        ),
      ).toEqual({ a: 3, b: 2, 'map-1': 4, out: 4 });
    });
  });

  it.each<{
    title: string;
    build: (job: Job) => void;
    message: RegExp;
    vertices: string[];
  }>([
    {
      title: 'a stream without a consumer',
      build: (job) => {
        const s = job.source('in', flights());
        s.map(same, { uid: 'lost' });
        s.sink('out', sinkOf());
      },
      message: /Nothing reads "lost" \(map\) of job "flights"\. End every stream in a sink/,
      vertices: ['lost'],
    },
    {
      title: 'a source without a consumer, also after keyBy',
      build: (job) => {
        job.source('in', flights()).keyBy(origin);
      },
      message: /Nothing reads "in" \(source\)/,
      vertices: ['in'],
    },
    {
      title: 'more tasks by key than there are key groups',
      build: (job) => {
        job
          .source('in', flights())
          .keyBy(origin)
          .reduce(add, { uid: 'sum', parallelism: 32_769 })
          .sink('out', sinkOf(), { parallelism: 1 });
      },
      message:
        /"sum" reads by key and should run at parallelism 32769, but keys are divided among at most 32768 tasks\. Lower its parallelism to 32768/,
      vertices: ['sum'],
    },
    {
      title: 'a source that cannot be split so far',
      build: (job) => {
        job
          .source('feed', sourceOf('ticks', 1, 'an async iterable has one reader'), { parallelism: 4 })
          .sink('out', sinkOf());
      },
      message:
        /source "feed" \(ticks\) should run at parallelism 4, but allows at most 1: an async iterable has one reader\. Lower its parallelism to 1 .*rebalance\(\)/,
      vertices: ['feed'],
    },
    {
      title: 'a sink that takes fewer subtasks',
      build: (job) => job.source('in', flights()).sink('out', sinkOf('stdout', 1), { parallelism: 2 }),
      message: /sink "out" \(stdout\) should run at parallelism 2, but allows at most 1\. Lower its parallelism to 1$/,
      vertices: ['out'],
    },
    {
      title: 'forward() between different parallelisms',
      build: (job) => job.source('in', flights()).forward().map(same, { parallelism: 3 }).sink('out', sinkOf()),
      message:
        /forward\(\) from "in" \(parallelism 1\) to "map-1" \(parallelism 3\) is impossible\. Give both the same/,
      vertices: ['in', 'map-1'],
    },
    {
      title: 'a blocking edge within a region that the user named pipelined',
      build: (job) => {
        const s = job.source('in', flights());
        s.map(same, { exchange: 'pipelined' })
          .forward({ exchange: 'pipelined' })
          .union(s.keyBy(origin, { exchange: 'blocking' }).reduce(add).forward({ exchange: 'pipelined' }))
          .sink('out', sinkOf());
      },
      message: /"in" → "reduce-1" is blocking, but .* Make one of these blocking: "in" → "map-1", "map-1" → "out"/,
      vertices: ['in', 'reduce-1'],
    },
  ])('refuses $title', ({ build, message, vertices }) => {
    const job = Job.create('flights');
    build(job);
    const error = thrownBy(() => planJob(job));
    expect(error).toBeInstanceOf(JobValidationError);
    expect((error as JobValidationError).message).toMatch(message);
    expect((error as JobValidationError).vertices).toEqual(vertices);
  });

  it('refuses a job without a source', () => {
    expect(() => planJob(Job.create('empty'))).toThrow('Job "empty" has no source. Start a stream with job.source');
  });

  it.each([0, -1, 1.5, Number.NaN])('refuses a source whose maxParallelism is %p', (most) => {
    const job = Job.create('flights');
    job.source('in', flights(most)).sink('out', sinkOf());
    expect(() => planJob(job)).toThrow(InvalidArgumentError);
  });

  it('does not change when the job grows', () => {
    const job = Job.create('flights');
    const source = job.source('in', flights());
    source.sink('out', sinkOf());
    const plan = planJob(job);
    const before = draw(plan);
    source.map(same).sink('more', sinkOf());
    expect(draw(plan)).toEqual(before);
    expect(draw(planJob(job))).not.toEqual(before);
    expect(Object.isFrozen(plan.programs[0]?.operators)).toBe(true);
  });

  it('puts source, operators and sink of a chain into its program, in order', () => {
    const [source, sink] = [flights(), sinkOf()];
    const job = Job.create('flights');
    job
      .source('in', source)
      .map(same)
      .keyBy(origin)
      .reduce(add)
      .filter(() => true)
      .sink('out', sink);
    const [program] = planJob(job).programs as [VertexProgram];
    expect(program.source).toBe(source);
    expect(program.sink).toBe(sink);
    expect(program.operators.map((operator) => operator.kind)).toEqual(['map', 'aggregate', 'filter']);
  });

  it.each<{ title: string; build: (job: Job) => void; claims: Record<string, boolean> }>([
    {
      title: 'if all its steps are',
      build: (job) =>
        job.source('in', flights(), { deterministic: true }).map(same, { deterministic: true }).sink('out', sinkOf()),
      claims: { in: true },
    },
    {
      title: 'unless one of its steps does not',
      build: (job) =>
        job
          .source('in', flights(), { deterministic: true })
          .map(same, { deterministic: true })
          .map(same)
          .sink('out', sinkOf()),
      claims: { in: false },
    },
    {
      title: 'regardless of its inputs',
      build: (job) =>
        job
          .source('in', flights())
          .map(same, { uid: 'm', exchange: 'blocking', deterministic: true })
          .sink('out', sinkOf(), { exchange: 'memory' }),
      claims: { in: false, m: true, out: true },
    },
  ])('the declared determinism of a vertex: $title', ({ build, claims }) => {
    const job = Job.create('flights');
    build(job);
    const { vertices } = planJob(job).jobGraph;
    expect(Object.fromEntries(vertices.map(({ id, deterministic }) => [id, deterministic]))).toEqual(claims);
  });

  it('tells the job graph which steps run in a vertex', () => {
    const { jobGraph, chains } = planOf({}, (s) => s.map(same).rebalance({ exchange: 'memory' }).sink('out', sinkOf()));
    expect(jobGraph.vertices.map(({ operators }) => operators)).toEqual([['in', 'map-1'], ['out']]);
    expect(jobGraph.vertices.map(({ operators }) => operators)).toEqual(chains);
  });

  it('keeps the given exchange of an edge, and names the exchange of the others', () => {
    const { exchanges, jobGraph } = planOf({ parallelism: 2 }, (s) =>
      s
        .keyBy(origin)
        .reduce(add, { uid: 'sum' })
        .forward({ exchange: reliable({ sync: 'write' }) })
        .map(same, { uid: 'm' })
        .sink('out', sinkOf(), { exchange: 'pipelined' }),
    );
    const names = jobGraph.edges.map(({ source, target }) => `${source} → ${target}`);
    expect(names).toEqual(['in → sum', 'sum → m', 'm → out']);
    expect(exchanges).toEqual([{ name: 'blocking' }, { name: 'reliable', sync: 'write' }, { name: 'pipelined' }]);
  });

  describe('any job', () => {
    it('sends records through exactly the described steps', () => {
      fc.assert(
        fc.property(anyJob, (job) => {
          const plan = planJob(job);
          expect(waysOf(plan)).toEqual(describedWays(job.steps));
        }),
      );
    });

    it('lists in the outputs of a program the edges that leave its vertex, in order', () => {
      fc.assert(
        fc.property(anyJob, (job) => {
          const { jobGraph, programs } = planJob(job);
          const graph = new ExecutionGraph(jobGraph);
          for (const [index, program] of programs.entries()) {
            expect(program.outputs.map((output) => output.edge)).toEqual(graph.edgesOutOf(index));
            expect(program.source === undefined).toBe(graph.edgesInto(index).length > 0);
            expect(program.sink === undefined).toBe(graph.edgesOutOf(index).length > 0);
          }
        }),
      );
    });

    it('has no task that waits for a complete result of its own region', () => {
      fc.assert(
        fc.property(anyJob, (job) => {
          const graph = new ExecutionGraph(planJob(job).jobGraph);
          const regions = pipelinedRegions(graph);
          for (let group = 0; group < graph.groupCount; group++) {
            if (graph.exchangeOfGroup(group).joinsRegions) continue;
            const producers = regionsOf(graph.producerStart(group), graph.producerEnd(group));
            const consumers = regionsOf(graph.consumerStart(group), graph.consumerEnd(group));
            expect(consumers.filter((region) => producers.includes(region))).toEqual([]);
          }
          function regionsOf(start: number, end: number): number[] {
            return Array.from({ length: end - start }, (_, i) => regions.regionOf((start + i) as never));
          }
        }),
      );
    });
  });
});

/** Jobs of up to twelve steps over one to three sources, with every kind of edge. */
const anyJob: fc.Arbitrary<Job> = fc
  .record({
    mode: fc.constantFrom('batch', 'streaming'),
    parallelism: fc.integer({ min: 1, max: 3 }),
    sources: fc.integer({ min: 1, max: 3 }),
    steps: fc.array(
      fc.record({
        kind: fc.constantFrom('map', 'keyBy', 'rebalance', 'broadcast', 'union'),
        of: fc.nat(),
        other: fc.nat(),
        parallelism: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
        exchange: fc.option(fc.constant('blocking' as const), { nil: undefined }),
      }),
      { maxLength: 12 },
    ),
  })
  .map(({ mode, parallelism, sources, steps }) => {
    const job = Job.create('any', { mode: mode as 'batch', parallelism });
    const streams = Array.from({ length: sources }, (_, i) => job.source(`source-${i}`, flights()));
    for (const step of steps) {
      const stream = streams[step.of % streams.length] as DataStream<Flight>;
      const options = step.parallelism === undefined ? {} : { parallelism: step.parallelism };
      const exchange = step.exchange === undefined ? {} : { exchange: step.exchange };
      if (step.kind === 'map') streams.push(stream.map(same, { ...options, ...exchange }));
      if (step.kind === 'keyBy') streams.push(stream.keyBy(origin, exchange).reduce(add, options));
      if (step.kind === 'rebalance') streams.push(stream.rebalance(exchange).map(same, options));
      if (step.kind === 'broadcast') streams.push(stream.broadcast(exchange).map(same, options));
      if (step.kind === 'union') {
        streams.push(stream.union(streams[step.other % streams.length] as DataStream<Flight>).map(same, options));
      }
    }
    const read = new Set(job.steps.flatMap(({ inputs }) => inputs.map(({ from }) => from)));
    for (const [index, stream] of streams.entries()) {
      if (!read.has(job.steps[index] as StreamNode)) stream.sink(`sink-${index}`, sinkOf());
    }
    return job;
  });

/** All paths from a source to a sink, as uids. */
function describedWays(steps: readonly StreamNode[]): string[] {
  const waysTo = new Map<StreamNode, string[]>();
  for (const step of steps) {
    const before = step.inputs.length === 0 ? [''] : step.inputs.flatMap((input) => waysTo.get(input.from) ?? []);
    waysTo.set(
      step,
      before.map((way) => `${way}/${step.uid}`),
    );
  }
  return steps.flatMap((step) => (step.step.kind === 'sink' ? (waysTo.get(step) ?? []) : [])).toSorted();
}

/** The same, from the vertices and edges of a plan. */
function waysOf({ jobGraph, chains }: JobPlan): string[] {
  const waysTo = new Map<string, string[]>();
  const ended: string[] = [];
  for (const [index, { id }] of jobGraph.vertices.entries()) {
    const into = jobGraph.edges.filter((edge) => edge.target === id);
    const before = into.length === 0 ? [''] : into.flatMap((edge) => waysTo.get(edge.source) ?? []);
    const ways = before.map((way) => `${way}/${chains[index]?.join('/')}`);
    waysTo.set(id, ways);
    if (!jobGraph.edges.some((edge) => edge.source === id)) ended.push(...ways);
  }
  return ended.toSorted();
}
