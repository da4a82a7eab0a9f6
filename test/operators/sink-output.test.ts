import { Observable } from 'rxjs';
import { IllegalStateError } from '../../src/errors/usage-errors.ts';
import type { CheckpointId } from '../../src/ids.ts';
import { CommitGate } from '../../src/operators/sinks/commit-gate.ts';
import { SinkOutput } from '../../src/operators/sinks/sink-output.ts';
import type { SinkWriter } from '../../src/operators/sink.ts';
import { packData } from '../../src/partitions/records/packed-data.ts';
import type { Mark } from '../../src/partitions/stream-element.ts';
import { thenable, trappingProxy } from '../support/rude-values.ts';

/** A sink whose calls answer on command. */
function slowSink(over: Partial<SinkWriter<unknown>> = {}, gate?: CommitGate) {
  const log: unknown[] = [];
  const pending: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  const later = (entry: unknown) => {
    log.push(entry);
    return new Promise<void>((resolve, reject) => pending.push({ resolve, reject }));
  };
  const writer: SinkWriter<unknown> = {
    write: (records) => later([...records]),
    commit: () => later('commit'),
    abort: () => later('abort'),
    ...over,
  };
  const settle = async (error?: unknown): Promise<void> => {
    const call = pending.shift();
    if (error === undefined) call?.resolve();
    else call?.reject(error);
    for (let hop = 0; hop < 5; hop++) await Promise.resolve();
  };
  const output = new SinkOutput(writer, 'out', { gate });
  let wakes = 0;
  output.onWritable(() => wakes++);
  return { output, log, settle, wakes: () => wakes };
}

describe('SinkOutput at a gate', () => {
  it('CG1, CG2: is asked for once both sinks of a task are prepared, and commits only once it is open', async () => {
    let asked = 0;
    const gate = new CommitGate(() => asked++);
    const sinks = [slowSink({ prepare: () => Promise.resolve() }, gate), slowSink({}, gate)];
    const done: unknown[] = [];
    for (const { output } of sinks) output.finish((error) => done.push(error ?? 'safe'));
    expect(asked).toBe(0);
    for (let hop = 0; hop < 5; hop++) await Promise.resolve();
    expect([asked, sinks.map(({ log }) => log)]).toEqual([1, [[], []]]);
    gate.open();
    gate.open();
    expect(sinks.map(({ log }) => log)).toEqual([['commit'], ['commit']]);
    for (const { settle } of sinks) await settle();
    expect([asked, done]).toEqual([1, ['safe', 'safe']]);
  });

  it('CG2: a sink that is aborted there does not commit, although the gate opens', async () => {
    const gate = new CommitGate(() => {});
    const { output, log, settle } = slowSink({}, gate);
    output.finish(() => {});
    let isAborted = false;
    output.abort(() => (isAborted = true));
    gate.open();
    await settle();
    expect([log, isAborted]).toEqual([['abort'], true]);
  });

  it('CG1: a sink that cannot be prepared does not ask', async () => {
    let asked = 0;
    const gate = new CommitGate(() => asked++);
    const { output } = slowSink({ prepare: () => Promise.reject(new Error('full')) }, gate);
    const done: unknown[] = [];
    output.finish((error) => done.push(error?.message));
    for (let hop = 0; hop < 5; hop++) await Promise.resolve();
    expect([asked, done]).toEqual([0, ['full']]);
  });
});

