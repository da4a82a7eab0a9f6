import fc from 'fast-check';
import { restartAll } from '../../src/failover/strategies/restart-all.ts';
import { restartIndividual } from '../../src/failover/strategies/restart-individual.ts';
import { restartPipelinedRegion } from '../../src/failover/strategies/restart-pipelined-region.ts';
import type { ExecutionVertexId, PartitionId } from '../../src/ids.ts';
import { anyClaimingGraph } from '../graph/naive-graph.ts';
import { draws } from '../support/draws.ts';
import { drawnTopology, failureOf, restarted, topologyOf } from './drawn-failure.ts';

interface Story {
  readonly drawing: readonly string[];
  readonly failed: string;
  readonly lost?: readonly string[];
  readonly gone?: readonly string[];
  readonly restarts: string;
  /** The stated reason if more than one task restarts. */
  readonly why: string | undefined;
}

const stories: readonly Story[] = [
  { drawing: ['a => b'], failed: 'b', restarts: 'b', why: undefined },
  { drawing: ['a', 'b'], failed: 'a', restarts: 'a', why: undefined },
  {
    drawing: ['a => b'],
    failed: 'a',
    restarts: 'a b',
    why: 'a[0] cannot restart alone: b[0] reads from it over the blocking edge a → b, and a second run may produce different data ("a" is not declared deterministic)',
  },
  { drawing: ['a! => b => c'], failed: 'a', restarts: 'a', why: undefined },
  { drawing: ['a => b! => c'], failed: 'b', restarts: 'b', why: undefined },
  {
    drawing: ['a! => b! => c'],
    failed: 'b',
    lost: ['a'],
    restarts: 'a b',
    why: 'b[0] cannot restart alone: the result of a[0] over the blocking edge a → b is lost',
  },
  {
    //  b merges: without the recorded order of a[0] and a[1] it writes other records
    drawing: ['a!:2 =x> b! => c', 'd'],
    failed: 'b',
    lost: ['a[1]'],
    restarts: 'a[1] b c',
    why: 'b[0] cannot restart alone: the result of a[1] over the blocking edge a → b is lost',
  },
  {
    drawing: ['a! -> b => c'],
    failed: 'a',
    restarts: 'a b c',
    why: 'a[0] cannot restart alone: it feeds b[0] over the pipelined edge a → b, which retains nothing',
  },
  {
    //  (a) ─▶ (b)     c keeps running, so c does not force b to restart
    //   ╚═▶ (c)
    drawing: ['a! => c', 'a -> b'],
    failed: 'a',
    restarts: 'a b',
    why: 'a[0] cannot restart alone: it feeds b[0] over the pipelined edge a → b, which retains nothing',
  },
  {
    //  (a[0]) (a[1]) ─▶ (b)     b merges inputs that restart with it, so c reads other records
    drawing: ['a!:2 -> b! => c'],
    failed: 'b',
    restarts: 'a[0] a[1] b c',
    why: 'b[0] cannot restart alone: it reads from a[0] over the pipelined edge a → b, which retains nothing',
  },
  {
    drawing: ['a -> b'],
    failed: 'b',
    restarts: 'a b',
    why: 'b[0] cannot restart alone: it reads from a[0] over the pipelined edge a → b, which retains nothing',
  },
  {
    drawing: ['a -> b'],
    failed: 'a',
    restarts: 'a b',
    why: 'a[0] cannot restart alone: it feeds b[0] over the pipelined edge a → b, which retains nothing',
  },
  {
    drawing: ['a => b'],
    failed: 'b',
    lost: ['a'],
    restarts: 'a b',
    why: 'b[0] cannot restart alone: the result of a[0] over the blocking edge a → b is lost',
  },
  {
    drawing: ['a => b'],
    failed: 'b',
    gone: ['a'],
    restarts: 'a b',
    why: 'b[0] cannot restart alone: the result of a[0] over the blocking edge a → b is not available',
  },
  {
    drawing: ['a .> b'],
    failed: 'b',
    restarts: 'a b',
    why: 'b[0] cannot restart alone: the result of a[0] over the read once edge a → b cannot be read again',
  },
  {
    //  (a) ─────▶ (c)     a ring: b is in the region of a and c, though its own edges only cut
    //   ╚═▶ (b) ═══▲
    drawing: ['a -> c', 'a => b => c'],
    failed: 'b',
    restarts: 'a b c',
    why: 'b[0] cannot restart alone: a[0] is in its region, and it feeds c[0] over the pipelined edge a → c, which retains nothing',
  },
];

describe('restart of the individual task', () => {
  it.each(stories)('$drawing, $failed fails: $restarts', ({ drawing, failed, lost, gone, restarts, why }) => {
    const topology = drawnTopology(drawing, gone);
    const decision = restartIndividual()(failureOf(topology, failed, lost), topology);
    expect(restarted(topology, decision)).toBe(restarts);
    expect(decision.why).toBe(why);
  });

  it('a failure of the job restarts everything', () => {
    const topology = drawnTopology(['a => b', 'c']);
    expect(restarted(topology, restartIndividual()(failureOf(topology), topology))).toBe('a c b');
  });

  it('restarts what the region rule does, and gives a reason if that is more than the task', () => {
    const anyLoss = fc.array(fc.nat(40), { maxLength: 4 });
    fc.assert(
      fc.property(anyClaimingGraph, fc.nat(29), anyLoss, anyLoss, (graph, task, gone, lost) => {
        const topology = topologyOf(graph, (partition) => gone.includes(partition));
        const failure = {
          ...failureOf(topology),
          vertex: (task % graph.vertexCount) as ExecutionVertexId,
          lostPartitions: lost as PartitionId[],
        };
        const decision = restartIndividual()(failure, topology);
        const tasks = restarted(topology, decision);
        expect(tasks).toBe(restarted(topology, restartPipelinedRegion()(failure, topology)));
        expect(decision.why === undefined).toBe(!tasks.includes(' '));
      }),
      { numRuns: draws(200, 500) },
    );
  });
});

describe('restart of everything', () => {
  it('restarts each region once, after any failure', () => {
    const topology = drawnTopology(['a:2 -> b:2', 'c']);
    for (const failed of [undefined, 'a[1]', 'c']) {
      const decision = restartAll()(failureOf(topology, failed), topology);
      expect(restarted(topology, decision)).toBe('a[0] a[1] c b[0] b[1]');
    }
  });
});
