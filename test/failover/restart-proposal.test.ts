import fc from 'fast-check';
import { affectedRegions } from '../../src/failover/affected-regions.ts';
import { propose, type RecoveryView, type Restart, smallestRestart } from '../../src/failover/restart-proposal.ts';
import type { Topology } from '../../src/graph/topology.ts';
import type { ExecutionVertexId, PartitionId, RegionId } from '../../src/ids.ts';
import { anyClaimingGraph } from '../graph/naive-graph.ts';
import { drawnTopology, failureOf, topologyOf } from './drawn-failure.ts';

/** A job as a proposal sees it: available results are readable, and the named tasks wait. */
function viewOf(topology: Topology, waiting: readonly string[] = []): RecoveryView {
  const { graph, regions } = topology;
  return {
    ...topology,
    isPartitionReadable: (partition) => topology.isPartitionAvailable(partition),
    isWaiting: (region) =>
      Array.from(regions.verticesOf(region)).some((vertex) =>
        waiting.includes(graph.nameOf(vertex as ExecutionVertexId)),
      ),
  };
}

const named = ({ graph, regions }: Topology, ids: readonly RegionId[]): string =>
  ids
    .flatMap((region) => Array.from(regions.verticesOf(region)))
    .map((vertex) => graph.nameOf(vertex as ExecutionVertexId).replace('[0]', ''))
    .sort()
    .join(' ');

const readOf = ({ graph }: Topology, { reads }: Restart): string =>
  reads
    .map((partition) => graph.nameOf(graph.producerOf(partition)).replace('[0]', ''))
    .sort()
    .join(' ');

describe('a restart proposal', () => {
  //  => blocking, ^ deterministic (as in the drawings of the failover rules)
  it.each<{
    drawing: string[];
    failed: string;
    lost?: string[];
    waiting?: string[];
    restarts: string;
    reads: string;
    waits: string;
  }>([
    { drawing: ['a => b => c'], failed: 'c', restarts: 'c', reads: 'b', waits: '' },
    { drawing: ['a => b => c'], failed: 'b', restarts: 'b c', reads: 'a', waits: '' },
    { drawing: ['a => b => c'], failed: 'c', lost: ['b'], restarts: 'b c', reads: 'a', waits: '' },
    { drawing: ['a => c', 'b => c'], failed: 'c', restarts: 'c', reads: 'a b', waits: '' },
    { drawing: ['a! => c'], failed: 'a', waiting: ['c[0]'], restarts: 'a c', reads: '', waits: 'c' },
    { drawing: ['a! => c'], failed: 'a', waiting: [], restarts: 'a', reads: '', waits: '' },
  ])('$drawing, $failed fails (lost: $lost): $restarts restart, $reads is read', (story) => {
    const { drawing, failed, lost = [], waiting = [], restarts, reads, waits } = story;
    const topology = drawnTopology([...drawing]);
    const failure = failureOf(topology, failed, lost);
    const seed = [topology.regions.regionOf(failure.vertex as ExecutionVertexId)];
    const { regions } = smallestRestart(seed, viewOf(topology), failure.lostPartitions);
    const proposal = propose(failure, viewOf(topology, waiting), { decision: { kind: 'restart', regions } }) as Restart;
    expect(named(topology, proposal.regions)).toBe(restarts);
    expect(readOf(topology, proposal)).toBe(reads);
    expect(named(topology, proposal.waiting)).toBe(waits);
  });

  it('for a failure of the whole job is everything, and reads nothing, whatever a strategy says', () => {
    const topology = drawnTopology(['a => b => c']);
    const failure = { ...failureOf(topology, 'a'), vertex: undefined };
    const everything = { kind: 'restart', regions: [0, 1, 2], again: [], waiting: [], reads: [], why: undefined };
    expect(propose(failure, viewOf(topology))).toEqual(everything);
    expect(propose(failure, viewOf(topology), { decision: { kind: 'fail' } })).toEqual(everything);
  });

  it('passes on the refusal of a strategy, and the problem of an invalid answer', () => {
    const topology = drawnTopology(['a => b']);
    const failure = failureOf(topology, 'b');
    const cause = new Error('enough');
    expect(propose(failure, viewOf(topology), { decision: { kind: 'fail', cause } })).toMatchObject({
      kind: 'fail',
      cause,
    });
    expect(propose(failure, viewOf(topology), { decision: 7 })).toEqual({ kind: 'invalid', problem: 'it answered 7' });
  });

  it('property: reads exactly the readable results that its tasks consume from tasks that do not restart', () => {
    fc.assert(
      fc.property(anyClaimingGraph, fc.nat(), fc.nat(), (graph, failed, gone) => {
        const topology = topologyOf(graph, (partition) => (partition * 7 + gone) % 5 === 0);
        const view = viewOf(topology);
        const vertex = (failed % graph.vertexCount) as ExecutionVertexId;
        const proposal = propose({ vertex, cause: new Error('x'), lostPartitions: [] }, view) as Restart;
        const restarting = new Set(proposal.regions);
        expect(restarting).toEqual(
          new Set(affectedRegions([topology.regions.regionOf(vertex)], topology, new Set()).keys()),
        );
        const expected = new Set<PartitionId>();
        for (let consumer = 0 as ExecutionVertexId; consumer < graph.vertexCount; consumer++) {
          if (!restarting.has(topology.regions.regionOf(consumer))) continue;
          graph.forEachConsumedGroup(consumer, (group) => {
            if (graph.exchangeOfGroup(group).joinsRegions) return;
            for (let at = graph.producerStart(group); at < graph.producerEnd(group); at++) {
              const producer = at as ExecutionVertexId;
              const partition = graph.partitionOf(graph.edgeIndexOfGroup(group), producer);
              if (!restarting.has(topology.regions.regionOf(producer)) && view.isPartitionReadable(partition)) {
                expected.add(partition);
              }
            }
          });
        }
        expect(new Set(proposal.reads)).toEqual(expected);
        expect(proposal.reads).toHaveLength(expected.size);
      }),
    );
  });
});