describe('SinkOutput', () => {
  it('accepts no batch while the sink is busy, and wakes its task afterwards', async () => {
    const { output, settle, wakes } = slowSink();
    output.write([1]);
    expect(output.isWritable).toBe(false);
    await settle();
    expect([output.isWritable, wakes()]).toEqual([true, 1]);
  });

  it('SO1: a second call before the first is answered is never made, and fails the task', async () => {
    const { output, log, settle } = slowSink();
    output.write([1]);
    expect(() => output.write([2])).toThrow(IllegalStateError);
    output.abort(() => log.push('aborted'));
    expect(log).toEqual([[1]]);
    await settle();
    await settle();
    expect([log, output.failure?.message]).toEqual([
      [[1], 'abort', 'aborted'],
      'The sink "out" got "write" before its last call was answered',
    ]);
  });

  it('commits after the last write, and is safe when that is done', async () => {
    const { output, log, settle } = slowSink();
    const done: unknown[] = [];
    output.write([1]);
    output.finish((error) => done.push(error));
    expect(log).toEqual([[1]]);
    await settle();
    expect(log).toEqual([[1], 'commit']);
    expect(done).toEqual([]);
    await settle();
    expect(done).toStrictEqual([undefined]);
  });

  it('prepares before it commits, if the sink can', async () => {
    const log: unknown[] = [];
    const { output, settle } = slowSink({
      prepare: () => {
        log.push('prepare');
        return { file: 'part' };
      },
      commit: () => void log.push('commit'),
    });
    const done: unknown[] = [];
    output.finish((error) => done.push(error));
    await settle();
    expect([log, done]).toEqual([['prepare', 'commit'], [undefined]]);
  });

  it('does not commit a prepared output once it is aborted', async () => {
    let answer = (): void => {};
    const { output, log, settle } = slowSink({
      prepare: () => new Promise<void>((resolve) => (answer = resolve)),
    });
    const done: unknown[] = [];
    output.finish((error) => done.push(error));
    output.abort(() => done.push('aborted'));
    answer();
    await settle();
    expect(log).toEqual(['abort']);
    await settle();
    expect(done).toEqual([undefined, 'aborted']);
  });

  it('commits nothing if preparation failed', async () => {
    const failure = new Error('the disk is full');
    const { output, log, settle } = slowSink({ prepare: () => Promise.reject(failure) });
    const done: unknown[] = [];
    output.finish((error) => done.push(error));
    await settle();
    expect([done, log]).toEqual([[failure], []]);
    output.abort(() => {});
    expect(log).toEqual(['abort']);
  });

  it('aborts after the pending write, and only once', async () => {
    const { output, log, settle } = slowSink();
    let aborted = 0;
    output.write([1]);
    output.abort(() => aborted++);
    expect(log).toEqual([[1]]);
    await settle();
    await settle();
    output.abort(() => aborted++);
    expect([log, aborted]).toEqual([[[1], 'abort'], 2]);
  });

  it('never aborts committed output', async () => {
    const { output, log, settle } = slowSink();
    output.finish(() => {});
    output.abort(() => {});
    await settle();
    expect(log).toEqual(['commit']);
  });

  it.each<[string, Partial<SinkWriter<unknown>>]>([
    [
      'throws',
      {
        write: () => {
          throw new Error('full');
        },
      },
    ],
    ['rejects', { write: () => Promise.reject(new Error('full')) }],
  ])('does not commit after a write that %s, and says why', async (_, over) => {
    const { output, log, settle } = slowSink(over);
    try {
      output.write([1]);
    } catch (error) {
      expect((error as Error).message).toBe('full');
    }
    await settle();
    expect(output.failure?.message).toBe('full');
    expect(() => output.write([2])).toThrow('full');
    const done: (Error | undefined)[] = [];
    output.finish((error) => done.push(error));
    expect(done.map((error) => error?.message)).toEqual(['full']);
    expect(log).toEqual([]);
  });

  it('reports a failed commit, for any thrown value', async () => {
    const { output } = slowSink({ commit: () => Promise.reject('a text') });
    const done: (Error | undefined)[] = [];
    output.finish((error) => done.push(error));
    for (let hop = 0; hop < 8; hop++) await Promise.resolve();
    expect(done[0]?.message).toBe('A non-error was thrown: "a text"');
  });

  it.each<['write' | 'commit', string, () => unknown, string]>([
    ['write', 'a number', () => 1, 'got 1'],
    ['write', 'false, as a Node stream does', () => false, 'got false'],
    ['commit', 'null', () => null, 'got null'],
    ['commit', 'an Observable, which would have no subscriber', () => new Observable(), 'got [object Observable]'],
    ['commit', 'a function', () => () => {}, 'got function (anonymous)'],
  ])('refuses a %s that returns %s', async (method, _, answer, got) => {
    const { output, settle } = slowSink({ [method]: answer } as Partial<SinkWriter<unknown>>);
    const done: (Error | undefined)[] = [];
    if (method === 'write') expect(() => output.write([1])).toThrow(got);
    output.finish((error) => done.push(error));
    await settle();
    expect(done.map((error) => error?.message)).toEqual([
      `${method} of sink "out": expected nothing, or a promise, ${got}`,
    ]);
    expect(done[0]).toMatchObject({ recovery: 'never' });
  });

  it.each<'write' | 'commit' | 'abort'>(['write', 'commit', 'abort'])(
    'waits for a thenable that %s returns, whatever it answers with',
    async (method) => {
      let answer!: (value: unknown) => void;
      const later = () => thenable((yes) => (answer = yes));
      const { output } = slowSink({ [method]: later } as Partial<SinkWriter<unknown>>);
      let isDone = false;
      const done = (): void => {
        isDone = true;
      };
      if (method === 'write') output.write([1]);
      if (method === 'abort') output.abort(done);
      else output.finish(done);
      for (let hop = 0; hop < 8; hop++) await Promise.resolve();
      expect([output.isWritable, isDone]).toEqual([false, false]);
      answer('written');
      for (let hop = 0; hop < 8; hop++) await Promise.resolve();
      expect([output.failure, isDone]).toEqual([undefined, method !== 'write']);
    },
  );

  it('fails if a thenable cannot be read', async () => {
    const { output } = slowSink({ commit: () => trappingProxy() as Promise<void> });
    const done: (Error | undefined)[] = [];
    output.finish((error) => done.push(error));
    expect(done.map((error) => error?.message)).toEqual(['trap']);
  });
});

