import type { JobEvent } from '../../../src/actors/job-event.ts';
import type { CheckpointId, ComponentId, RegionId } from '../../../src/ids.ts';
import { CheckpointHistory } from '../../../src/run/checkpoints/checkpoint-history.ts';

const scope = (component: number) =>
  ({ component: component as ComponentId, head: `source-${component}[0]`, kind: 'checkpoint' }) as const;
const id = (checkpoint: number): CheckpointId => checkpoint as CheckpointId;

const triggered = (component: number, checkpoint: number, atMs = 0): JobEvent => ({
  ...{ type: 'checkpoint.triggered', atMs, checkpoint: id(checkpoint), ...scope(component) },
  ...{ taskCount: 2, finishedCount: 0 },
});
const completed = (component: number, checkpoint: number): JobEvent => ({
  ...{ type: 'checkpoint.completed', atMs: 9, checkpoint: id(checkpoint), ...scope(component) },
  ...{ durationMs: 9, bytes: 30, referencedBytes: 10, alignmentMs: 2, tasks: [] },
});
const failed = (component: number, checkpoint: number | undefined): JobEvent => ({
  ...{ type: 'checkpoint.failed', atMs: 9, checkpoint: checkpoint === undefined ? undefined : id(checkpoint) },
  ...{ ...scope(component), reason: 'declined', durationMs: 9, task: 'map[2]', missing: ['map[2]'] },
});

const historyOf = (...events: readonly JobEvent[]) => {
  const history = new CheckpointHistory();
  for (const event of events) history.next(event);
  return history;
};

describe('the checkpoints of a run', () => {
  it('are reported by component', () => {
    const restored: JobEvent = {
      ...{ type: 'checkpoint.restored', atMs: 20, checkpoint: id(1), ...scope(0) },
      ...{ region: 3 as RegionId, taskCount: 1, bytes: 30 },
    };
    const report = historyOf(
      ...[triggered(1, 1), triggered(0, 1, 4), completed(0, 1), failed(1, 1), restored, triggered(0, 2, 8)],
    ).value();
    expect(report).toMatchObject([
      {
        ...{ component: 0, head: 'source-0[0]', completed: 1, failed: 0, restored: 1 },
        latest: [
          { checkpoint: 1, state: 'completed', triggeredMs: 4, durationMs: 9, bytes: 30, referencedBytes: 10 },
          { checkpoint: 2, state: 'pending', triggeredMs: 8, taskCount: 2 },
        ],
      },
      {
        ...{ component: 1, completed: 0, failed: 1, restored: 0 },
        latest: [{ checkpoint: 1, state: 'failed', reason: 'declined', task: 'map[2]', missing: ['map[2]'] }],
      },
    ]);
  });

  it('one that failed before it got a number is among them', () => {
    expect(historyOf(failed(0, undefined)).value()).toMatchObject([
      { failed: 1, latest: [{ checkpoint: undefined, state: 'failed', triggeredMs: 9 }] },
    ]);
  });

  it('the ten latest are kept, and all are counted', () => {
    const events = Array.from({ length: 12 }, (_, index) => [triggered(0, index + 1), completed(0, index + 1)]).flat();
    const [report] = historyOf(...events).value();
    expect(report?.completed).toBe(12);
    expect(report?.latest.map(({ checkpoint }) => checkpoint)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });

  it('a later event does not change a report', () => {
    const history = historyOf(triggered(0, 1));
    const before = history.value();
    history.next(completed(0, 1));
    expect(before[0]?.latest).toMatchObject([{ state: 'pending' }]);
  });
});
