import type { TaskCheckpointStatistics } from '../../src/actors/protocol/checkpoint-messages.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import { createJobGraph } from '../../src/graph/job-graph.ts';
import type { ExecutionVertexId, RegionId } from '../../src/ids.ts';
import type { ComponentCheckpoint } from '../../src/machines/checkpoint-coordinator/checkpoint-content.ts';
import { completedEvent, restoredEvent } from '../../src/machines/checkpoint-coordinator/checkpoint-facts.ts';

const graph = new ExecutionGraph(
  createJobGraph(
    'pair',
    ['a', 'b'].map((id) => ({ id, parallelism: 2 })),
    [{ source: 'a', target: 'b', pattern: 'pointwise', exchange: exchangeTypes.pipelined }],
  ),
);

const statistics: readonly TaskCheckpointStatistics[] = [
  { bytes: 100, referencedBytes: 0, alignmentMs: 0, snapshotMs: 1, writeMs: 0 },
  { bytes: 200, referencedBytes: 150, alignmentMs: 9, snapshotMs: 2, writeMs: 30 },
  { bytes: 400, referencedBytes: 30, alignmentMs: 4, snapshotMs: 3, writeMs: 0 },
];

/** The last task had finished. */
const checkpoint = {
  ...{ id: 7, kind: 'checkpoint', triggeredMs: 20, completedMs: 55 },
  states: new Map(statistics.map((one, vertex) => [vertex, { statistics: one }])),
} as unknown as ComponentCheckpoint;

describe('the event of a checkpoint', () => {
  it('that completed has sums, the longest alignment, and the part of each task', () => {
    const tasks = ['a[0]', 'a[1]', 'b[0]'].map((task, index) => ({ task, ...statistics[index] }));
    expect(completedEvent(checkpoint, graph)).toEqual({
      ...{ type: 'checkpoint.completed', checkpoint: 7, kind: 'checkpoint', durationMs: 35 },
      ...{ bytes: 700, referencedBytes: 180, alignmentMs: 9, tasks },
    });
  });

  it('that was restored has the bytes of the tasks of the region, with those that earlier ones had written', () => {
    const tasks = [1, 3] as ExecutionVertexId[];
    expect(restoredEvent(checkpoint, 4 as RegionId, tasks)).toEqual({
      ...{ type: 'checkpoint.restored', checkpoint: 7, kind: 'checkpoint' },
      ...{ region: 4, taskCount: 2, bytes: 200 },
    });
  });
});