it('what prepareCheckpoint returns is waited for, also if it is a thenable whose then returns nothing', async () => {
  const { output } = slowSink({
    write: () => {},
    // oxlint-disable-next-line unicorn/no-thenable -- its purpose
    prepareCheckpoint: () => ({ then: (settle: (value: unknown) => void) => void setImmediate(settle, 'rows') }),
  });
  output.write([1]);
  output.mark({ kind: 'barrier', checkpoint: 1 as never });
  const prepared = await new Promise((resolve) => output.whenMarked(() => resolve(output.snapshot())));
  expect(prepared).toEqual({
    kind: 'taken',
    state: { kind: 'sink', prepared: [{ checkpoint: 1, data: packData(['rows']) }] },
  });
});

describe('what was prepared for a complete checkpoint', () => {
  const barrier = (checkpoint: number): Mark => ({ kind: 'barrier', checkpoint: checkpoint as CheckpointId });

  /** A sink that prepares and commits on command. */
  function transactions() {
    const log: string[] = [];
    const calls: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];
    const later = async (what: string): Promise<string> => {
      log.push(what);
      await new Promise<void>((resolve, reject) => calls.push({ resolve, reject }));
      return what;
    };
    let number = 0;
    const writer: SinkWriter<unknown> = {
      write: () => {},
      prepareCheckpoint: () => later(`prepare ${++number}`),
      commit: () => {},
      abort: () => {},
    };
    const commitPrepared = (prepared: unknown): Promise<unknown> => later(`commit of ${String(prepared)}`);
    const output = new SinkOutput(writer, 'out', { about: { guarantee: 'exactly-once', commitPrepared } });
    const answer = async (error?: Error): Promise<void> => {
      const call = calls.shift();
      if (error === undefined) call?.resolve();
      else call?.reject(error);
      for (let hop = 0; hop < 9; hop++) await Promise.resolve();
    };
    const inState = (): number[] => {
      const { state } = output.snapshot() as {
        readonly state: { readonly prepared: readonly { checkpoint: number }[] };
      };
      return state.prepared.map(({ checkpoint }) => checkpoint);
    };
    return { output, log, answer, inState };
  }

  it('SO2: is in the state of the next one, which the sink prepares before it can commit', async () => {
    const { output, log, answer, inState } = transactions();
    output.mark(barrier(1));
    await answer();
    output.mark(barrier(2));
    const states: number[][] = [];
    output.whenMarked(() => states.push(inState()));
    output.completed(1 as CheckpointId);
    await answer();
    expect([states, log.at(-1)]).toEqual([[[1, 2]], 'commit of prepare 1']);
    await answer();
    expect(inState()).toEqual([2]);
  });

  it('SO2: stays in the state if it cannot be committed', async () => {
    const { output, answer, inState } = transactions();
    output.mark(barrier(1));
    await answer();
    output.completed(1 as CheckpointId);
    await answer(new Error('the database is gone'));
    expect([output.failure?.message, inState()]).toEqual(['the database is gone', [1]]);
  });

  it('SO2: is committed once, also if the task finishes meanwhile', async () => {
    const { output, log, answer } = transactions();
    output.mark(barrier(1));
    await answer();
    output.mark(barrier(2));
    output.completed(1 as CheckpointId);
    await answer();
    let end: unknown;
    output.finish((error) => (end = error ?? 'safe'));
    await answer();
    await answer();
    expect(log.slice(2)).toEqual(['commit of prepare 1', 'commit of prepare 2']);
    expect(end).toBe('safe');
  });
});
