import type { CheckpointId } from '../../src/ids.ts';
import { TaskBarriers } from '../../src/operators/task/task-barriers.ts';
import type { CheckpointOutcome, TaskParts } from '../../src/operators/task/task-parts.ts';
import type { Barrier, BarrierKind } from '../../src/partitions/stream-element.ts';

const checkpoint = 7 as CheckpointId;

/** A task whose chain is idle, or done, as the test says. */
function taskWith(): {
  readonly barriers: TaskBarriers;
  readonly outcomes: CheckpointOutcome[];
  readonly calls: string[];
  readonly chain: { isIdle: boolean };
  readonly output: { isBehind: boolean };
} {
  const outcomes: CheckpointOutcome[] = [];
  const calls: string[] = [];
  const taken = (state: unknown) => ({ kind: 'taken', state });
  const chain = {
    isIdle: true,
    end: () => calls.push('end'),
    close: () => calls.push('close'),
    snapshot: (_: CheckpointId, isDrained: boolean) => taken({ kind: 'passing', isDrained }),
  };
  const input = {
    alignmentMs: 0,
    snapshot: () => taken({ kind: 'gate' }),
    trigger: () => calls.push('trigger'),
    abandon: () => {},
  };
  const output = { isBehind: false, mark: () => calls.push('mark'), snapshot: () => taken({ kind: 'writer' }) };
  const parts = { input, chain, outputs: [output], uids: {} } as unknown as TaskParts;
  const barriers = new TaskBarriers({
    clock: { now: () => 0 },
    parts: () => parts,
    isDoomed: () => false,
    report: (outcome) => void outcomes.push(outcome),
  });
  return { barriers, outcomes, calls, chain, output };
}

const barrierOf = (alignment: BarrierKind): Barrier => ({ kind: 'barrier', checkpoint, alignment });

describe('TaskBarriers', () => {
  it.each([['savepoint'], ['stop']] as const)(
    'TB1: at the barrier of a %s it waits until nothing is under way',
    (kind) => {
      const { barriers, outcomes, chain } = taskWith();
      chain.isIdle = false;
      barriers.arrived(barrierOf(kind), false);
      expect([barriers.isOn, barriers.goesOn(chain as never), outcomes]).toEqual([true, false, []]);
      chain.isIdle = true;
      expect(barriers.goesOn(chain as never)).toBe(true);
      expect(outcomes.map((outcome) => outcome.kind)).toEqual(['taken']);
      expect([barriers.isOn, barriers.isStopped]).toEqual([false, kind === 'stop']);
    },
  );

  it('TB1: one that stopped goes on if the savepoint fails, and not if it is complete', () => {
    for (const isComplete of [true, false]) {
      const { barriers, chain } = taskWith();
      barriers.arrived(barrierOf('stop'), false);
      barriers.goesOn(chain as never);
      expect(barriers.ended(6 as CheckpointId, false)).toBe(false);
      expect(barriers.ended(checkpoint, isComplete)).toBe(!isComplete);
      expect(barriers.isStopped).toBe(isComplete);
    }
  });

  it('TB2: a drain ends the input of the chain, and takes part once that is done', () => {
    const { barriers, outcomes, calls, chain } = taskWith();
    barriers.arrived(barrierOf('drain'), false);
    expect(calls).toEqual(['end']);
    expect([barriers.isOn, barriers.goesOn(chain as never), outcomes]).toEqual([true, false, []]);
    expect(barriers.chainIsDone()).toBe(true);
    expect(calls).toEqual(['end', 'mark']);
    expect(outcomes).toMatchObject([{ kind: 'taken', state: { isDrained: true, chain: { isDrained: true } } }]);
    expect([barriers.isStopped, barriers.chainIsDone()]).toEqual([true, false]);
  });

  it('TB2: if its input has ended already, the chain is not told again', () => {
    const { barriers, calls } = taskWith();
    barriers.arrived(barrierOf('drain'), true);
    expect(calls).toEqual([]);
    expect(barriers.chainIsDone()).toBe(true);
  });

  it.each([['draining'], ['drained']])('TB2: a task that is %s stays as it is if the savepoint fails', (phase) => {
    const { barriers } = taskWith();
    barriers.arrived(barrierOf('drain'), false);
    if (phase === 'drained') barriers.chainIsDone();
    expect(barriers.ended(checkpoint, false)).toBe(false);
    expect([barriers.isOn, barriers.isStopped, barriers.isFinishing]).toEqual([
      phase === 'draining',
      phase === 'drained',
      false,
    ]);
  });

  it('TB2: it finishes once the savepoint is complete, and takes part in no later checkpoint', () => {
    const { barriers, outcomes } = taskWith();
    barriers.arrived(barrierOf('drain'), false);
    barriers.chainIsDone();
    expect(barriers.ended(checkpoint, true)).toBe(true);
    expect(barriers.isFinishing).toBe(true);
    barriers.arrived({ kind: 'barrier', checkpoint: 8 as CheckpointId }, false);
    expect(outcomes.at(-1)).toMatchObject({ kind: 'declined', checkpoint: 8, reason: 'notRunning' });
  });

  it.each<[BarrierKind, begins: boolean]>([
    ['savepoint', false],
    ['stop', false],
    ['drain', false],
    ['exactly-once', true],
    ['at-least-once', true],
  ])('TB4: while it reproduces its results, a barrier (%s) begins: %s', (kind, begins) => {
    const { barriers, outcomes, calls, output } = taskWith();
    output.isBehind = true;
    barriers.trigger(barrierOf(kind), 'running');
    expect(calls).toEqual(begins ? ['trigger'] : []);
    expect(outcomes.map((outcome) => outcome.kind === 'declined' && outcome.reason)).toEqual(
      begins ? [] : ['notRunning'],
    );
    output.isBehind = false;
    barriers.trigger(barrierOf(kind), 'running');
    expect(calls.at(-1)).toBe('trigger');
  });

  it.each<[BarrierKind, takesPart: boolean]>([
    ['savepoint', false],
    ['stop', false],
    ['drain', false],
    ['exactly-once', true],
  ])(
    'TB4: a barrier (%s) that comes to a task while it reproduces its results: it takes part: %s',
    (kind, takesPart) => {
      const { barriers, outcomes, calls, output } = taskWith();
      output.isBehind = true;
      barriers.arrived(barrierOf(kind), false);
      expect([calls, barriers.isOn, barriers.isStopped]).toEqual([takesPart ? ['mark'] : [], false, false]);
      expect(outcomes.map((outcome) => outcome.kind)).toEqual([takesPart ? 'taken' : 'declined']);
    },
  );

  it('TB2: restored where it was drained, it only finishes', () => {
    const { barriers, calls } = taskWith();
    barriers.restoreDrained();
    expect([barriers.isFinishing, calls]).toEqual([true, ['close']]);
  });
});
