import { Subject } from 'rxjs';
import { toError } from '../../src/errors/thrown-value.ts';
import type { FailurePlace } from '../../src/failure-place.ts';
import type { AttemptNumber, CheckpointId } from '../../src/ids.ts';
import { TaskScheduler } from '../../src/operators/task/task-scheduler.ts';
import type { Blame, OperatorStage } from '../../src/operators/operator-stage.ts';
import { CommitGate } from '../../src/operators/sinks/commit-gate.ts';
import { StreamTask } from '../../src/operators/task/stream-task.ts';
import type { CheckpointOutcome, TaskParts } from '../../src/operators/task/task-parts.ts';
import { TaskContext } from '../../src/operators/task/task-context.ts';
import { absent, type StateSnapshot } from '../../src/operators/state/state-snapshot.ts';
import type { StageState } from '../../src/operators/state/stage-state.ts';
import { FrozenTable } from '../../src/operators/state/tables/frozen-table.ts';
import type { OutputState, SourceState } from '../../src/operators/state/task-state.ts';
import type { Barrier, Batch, Mark, StreamElement } from '../../src/partitions/stream-element.ts';
import type { TaskInput, TaskOutput } from '../../src/partitions/task-io.ts';
import { faultPlan } from '../../src/testing/fault-plan.ts';
import { virtualEnvironment } from '../../src/testing/virtual-environment.ts';
import { testRun } from '../support/test-run.ts';

/** An input that a test feeds. */
class HandInput implements TaskInput {
  readonly #elements = new Subject<StreamElement>();
  readonly elements$ = this.#elements.asObservable();
  readonly waiting: (StreamElement | Error)[] = [];
  #listener: (() => void) | undefined;
  #finishClosing: (() => void) | undefined;
  closed = 0;
  dismissed = 0;
  closesLater = false;

  emitNext(): boolean {
    if (this.barrier !== undefined) return this.emitBarrier();
    const next = this.waiting.shift();
    if (next === undefined) return false;
    if (next instanceof Error) this.#elements.error(next);
    else this.#elements.next(next);
    return true;
  }

  onAvailable(listener: () => void): void {
    this.#listener = listener;
  }

  dismiss(): void {
    this.dismissed++;
  }

  snapshot(): StateSnapshot<SourceState> {
    const nothing = new Uint8Array();
    return { kind: 'taken', state: { kind: 'source', position: nothing, waiting: nothing, emitted: 0 } };
  }

  readonly alignmentMs = 5;
  barrier: Barrier | undefined;
  readonly abandoned: number[] = [];

  emitBarrier(): boolean {
    const { barrier } = this;
    if (barrier === undefined) return false;
    this.barrier = undefined;
    this.#elements.next(barrier);
    return true;
  }

  trigger(barrier: Barrier): void {
    this.barrier = barrier;
    this.#listener?.();
  }

  abandon(checkpoint: number): void {
    this.abandoned.push(checkpoint);
  }

  close(done: () => void): void {
    this.closed++;
    if (this.closesLater) this.#finishClosing = done;
    else done();
  }

  placeOf(record: number): string {
    return `record ${record}`;
  }

  locate: ((record: number) => Promise<string | undefined>) | undefined;

  finishClosing(): void {
    this.#finishClosing?.();
  }

  feed(...records: unknown[]): void {
    this.waiting.push({ kind: 'records', records });
    this.#listener?.();
  }

  end(): void {
    this.waiting.push({ kind: 'end' });
    this.#listener?.();
  }

  fail(error: Error): void {
    this.waiting.push(error);
    this.#listener?.();
  }
}

/** A chain that passes its input on, and does what the test wants on the way. */
class HandChain implements OperatorStage {
  #waiting: Batch | undefined;
  #isOver = false;
  isClosed = false;
  /** It is done before its input has ended. */
  isDoneEarly = false;
  onPush: (records: Batch) => void = () => {};
  blame: Blame | undefined;

