import { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import { createJobGraph } from '../../src/graph/job-graph.ts';
import type { ExecutionVertexId } from '../../src/ids.ts';
import { SlowTasks, type SlownessRule } from '../../src/scheduling/slow-tasks.ts';

/** Tasks 0 to 3 of one vertex, 4 to 7 of another. */
const graph = new ExecutionGraph(
  createJobGraph(
    'test',
    [
      { id: 'a', parallelism: 4 },
      { id: 'b', parallelism: 4 },
    ],
    [],
  ),
);

const usual: SlownessRule = { ratio: 0.5, multiplier: 2, minimumMs: 0 };

/** Tasks that were all deployed at 0, and when some of them finished. */
function watched(finishedAtMs: Readonly<Record<number, number>>, rule: Partial<SlownessRule> = {}): SlowTasks {
  const tasks = new SlowTasks(graph, { ...usual, ...rule });
  for (let task = 0; task < 8; task++) tasks.begin(task as ExecutionVertexId, 0);
  for (const [task, atMs] of Object.entries(finishedAtMs)) tasks.finish(Number(task) as ExecutionVertexId, atMs);
  return tasks;
}

const slowAt = (tasks: SlowTasks, nowMs: number): number[] => tasks.at(nowMs).map(({ vertex }) => vertex);

describe('slow tasks', () => {
  it.each<{
    readonly what: string;
    readonly finished: Readonly<Record<number, number>>;
    readonly rule?: Partial<SlownessRule>;
    readonly nowMs: number;
    readonly slow: readonly number[];
  }>([
    { what: 'SL1: nothing has finished', finished: {}, nowMs: 1_000, slow: [] },
    { what: 'SL1: too few have finished', finished: { 0: 10 }, nowMs: 1_000, slow: [] },
    { what: 'SL1: of another vertex', finished: { 0: 10, 1: 10 }, nowMs: 1_000, slow: [2, 3] },
    { what: 'exactly as long as allowed', finished: { 0: 10, 1: 10 }, nowMs: 20, slow: [] },
    { what: 'longer', finished: { 0: 10, 1: 10 }, nowMs: 21, slow: [2, 3] },
    { what: 'the median of two is their mean', finished: { 0: 10, 1: 30 }, nowMs: 41, slow: [2, 3] },
    { what: 'the median of two is their mean', finished: { 0: 10, 1: 30 }, nowMs: 40, slow: [] },
    { what: 'the median of three', finished: { 0: 10, 1: 30, 2: 400 }, nowMs: 61, slow: [3] },
    { what: 'not before the minimum', finished: { 0: 1, 1: 1 }, rule: { minimumMs: 50 }, nowMs: 50, slow: [] },
    { what: 'after the minimum', finished: { 0: 1, 1: 1 }, rule: { minimumMs: 50 }, nowMs: 51, slow: [2, 3] },
    {
      what: 'SL1: with a ratio of 1, all but one must have finished',
      finished: { 0: 1, 1: 1, 4: 1, 5: 1, 6: 1 },
      rule: { ratio: 1 },
      nowMs: 99,
      slow: [7],
    },
    { what: 'tasks that took no time', finished: { 0: 0, 1: 0 }, nowMs: 1, slow: [2, 3] },
  ])('$what: at $nowMs ms, $slow', ({ finished, rule, nowMs, slow }) => {
    expect(slowAt(watched(finished, rule), nowMs)).toEqual(slow);
  });

  it.each([2, 3])('SL1: of %i tasks, all but one are enough, whatever the ratio', (parallelism) => {
    const few = new ExecutionGraph(createJobGraph('few', [{ id: 'a', parallelism }], []));
    const tasks = new SlowTasks(few, { ...usual, ratio: 0.75 });
    for (let task = 0; task < parallelism; task++) tasks.begin(task as ExecutionVertexId, 0);
    expect(slowAt(tasks, 1_000)).toEqual([]);
    for (let task = 1; task < parallelism; task++) tasks.finish(task as ExecutionVertexId, 10);
    expect(slowAt(tasks, 21)).toEqual([0]);
  });

  it('says how long they ran, and how long they might', () => {
    expect(watched({ 0: 10, 1: 10, 2: 10 }).at(70)).toEqual([{ vertex: 3, ranMs: 70, allowedMs: 20 }]);
  });

  it('SL2: a finished task that runs again is no measure, and is measured anew', () => {
    const tasks = watched({ 0: 10, 1: 10 });
    tasks.begin(1 as ExecutionVertexId, 100);
    expect(tasks.mayGrow).toBe(false);
    tasks.finish(1 as ExecutionVertexId, 160);
    // The median is that of 10 and 60 ms now.
    expect(slowAt(tasks, 70)).toEqual([]);
    expect(slowAt(tasks, 161)).toEqual([2, 3]);
  });

  it('nothing can become slow without running tasks, or by a task that is watched no more', () => {
    const tasks = watched({ 0: 10, 1: 10 });
    expect(tasks.mayGrow).toBe(true);
    for (const task of [2, 3]) tasks.leave(task as ExecutionVertexId);
    expect(tasks.mayGrow).toBe(false);
    tasks.finish(2 as ExecutionVertexId, 5_000);
    expect(tasks.mayGrow).toBe(false);
  });
});
