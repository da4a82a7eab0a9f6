import { PendingCheckpoint, type TaskAttempt } from '../../src/checkpoints/pending-checkpoint.ts';
import type { AttemptNumber, CheckpointId, ExecutionVertexId } from '../../src/ids.ts';

const task = (vertex: number, attempt = 0): TaskAttempt => ({
  vertex: vertex as ExecutionVertexId,
  attempt: attempt as AttemptNumber,
});

/** Of tasks 1 and 2, in their third attempts; task 3 has finished. */
const pending = (): PendingCheckpoint<string> =>
  new PendingCheckpoint(
    { id: 7 as CheckpointId, kind: 'checkpoint', triggeredMs: 5 },
    [task(1, 2), task(2, 2)],
    [task(3).vertex],
  );

describe('a pending checkpoint', () => {
  it('PN1: is complete once each of its tasks has acknowledged it', () => {
    const checkpoint = pending();
    expect(checkpoint.acknowledge(task(2, 2), 'b')).toBe('accepted');
    expect([checkpoint.openCount, checkpoint.open]).toEqual([1, [1]]);
    expect(checkpoint.acknowledge(task(1, 2), 'a')).toBe('accepted');
    expect(checkpoint.openCount).toBe(0);
    expect([...checkpoint.states].sort()).toEqual([
      [1, 'a'],
      [2, 'b'],
    ]);
    expect([...checkpoint.finished]).toEqual([3]);
  });

  it.each([
    ['an earlier attempt', task(1, 1)],
    ['a later attempt', task(1, 3)],
    ['a task that has finished', task(3)],
    ['a task of another component', task(9)],
  ])('PN1: of %s it knows nothing', (_, other) => {
    const checkpoint = pending();
    expect([checkpoint.acknowledge(other, 'x'), checkpoint.finish(other), checkpoint.has(other)]).toEqual([
      'unknown',
      'unknown',
      false,
    ]);
    expect([checkpoint.openCount, checkpoint.states.size]).toEqual([2, 0]);
  });

  it('PN1: a second acknowledgement changes nothing', () => {
    const checkpoint = pending();
    checkpoint.acknowledge(task(1, 2), 'a');
    expect(checkpoint.acknowledge(task(1, 2), 'x')).toBe('duplicate');
    expect([checkpoint.openCount, checkpoint.states.get(task(1).vertex)]).toEqual([1, 'a']);
  });

  it('PN2: a task that finishes has no state and is not awaited', () => {
    const checkpoint = pending();
    expect(checkpoint.finish(task(1, 2))).toBe('accepted');
    expect([checkpoint.openCount, [...checkpoint.finished].sort(), checkpoint.states.size]).toEqual([1, [1, 3], 0]);
    expect(checkpoint.acknowledge(task(1, 2), 'x')).toBe('duplicate');
    expect(checkpoint.states.size).toBe(0);
  });

  it('PN2: unless it acknowledged before: that state is of its barrier', () => {
    const checkpoint = pending();
    checkpoint.acknowledge(task(1, 2), 'a');
    expect(checkpoint.finish(task(1, 2))).toBe('duplicate');
    expect([[...checkpoint.finished], checkpoint.states.get(task(1).vertex)]).toEqual([[3], 'a']);
  });

  it('a task of it may decline it even after it acknowledged', () => {
    const checkpoint = pending();
    checkpoint.acknowledge(task(1, 2), 'a');
    expect([checkpoint.has(task(1, 2)), checkpoint.has(task(2, 2)), checkpoint.has(task(2, 1))]).toEqual([
      true,
      true,
      false,
    ]);
  });
});