  get isAccepting(): boolean {
    return this.#waiting === undefined;
  }

  push(records: Batch): void {
    this.onPush(records);
    this.#waiting = records;
  }

  end(): void {
    this.#isOver = true;
  }

  poll(): Batch | undefined {
    const results = this.#waiting;
    this.#waiting = undefined;
    return results;
  }

  get isDone(): boolean {
    return (this.#isOver || this.isDoneEarly) && this.#waiting === undefined;
  }

  originOf(result: number): number {
    return result;
  }

  snapshot(): StateSnapshot<StageState> {
    if (this.isStateless) return absent('"map" is a pipe');
    return { kind: 'taken', state: { kind: 'passing', waiting: new Uint8Array(), isOver: this.#isOver } };
  }

  isStateless = false;

  restore(): void {}

  close(): void {
    this.isClosed = true;
  }
}

/** An output that records its calls. */
class HandOutput implements TaskOutput {
  readonly log: unknown[] = [];
  isWritable = true;
  isNeeded = true;
  failure: Error | undefined;
  finishesLater = false;
  waits = 0;
  #listener: (() => void) | undefined;
  #finishing: ((error?: Error) => void) | undefined;

  waitForRoom(): void {
    this.waits++;
  }

  onWritable(listener: () => void): void {
    this.#listener = listener;
  }

  write(records: Batch): void {
    this.log.push([...records]);
  }

  mark(mark: Mark): void {
    this.log.push(mark);
  }

  snapshot(): StateSnapshot<OutputState> {
    return { kind: 'taken', state: { kind: 'writer', next: 0, records: [this.log.length] } };
  }

  whenMarked: ((done: () => void) => void) | undefined;
  readonly completions: number[] = [];

  completed(checkpoint: number): void {
    this.completions.push(checkpoint);
  }

  restore(): void {}

  flush(): void {
    if (this.log.at(-1) !== 'flush') this.log.push('flush');
  }

  finish(done: (error?: Error) => void): void {
    this.log.push('finish');
    if (this.finishesLater) this.#finishing = done;
    else done();
  }

  curtail(done: (error?: Error) => void): void {
    this.log.push('curtail');
    if (this.finishesLater) this.#finishing = done;
    else done();
  }

  abort(done: () => void): void {
    this.log.push('abort');
    done();
  }

  becomeWritable(): void {
    this.isWritable = true;
    this.#listener?.();
  }

  becomeUnneeded(): void {
    this.isNeeded = false;
    this.#listener?.();
  }

  becomeFailed(error: Error): void {
    this.failure = error;
    this.#listener?.();
  }

  finishNow(error?: Error): void {
    this.#finishing?.(error);
  }
}

function setUp(
  open?: (parts: TaskParts) => TaskParts | Promise<TaskParts>,
  more: readonly HandOutput[] = [],
  commitGate?: CommitGate,
) {
  const faults = faultPlan();
  const environment = virtualEnvironment({ faults });
  const context = new TaskContext({
    ...testRun(),
    job: 'job',
    vertex: 'map',
    subtask: 1,
    parallelism: 2,
    attempt: 0 as AttemptNumber,
    environment,
  });
  const reports: string[] = [];
  const [input, chain, output] = [new HandInput(), new HandChain(), new HandOutput()];
  const uids = { source: 'lines', operators: ['parse', 'rate'], last: 'out' };
  const parts = { input, chain, outputs: [output, ...more], uids };
  const places: (FailurePlace | undefined)[] = [];
  const checkpoints: CheckpointOutcome[] = [];
  const task = new StreamTask({
    context,
    commitGate,
    scheduler: new TaskScheduler(environment.clock),
    listener: {
      initializing: () => reports.push('initializing'),
      running: () => reports.push('running'),
      finished: ({ recordsIn, recordsOut, isCurtailed }) =>
        reports.push(`${isCurtailed ? 'curtailed' : 'finished'} ${recordsIn} ${recordsOut}`),
      failed: (cause, { recordsIn }, place) => {
        reports.push(`failed ${recordsIn}: ${cause.message}`);
        places.push(place);
      },
      canceled: ({ recordsIn }) => reports.push(`canceled ${recordsIn}`),
      checkpointed: (outcome) => checkpoints.push(outcome),
    },
    open: () => open?.(parts) ?? parts,
  });
  return {
    task,
    input,
    chain,
    output,
    reports,
    places,
    checkpoints,
    faults,
    context,
    environment,
    idle: () => environment.runUntilIdle(),
    settle: () => environment.settle(),
  };
}

const lastOf = (reports: readonly string[]): string | undefined => reports.at(-1);

describe('StreamTask', () => {
  it('runs from its input through its chain to its outputs, commits, and reports it', () => {
    const { task, input, output, reports, idle } = setUp();
    task.start();
    expect(reports).toEqual([]);
    input.feed(1, 2);
    input.feed(3);
    input.end();
    idle();
    expect(output.log).toEqual([[1, 2], [3], 'finish']);
    expect(reports).toEqual(['initializing', 'running', 'finished 3 3']);
    expect(input.closed).toBe(1);
  });

  it('flushes partial batches while it waits for input', () => {
    const { task, input, output, idle } = setUp();
    task.start();
    input.feed(1);
    idle();
    expect(output.log).toEqual([[1], 'flush']);
    input.feed(2);
    idle();
    expect(output.log).toEqual([[1], 'flush', [2], 'flush']);
  });

  it('ST1: takes no input while an output has no room', () => {
    const { task, input, output, idle } = setUp();
    output.isWritable = false;
    task.start();
    input.feed(1);
    input.feed(2);
    idle();
    expect(output.log).toEqual([]);
    expect(input.waiting).toHaveLength(2);
    expect(output.waits).toBeGreaterThan(0);
    output.becomeWritable();
    idle();
    expect(output.log).toEqual([[1], [2], 'flush']);
  });

  it('counts how long it waits for room', () => {
    const { task, input, output, environment, idle } = setUp();
    task.start();
    input.feed(1);
    idle();
    expect(task.counts.waitedMs).toBe(0);
    output.isWritable = false;
    input.feed(2);
    idle();
    environment.advance(30);
    expect(task.counts.waitedMs).toBe(30);
    output.becomeWritable();
    idle();
    environment.advance(100);
    output.isWritable = false;
    input.feed(3);
    idle();
    environment.advance(12);
    expect(task.counts).toEqual({ recordsIn: 2, recordsOut: 2, waitedMs: 42 });
  });

  it('ST2: finishes when the outputs are safe and the input is closed', () => {
    const { task, input, output, reports, idle } = setUp();
    output.finishesLater = true;
    input.closesLater = true;
    task.start();
    input.end();
    idle();
    expect(lastOf(reports)).toBe('running');
    output.finishNow();
    expect(lastOf(reports)).toBe('running');
    input.finishClosing();
    expect(lastOf(reports)).toBe('finished 0 0');
  });

  it('ST8: if it asks, it finishes only once its sinks have been let through the gate', () => {
    let asked = 0;
    const gate = new CommitGate(() => asked++);
    const { task, input, output, reports, idle } = setUp(undefined, [], gate);
    output.finishesLater = true;
    gate.expect();
    task.start();
    input.end();
    idle();
    gate.arrive(() => output.finishNow());
    expect([asked, lastOf(reports)]).toEqual([1, 'running']);
    task.commit();
    expect(lastOf(reports)).toBe('finished 0 0');
  });

  describe('ST4: its output is no longer needed', () => {
    it.each<[string, (parts: ReturnType<typeof setUp>) => void, string]>([
      ['while it waits for input', ({ input, idle }) => (input.feed(1), idle()), 'curtailed 1 1'],
      [
        'while it waits for room',
        ({ output, input, idle }) => ((output.isWritable = false), input.feed(1), idle()),
        'curtailed 0 0',
      ],
      ['before it runs', () => {}, 'curtailed 0 0'],
      [
        'while it writes',
        ({ output, input, idle }) => (
          (output.write = () => output.becomeUnneeded()), input.feed(1), input.feed(2), idle()
        ),
        'curtailed 1 1',
      ],
    ])('%s: ends as finished, and its input, its chain and the signal are told', (_, reach, report) => {
      const parts = setUp();
      parts.task.start();
      reach(parts);
      parts.output.becomeUnneeded();
      parts.idle();
      expect(lastOf(parts.reports)).toBe(report);
      expect(parts.output.log.at(-1)).toBe('curtail');
      expect([parts.input.dismissed, parts.input.closed, parts.chain.isClosed, parts.context.signal.aborted]).toEqual([
        1,
        1,
        true,
        true,
      ]);
    });

    it('one needed output is enough to continue', () => {
      const other = new HandOutput();
      const { task, input, output, reports, idle } = setUp(undefined, [other]);
      task.start();
      output.becomeUnneeded();
      input.feed(1);
      idle();
      expect([lastOf(reports), other.log]).toEqual(['running', [[1], 'flush']]);
      other.becomeUnneeded();
      idle();
      expect(lastOf(reports)).toBe('curtailed 1 1');
      expect([output.log.at(-1), other.log.at(-1)]).toEqual(['curtail', 'curtail']);
    });

    it('a failure in the chain at the same time does not count', () => {
      const { task, chain, output, reports, idle } = setUp();
      task.start();
      idle();
      chain.poll = () => throwIt(new Error('a call failed'));
      output.becomeUnneeded();
      idle();
      expect(lastOf(reports)).toBe('curtailed 0 0');
    });

    it('finishes when its outputs are safe and its input is closed', () => {
      const { task, input, output, reports, idle } = setUp();
      output.finishesLater = input.closesLater = true;
      task.start();
      output.becomeUnneeded();
      idle();
      output.finishNow();
      expect(lastOf(reports)).toBe('running');
      input.finishClosing();
      expect(lastOf(reports)).toBe('curtailed 0 0');
    });

    it('a failed output fails it regardless', () => {
      const { task, output, reports, idle } = setUp();
      task.start();
      output.isNeeded = false;
      output.becomeFailed(new Error('no disk'));
      idle();
      expect(lastOf(reports)).toBe('failed 0: no disk');
    });
  });

  describe('ST5: it needs no more input', () => {
    it('because its chain is done: dismisses it before its outputs are safe, and finishes', () => {
      const { task, input, chain, output, reports, idle } = setUp();
      output.finishesLater = true;
      chain.onPush = () => (chain.isDoneEarly = true);
      task.start();
      input.feed(1);
      input.feed(2);
      idle();
      expect([input.dismissed, input.closed, input.waiting.length]).toEqual([1, 0, 1]);
      output.finishNow();
      expect(reports.at(-1)).toBe('finished 1 1');
    });

    it.each<[string, (parts: ReturnType<typeof setUp>) => void]>([
      ['is canceled', ({ task }) => task.cancel()],
      ['fails', ({ output }) => output.becomeFailed(new Error('no disk'))],
      ['is canceled although its chain is done', ({ task, chain }) => ((chain.isDoneEarly = true), task.cancel())],
      ['has read everything', ({ input }) => input.end()],
    ])('does not dismiss it when it %s', (_, end) => {
      const parts = setUp();
      parts.task.start();
      parts.idle();
      end(parts);
      parts.idle();
      expect([parts.input.dismissed, parts.input.closed]).toEqual([0, 1]);
    });
  });

  describe('a failure closes everything', () => {
    const boom = new Error('boom');
    it.each<[string, (parts: ReturnType<typeof setUp>) => void, string]>([
      ['a function of the user', ({ chain }) => (chain.onPush = () => throwIt(boom)), 'failed 1: boom'],
      [
        'a function that throws no error',
        ({ chain }) => (chain.onPush = () => throwIt('text')),
        'failed 1: A non-error was thrown: "text"',
      ],
      ['its input', ({ input }) => input.fail(boom), 'failed 0: boom'],
      ['a full disk under an output', ({ output }) => (output.write = () => throwIt(boom)), 'failed 1: boom'],
      ['an output that fails between writes', ({ output }) => output.becomeFailed(boom), 'failed 0: boom'],
      ['a fault when it opens', ({ faults }) => faults.fail('task.open', { error: boom }), 'failed 0: boom'],
      ['a fault at a batch', ({ faults }) => faults.fail('task.batch', { error: boom }), 'failed 0: boom'],
      ['a fault at the end', ({ faults }) => faults.fail('task.end', { error: boom }), 'failed 1: boom'],
      ['a fault after the commit', ({ faults }) => faults.fail('task.finish', { error: boom }), 'failed 1: boom'],
    ])('%s', (_, breakIt, report) => {
      const parts = setUp();
      breakIt(parts);
      parts.task.start();
      parts.input.feed(1);
      parts.input.end();
      parts.idle();
      expect(lastOf(parts.reports)).toBe(report);
      expect(parts.context.signal.aborted).toBe(true);
      if (parts.reports.includes('running')) {
        expect(parts.chain.isClosed).toBe(true);
        expect(parts.input.closed).toBeGreaterThan(0);
        expect(parts.output.log).toContain('abort');
      }
    });

    it.each<[string, (parts: ReturnType<typeof setUp>) => void, FailurePlace | undefined]>([
      [
        'an operator, at a record that its input can tell of',
        ({ chain }) =>
          (chain.onPush = () => {
            chain.blame = { operator: 1, record: { value: { id: 7 }, number: 2 } };
            throw boom;
          }),
        { operator: 'rate', record: { position: 'record 2', picture: '{"id":7}' } },
      ],
      [
        'an operator, at a record whose number is no longer known',
        ({ chain }) =>
          (chain.onPush = () => {
            chain.blame = { operator: 0, record: { value: 'a', number: undefined } };
            throw boom;
          }),
        { operator: 'parse', record: { position: undefined, picture: '"a"' } },
      ],
      [
        'an operator, at a key',
        ({ chain }) =>
          (chain.onPush = () => {
            chain.blame = { operator: 1, key: { value: 'JFK' } };
            throw boom;
          }),
        { operator: 'rate', record: { position: 'key "JFK"', picture: undefined } },
      ],
      ['its source', ({ input }) => input.fail(boom), { operator: 'lines', record: undefined }],
      ['its output', ({ output }) => (output.write = () => throwIt(boom)), { operator: 'out', record: undefined }],
      ['its output, later', ({ output }) => output.becomeFailed(boom), { operator: 'out', record: undefined }],
      ['no particular part', ({ faults }) => faults.fail('task.batch', { error: boom }), undefined],
    ])('has its place: %s', (_, breakIt, place) => {
      const parts = setUp();
      breakIt(parts);
      parts.task.start();
      parts.input.feed(1);
      parts.input.end();
      parts.idle();
      expect(parts.places).toEqual([place]);
      expect(parts.environment.clock.timerCount).toBe(0);
    });

    it.each<[string, (record: number) => Promise<string | undefined>, string]>([
      ['an input that can tell exactly', async (record) => `lines.csv:${record}`, 'lines.csv:2'],
      ['an input that cannot after all', async () => undefined, 'record 2'],
      ['an input that takes too long', () => new Promise(() => {}), 'record 2'],
    ])('has its place, by %s', async (_, locate, position) => {
      const { task, input, chain, places, environment } = setUp();
      input.locate = locate;
      chain.onPush = () => {
        chain.blame = { operator: 1, record: { value: 7, number: 2 } };
        throw boom;
      };
      task.start();
      input.feed(1);
      await environment.runUntil(() => places.length > 0);
      expect(places).toEqual([{ operator: 'rate', record: { position, picture: '7' } }]);
      expect(environment.clock.timerCount).toBe(0);
    });

    it('an output that cannot be made safe', () => {
      const { task, input, output, reports, idle } = setUp();
      output.finishesLater = true;
      task.start();
      input.end();
      idle();
      output.finishNow(boom);
      idle();
      expect(lastOf(reports)).toBe('failed 0: boom');
      expect(output.log.at(-1)).toBe('abort');
    });

    it('a part that cannot be opened, synchronously or later', async () => {
      const atOnce = setUp(() => throwIt(boom));
      atOnce.task.start();
      atOnce.idle();
      expect(atOnce.reports).toEqual(['initializing', 'failed 0: boom']);

      const later = setUp(() => Promise.reject(boom));
      later.task.start();
      await later.settle();
      expect(later.reports).toEqual(['initializing', 'failed 0: boom']);
    });
  });

  describe('cancel', () => {
    it.each<[string, (parts: ReturnType<typeof setUp>) => void, string]>([
      ['before it starts', ({ task }) => task.start(), 'canceled 0'],
      ['while it waits for input', ({ task, idle }) => (task.start(), idle()), 'canceled 0'],
      [
        'while it waits for room',
        ({ task, output, input, idle }) => ((output.isWritable = false), task.start(), input.feed(1), idle()),
        'canceled 0',
      ],
      [
        'while it works',
        ({ task, input, chain, idle }) => ((chain.onPush = () => task.cancel()), task.start(), input.feed(1), idle()),
        'canceled 1',
      ],
      [
        'while it commits',
        ({ task, input, output, idle }) => ((output.finishesLater = true), task.start(), input.end(), idle()),
        'canceled 0',
      ],
    ])('%s, twice', (_, before, report) => {
      const parts = setUp();
      before(parts);
      parts.task.cancel();
      parts.task.cancel();
      parts.idle();
      expect(lastOf(parts.reports)).toBe(report);
      expect(parts.reports.filter((each) => /canceled|finished|failed/.test(each))).toHaveLength(1);
      expect(parts.context.signal.aborted).toBe(true);
    });

    it('while it is being opened: the opened parts are closed in the end', async () => {
      let opened!: () => void;
      const parts = setUp((made) => new Promise((resolve) => (opened = () => resolve(made))));
      parts.task.start();
      parts.idle();
      parts.task.cancel();
      parts.idle();
      expect(parts.context.signal.aborted).toBe(true);
      expect(parts.reports).toEqual(['initializing']);
      opened();
      await parts.settle();
      expect(parts.reports).toEqual(['initializing', 'canceled 0']);
      expect(parts.input.closed).toBe(1);
      expect(parts.output.log).toEqual(['abort']);
    });

    it('while it is being opened, and that fails', async () => {
      const parts = setUp(() => Promise.reject(new Error('late')));
      parts.task.start();
      parts.idle();
      parts.task.cancel();
      await parts.settle();
      expect(parts.reports).toEqual(['initializing', 'canceled 0']);
    });

    it('ST3: after a failure has no effect', () => {
      const { task, input, reports, idle } = setUp();
      input.closesLater = true;
      task.start();
      input.fail(new Error('first'));
      idle();
      task.cancel();
      idle();
      expect(lastOf(reports)).toBe('running');
      input.finishClosing();
      expect(lastOf(reports)).toBe('failed 0: first');
    });

    it('after it has finished reports nothing more', () => {
      const { task, input, reports, idle } = setUp();
      task.start();
      input.end();
      idle();
      task.cancel();
      idle();
      expect(lastOf(reports)).toBe('finished 0 0');
    });
  });

  it('reaches fault points with its place', () => {
    const { task, input, faults, idle } = setUp();
    const places: unknown[] = [];
    faults.call('task.batch', (place) => places.push(place), { times: 2 });
    task.start();
    input.feed(1, 2, 3);
    input.feed(4);
    idle();
    expect(places).toEqual([
      { vertex: 'map', subtask: 1, attempt: 0, batches: 0, records: 0 },
      { vertex: 'map', subtask: 1, attempt: 0, batches: 1, records: 3 },
    ]);
  });
});

function throwIt(thrown: unknown): never {
  throw thrown instanceof Error ? toError(thrown) : thrown;
}

describe('a checkpoint of a StreamTask', () => {
  const first = { kind: 'barrier', checkpoint: 1 as CheckpointId } as const;

  it('ST7: the barrier comes after the results of all earlier records, even while the chain takes none', () => {
    const { task, input, chain, output, checkpoints, idle } = setUp();
    task.start();
    input.feed(1);
    idle();
    Object.defineProperty(chain, 'isAccepting', { value: false });
    input.feed(2);
    task.checkpoint(first);
    idle();
    expect(output.log).toEqual([[1], 'flush', first, 'flush']);
    expect(checkpoints).toMatchObject([
      {
        ...{ kind: 'taken', checkpoint: 1, alignmentMs: 5 },
        state: { input: { kind: 'source' }, chain: { kind: 'passing' }, outputs: [{ records: [3] }] },
      },
    ]);
  });

  it('ST7: the barrier waits for room in the outputs', () => {
    const { task, input, output, checkpoints, idle } = setUp();
    task.start();
    output.isWritable = false;
    idle();
    task.checkpoint(first);
    idle();
    expect([output.log, checkpoints]).toEqual([[], []]);
    output.becomeWritable();
    idle();
    expect([output.log, checkpoints.length, input.barrier]).toEqual([[first, 'flush'], 1, undefined]);
  });

  it('ST7: acknowledges once its sinks have prepared their output, and not if it fails before', () => {
    const { task, output, checkpoints, idle, reports } = setUp();
    const prepared: (() => void)[] = [];
    output.whenMarked = (done) => prepared.push(done);
    task.start();
    idle();
    task.checkpoint(first);
    idle();
    task.checkpoint(first);
    idle();
    task.checkpoint({ ...first, checkpoint: 2 as CheckpointId });
    idle();
    expect(checkpoints).toEqual([]);
    prepared[0]?.();
    expect(checkpoints).toMatchObject([{ kind: 'taken', checkpoint: 1 }]);
    task.fail(new Error('disk full'));
    prepared[1]?.();
    idle();
    expect([checkpoints.length, lastOf(reports)]).toEqual([1, 'failed 0: disk full']);
  });

  /** A task whose input ended while its dead letters are prepared for the first checkpoint, so that it commits. */
  function committing() {
    const letters = new HandOutput();
    letters.isNeeded = false;
    const prepared: (() => void)[] = [];
    letters.whenMarked = (done) => prepared.push(done);
    letters.finishesLater = true;
    const rejections = { outputs: [letters], noteRead: () => {} } as unknown as TaskParts['rejections'];
    const all = setUp((parts) => ({ ...parts, rejections }));
    all.task.start();
    all.idle();
    all.task.checkpoint(first);
    all.input.end();
    all.idle();
    return { ...all, letters, prepared };
  }

  it('TB3: reports what it has captured before its end, although its dead letters are prepared while it commits', () => {
    const { letters, prepared, checkpoints, reports, idle } = committing();
    expect([checkpoints, lastOf(reports)]).toEqual([[], 'running']);
    prepared[0]?.();
    letters.finishNow();
    idle();
    expect([checkpoints.map(({ kind }) => kind), lastOf(reports)]).toEqual([['taken'], 'finished 0 0']);
  });

  it('TB3: reports nothing that was prepared after it failed while it commits', () => {
    const { task, prepared, checkpoints, reports, idle } = committing();
    task.fail(new Error('disk full'));
    prepared[0]?.();
    idle();
    expect([checkpoints, lastOf(reports)]).toEqual([[], 'failed 0: disk full']);
  });

  /** A task that has captured a keyed state, and whose sink prepares its output. */
  function preparing() {
    let released = 0;
    const frozen = new FrozenTable(() => new Uint8Array(), {
      ...{ before: [], mostEntries: 0, onWritten: () => {}, onReleased: () => void released++ },
      content: function* () {},
      merge: function* () {},
    });
    const all = setUp();
    all.chain.snapshot = () => ({ kind: 'taken', state: { kind: 'keyed', tables: [frozen] } });
    let prepared = (): void => {};
    all.output.whenMarked = (done) => {
      prepared = done;
    };
    all.task.start();
    all.idle();
    all.task.checkpoint(first);
    all.idle();
    return { ...all, prepared: () => prepared(), released: () => released };
  }

  it.each<[string, (all: ReturnType<typeof preparing>) => void]>([
    ['fails', ({ task }) => task.fail(new Error('disk full'))],
    ['is canceled', ({ task }) => task.cancel()],
    [
      'cannot write another barrier',
      ({ task, output }) => {
        output.mark = () => {
          throw new Error('disk full');
        };
        task.checkpoint({ ...first, checkpoint: 2 as CheckpointId });
      },
    ],
  ])('TB5: releases what it has captured if it %s before its sink has prepared', (_, end) => {
    const all = preparing();
    expect([all.checkpoints, all.released()]).toEqual([[], 0]);
    end(all);
    all.idle();
    expect([all.checkpoints, all.released()]).toEqual([[], 1]);
  });

  it('TB5: releases what it has captured if the checkpoint is aborted before its sink has prepared, and goes on', () => {
    const { task, prepared, checkpoints, released, reports, idle } = preparing();
    task.abortCheckpoint(2 as CheckpointId);
    expect(released()).toBe(0);
    task.abortCheckpoint(1 as CheckpointId);
    expect(released()).toBe(1);
    prepared();
    idle();
    expect([checkpoints, released(), lastOf(reports)]).toEqual([[], 1, 'running']);
  });

  it('TB5: reports nothing of a checkpoint that is aborted while it commits', () => {
    const { task, letters, prepared, checkpoints, reports, idle } = committing();
    task.abortCheckpoint(1 as CheckpointId);
    prepared[0]?.();
    letters.finishNow();
    idle();
    expect([checkpoints, lastOf(reports)]).toEqual([[], 'finished 0 0']);
  });

  it('declines with the part that has no state, and writes no barrier', () => {
    const { task, chain, output, checkpoints, idle } = setUp();
    chain.isStateless = true;
    task.start();
    idle();
    task.checkpoint(first);
    idle();
    expect(checkpoints).toMatchObject([{ kind: 'declined', checkpoint: 1, reason: 'noState' }]);
    expect(checkpoints).toMatchObject([{ cause: { message: 'No state for checkpoint 1: "map" is a pipe' } }]);
    expect(output.log).toEqual(['flush']);
  });

  it('declines before it runs and after its end', () => {
    const { task, input, checkpoints, idle } = setUp();
    task.checkpoint(first);
    task.start();
    input.end();
    idle();
    task.checkpoint(first);
    idle();
    expect(checkpoints.map((outcome) => outcome.kind === 'declined' && outcome.reason)).toEqual([
      'notRunning',
      'notRunning',
    ]);
  });

  it('is finished for its outputs once it is complete, and for its input once it was aborted', () => {
    const { task, input, output, idle } = setUp();
    task.completeCheckpoint(1 as CheckpointId);
    task.start();
    idle();
    task.completeCheckpoint(2 as CheckpointId);
    task.abortCheckpoint(3 as CheckpointId);
    expect([output.completions, input.abandoned]).toEqual([[2], [3]]);
  });
});
