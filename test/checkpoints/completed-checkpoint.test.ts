import {
  type CompletedCheckpoint,
  retain,
  subsumedBy,
  withoutUnreadable,
} from '../../src/checkpoints/completed-checkpoint.ts';
import type { CheckpointId, ComponentId } from '../../src/ids.ts';

/** `s3`: savepoint 3. */
const completed = (drawing: string): CompletedCheckpoint<string> => ({
  id: Number(drawing.replace('s', '')) as CheckpointId,
  component: 0 as ComponentId,
  kind: drawing.startsWith('s') ? 'savepoint' : 'checkpoint',
  triggeredMs: 0,
  completedMs: 1,
  states: new Map(),
  finished: new Set(),
});

const ids = (checkpoints: readonly { readonly id: number }[]): number[] => checkpoints.map(({ id }) => id);

describe('completed checkpoints', () => {
  it.each<[retained: string[], completes: string, count: number, after: number[], dropped: number[]]>([
    [[], '1', 1, [1], []],
    [['1'], '2', 1, [2], [1]],
    [['1'], '2', 2, [1, 2], []],
    [['1', '2'], '3', 2, [2, 3], [1]],
    [['1', '2', '3'], '4', 1, [4], [1, 2, 3]],
    [['1', '3'], '2', 3, [1, 2, 3], []],
    [['3'], '2', 1, [3], [2]],
    [['1'], 's2', 1, [1], []],
  ])('of %j, %s completes and %i are retained: %j', (retained, completes, count, after, dropped) => {
    const result = retain(retained.map(completed), completed(completes), count);
    expect([ids(result.retained), ids(result.dropped)]).toEqual([after, dropped]);
  });

  it('one that cannot be read is none', () => {
    const retained = ['1', '2', '3'].map(completed);
    expect(ids(withoutUnreadable(retained, 3 as CheckpointId))).toEqual([1, 2]);
    expect(ids(withoutUnreadable(retained, 9 as CheckpointId))).toEqual([1, 2, 3]);
  });

  it.each<[completes: string, pending: string[], subsumed: number[]]>([
    ['3', ['1', '2', '4'], [1, 2]],
    ['3', ['s1', '2'], [2]],
    ['s3', ['1', '2'], []],
    ['3', [], []],
  ])('%s completes: of %j it makes %j superfluous', (completes, pending, subsumed) => {
    expect(ids(subsumedBy(completed(completes), pending.map(completed)))).toEqual(subsumed);
  });
});
