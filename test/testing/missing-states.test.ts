import type { RegionId } from '../../src/ids.ts';
import type { JobEvent } from '../../src/index.ts';
import { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import { createJobGraph } from '../../src/graph/job-graph.ts';
import { missingStates } from '../../src/testing/checkpoints/missing-states.ts';

/** (a) ─▶ (b) ══▶ (c) */
const graphWith = (second: 'memory' | 'blocking'): ExecutionGraph =>
  new ExecutionGraph(
    createJobGraph(
      'row',
      ['a', 'b', 'c'].map((id) => ({ id, parallelism: 1 })),
      [
        { source: 'a', target: 'b', pattern: 'pointwise', exchange: exchangeTypes.pipelined },
        { source: 'b', target: 'c', pattern: 'pointwise', exchange: exchangeTypes[second] },
      ],
    ),
  );

const became = (vertex: number, state: string) => ({ type: 'task.stateChanged', vertex, state });
const decided = (regions: readonly number[], again: readonly number[]) => ({
  type: 'failover.decided',
  regions,
  again,
});
const ended = (vertex: number, isCurtailed: boolean) => ({ type: 'task.ended', vertex, isCurtailed });
const triggered = (checkpoint = 1) => ({ type: 'checkpoint.triggered', component: 0, checkpoint });
const completed = (tasks: readonly string[], checkpoint = 1) => ({
  ...{ type: 'checkpoint.completed', component: 0, checkpoint },
  tasks: tasks.map((task) => ({ task })),
});

const found = (events: readonly object[], second: 'memory' | 'blocking' = 'memory'): string[] =>
  missingStates(events as readonly JobEvent[], graphWith(second), {
    regionOf: (vertex) => (vertex < 2 ? 0 : 1) as RegionId,
  });

describe('K10: a task without a state', () => {
  it('finished between the barriers of its producer and its own: its state is missing', () => {
    const missing = 'K10: checkpoint 1 has a state of a[0], and none of b[0] behind it';
    expect(found([triggered(), became(0, 'finished'), became(1, 'finished'), completed(['a[0]', 'c[0]'])])).toEqual([
      missing,
    ]);
  });

  it.each<[string, readonly object[]]>([
    ['had finished before', [became(1, 'finished'), triggered(), completed(['a[0]'])]],
    ['got its end from a producer that has none either', [triggered(), became(1, 'finished'), completed(['c[0]'])]],
    ['did not wait for its end', [triggered(), ended(1, true), became(1, 'finished'), completed(['a[0]'])]],
  ])('%s: nothing is missing', (_, events) => {
    expect(found(events)).toEqual([]);
  });

  it('had the whole result of an earlier attempt, which its producer reproduces: nothing is missing', () => {
    const after = [triggered(), became(2, 'finished'), completed(['b[0]'])];
    expect(found([decided([0, 1], [0]), ...after])).toEqual([]);
    // Then it writes a new one.
    expect(found([decided([0, 1], [0]), decided([0, 1], []), ...after])).toHaveLength(1);
    expect(found([decided([1], [1]), ...after])).toHaveLength(1);
  });

  it('that restarted since it finished had not finished before', () => {
    const again = [became(1, 'finished'), became(1, 'created'), triggered(2), became(1, 'finished')];
    expect(found([...again, completed(['a[0]'], 2)])).toHaveLength(1);
  });

  it('reads a complete result: nobody expects one of it', () => {
    expect(found([triggered(), became(2, 'finished'), completed(['b[0]'])], 'blocking')).toEqual([]);
    expect(found([triggered(), became(2, 'finished'), completed(['b[0]'])])).toHaveLength(1);
  });
});
