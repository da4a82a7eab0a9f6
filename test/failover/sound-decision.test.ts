import fc from 'fast-check';
import { affectedRegions } from '../../src/failover/affected-regions.ts';
import { soundDecision } from '../../src/failover/sound-decision.ts';
import type { ExecutionVertexId, PartitionId, RegionId } from '../../src/ids.ts';
import { anyClaimingGraph } from '../graph/naive-graph.ts';
import { drawnTopology, failureOf, topologyOf } from './drawn-failure.ts';

//  (a) ═▶ (b) ═▶ (c)      regions 0, 1, 2
const stages = drawnTopology(['a => b => c']);
const failureOfB = failureOf(stages, 'b');
const refusal = new Error('enough');

describe('a sound decision', () => {
  it.each([
    { answer: undefined, problem: 'it answered undefined' },
    { answer: null, problem: 'it answered null' },
    { answer: 'restart', problem: 'it answered "restart"' },
    { answer: {}, problem: 'it answered kind undefined, neither "restart" nor "fail"' },
    { answer: { kind: 'ignore' }, problem: 'it answered kind "ignore", neither "restart" nor "fail"' },
    { answer: { kind: 'restart' }, problem: 'it named no regions' },
    { answer: { kind: 'restart', regions: 1 }, problem: 'it named no regions' },
    { answer: { kind: 'restart', regions: '1' }, problem: 'it named no regions' },
    { answer: { kind: 'restart', regions: [1, 3] }, problem: 'it named region 3, regions are 0 to 2' },
    { answer: { kind: 'restart', regions: [-1] }, problem: 'it named region -1, regions are 0 to 2' },
    { answer: { kind: 'restart', regions: [1.5] }, problem: 'it named region 1.5, regions are 0 to 2' },
    { answer: { kind: 'restart', regions: ['1'] }, problem: 'it named region "1", regions are 0 to 2' },
    { answer: { kind: 'restart', regions: [0, 2] }, problem: 'it left out region 1, the region of the failed task' },
    { answer: { kind: 'restart', regions: [] }, problem: 'it left out region 1, the region of the failed task' },
  ])('is not $answer: $problem', ({ answer, problem }) => {
    expect(soundDecision(answer, failureOfB, stages)).toEqual({ kind: 'invalid', problem });
  });

  const added = 'added: they read recomputed results, or produce lost ones';
  it.each([
    { answer: [1, 2], why: undefined, regions: [1, 2], says: undefined },
    { answer: [2, 1, 2], why: 'both', regions: [2, 1], says: 'both' },
    { answer: [1], why: undefined, regions: [1, 2], says: `1 more region was ${added}` },
    { answer: [1], why: 'my choice', regions: [1, 2], says: `my choice; 1 more region was ${added}` },
    { answer: [1, 0], why: undefined, regions: [1, 0, 2], says: `1 more region was ${added}` },
    { answer: new Set([1, 2]), why: 7, regions: [1, 2], says: undefined },
  ])('restart of $answer becomes $regions', ({ answer, why, regions, says }) => {
    expect(soundDecision({ kind: 'restart', regions: answer, why }, failureOfB, stages)).toEqual({
      kind: 'restart',
      regions,
      again: [],
      why: says,
    });
  });

  it('counts all added regions', () => {
    const failure = failureOf(stages, 'a');
    expect(soundDecision({ kind: 'restart', regions: [0] }, failure, stages)).toEqual({
      kind: 'restart',
      regions: [0, 1, 2],
      again: [],
      why: `2 more regions were ${added}`,
    });
  });

  it.each<{ failed: string; lost: string[]; asked: number[]; regions: number[]; again: number[] }>([
    { failed: 'a', lost: [], asked: [0], regions: [0], again: [0] },
    { failed: 'b', lost: [], asked: [1], regions: [1, 2], again: [] },
    { failed: 'c', lost: ['b'], asked: [2], regions: [2, 1], again: [] },
    { failed: 'b', lost: ['a'], asked: [1], regions: [1, 0, 2], again: [] },
    { failed: 'a', lost: [], asked: [0, 2], regions: [0, 2], again: [0, 2] },
    { failed: 'a', lost: [], asked: [0, 1], regions: [0, 1, 2], again: [] },
  ])(
    'a! => b => c!: $failed fails, $lost are lost, $asked are requested: $regions restart, $again of them again',
    ({ failed, lost, asked, regions, again }) => {
      const claiming = drawnTopology(['a! => b => c!']);
      const decision = soundDecision({ kind: 'restart', regions: asked }, failureOf(claiming, failed, lost), claiming);
      expect(decision).toMatchObject({ kind: 'restart', regions, again });
    },
  );

  it('adds the producer of a lost result', () => {
    const failure = failureOf(stages, 'c', ['b']);
    expect(soundDecision({ kind: 'restart', regions: [2] }, failure, stages)).toMatchObject({ regions: [2, 1] });
  });

  it.each([
    { cause: refusal, kept: refusal },
    { cause: undefined, kept: failureOfB.cause },
    { cause: 'because', kept: failureOfB.cause },
    { cause: null, kept: failureOfB.cause },
    { cause: { code: 7 }, kept: failureOfB.cause },
  ])('a refusal stays a refusal, with a cause: $cause', ({ cause, kept }) => {
    const decision = soundDecision({ kind: 'fail', cause, why: 'enough' }, failureOfB, stages);
    expect(decision).toEqual({ kind: 'fail', cause: kept, why: 'enough' });
  });

  it('contains every requested region and is closed: checking it again adds nothing', () => {
    const anyLoss = fc.array(fc.nat(40), { maxLength: 4 });
    fc.assert(
      fc.property(anyClaimingGraph, fc.nat(29), fc.array(fc.nat(29)), anyLoss, (graph, task, more, lost) => {
        const topology = topologyOf(graph);
        const vertex = (task % graph.vertexCount) as ExecutionVertexId;
        const failure = { ...failureOf(topology), vertex, lostPartitions: lost as PartitionId[] };
        const asked = [
          topology.regions.regionOf(vertex),
          ...more.map((region) => (region % topology.regions.count) as RegionId),
        ];
        const decision = soundDecision({ kind: 'restart', regions: asked }, failure, topology);
        if (decision.kind !== 'restart') throw new Error(`It became ${decision.kind}`);
        const regions = new Set(decision.regions);
        expect(regions.size).toBe(decision.regions.length);
        for (const region of asked) expect(regions.has(region)).toBe(true);
        const checked = affectedRegions(regions, topology, new Set(failure.lostPartitions));
        expect([...checked.keys()].sort()).toEqual([...regions].sort());
        expect(decision.again.toSorted()).toEqual(
          [...regions].filter((region) => checked.get(region) === 'again').sort(),
        );
        expect(decision.why === undefined).toBe(regions.size === new Set(asked).size);
      }),
    );
  });
});
