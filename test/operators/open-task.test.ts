import { LocalErrorTallies } from '../../src/operators/rejected/error-tallies.ts';
import { CallLimiters } from '../../src/operators/calls/call-limiters.ts';
import { Observable } from 'rxjs';
import { PartitionLostError } from '../../src/errors/result-errors.ts';
import { openTask, type OpenTaskOptions } from '../../src/operators/task/open-task.ts';
import type { Sink } from '../../src/operators/sink.ts';
import type { Source } from '../../src/operators/source.ts';
import type { TaskContext } from '../../src/operators/task/task-context.ts';
import { virtualEnvironment } from '../../src/testing/index.ts';
import { HandChannel, somePartition } from '../support/partition-harness.ts';
import { testContext } from '../support/test-run.ts';

const environment = virtualEnvironment();
const contextOf = (): TaskContext => testContext(environment);
const context = contextOf();

/** Records what is opened and closed. */
function opening(log: string[], { source, sink }: { source?: 'opens' | 'fails'; sink?: 'opens' | 'fails' } = {}) {
  const attempt = (what: string, how: 'opens' | 'fails'): void => {
    if (how === 'fails') throw new Error(`no ${what}`);
    log.push(`${what} opened`);
  };
  const own: Source<unknown> = {
    name: 'source',
    maxParallelism: 1,
    open: () => {
      attempt('source', source ?? 'opens');
      return { read: () => null, close: () => void log.push('source closed') };
    },
  };
  const end: Sink<unknown> = {
    name: 'sink',
    guarantee: 'at-least-once',
    open: () => {
      attempt('sink', sink ?? 'opens');
      return { write() {}, commit() {}, abort: () => void log.push('sink aborted') };
    },
  };
  return { source: source && own, sink: sink && end };
}

/** A pipe that records when its chain is closed. */
function optionsOf(
  log: string[],
  ends: ReturnType<typeof opening>,
  more: Partial<OpenTaskOptions> = {},
): OpenTaskOptions {
  return {
    program: {
      ...ends,
      operators: [
        {
          kind: 'pipe',
          operator: () =>
            new Observable(() => {
              log.push('chain opened');
              return () => log.push('chain closed');
            }),
        },
      ],
      outputs: [],
    } as unknown as OpenTaskOptions['program'],
    context,
    batchSize: 4,
    batchBytes: 1_024,
    callLimiters: new CallLimiters(context.environment),
    errorTallies: new LocalErrorTallies(),
    openChannels: () => [new HandChannel()],
    partitions: [],
    readers: [],
    wake: () => {},
    uids: ['source', 'pipe', 'sink'],
    ...more,
  };
}

describe('openTask', () => {
  it('opens synchronously without a source and a sink', () => {
    const log: string[] = [];
    expect(openTask(optionsOf(log, opening(log)))).not.toBeInstanceOf(Promise);
    expect(log).toEqual(['chain opened']);
  });

  it('closes the chain if a channel cannot be opened', () => {
    const log: string[] = [];
    const openChannels = (): never => {
      throw new PartitionLostError(somePartition, 'it is gone');
    };
    expect(() => openTask(optionsOf(log, opening(log), { openChannels }))).toThrow(PartitionLostError);
    expect(log).toEqual(['chain opened', 'chain closed']);
  });

  it.each([
    ['a sink that fails', { source: 'opens', sink: 'fails' }, /no sink/, ['source opened', 'source closed']],
    ['a source that fails', { source: 'fails', sink: 'opens' }, /no source/, ['sink opened', 'sink aborted']],
    ['both', { source: 'fails', sink: 'fails' }, /no source/, []],
  ] as const)('%s: closes the opened parts', async (_, ends, message, expected) => {
    const log: string[] = [];
    await expect(openTask(optionsOf(log, opening(log, ends)))).rejects.toThrow(message);
    expect(log).toEqual(expected);
  });

  describe('if one fails while the other is still being opened', () => {
    /** One fails; the other is opened on command, or when its signal is aborted if it reacts to that. */
    const beside = (failing: 'source' | 'sink', listens: boolean) => {
      const log: string[] = [];
      const own = contextOf();
      const { source, sink } = opening(log, { source: 'opens', sink: 'opens' });
      let open = (): void => {};
      const waiting = <Opened>(then: () => Opened): Promise<Opened> =>
        new Promise((resolve, reject) => {
          open = () => resolve(then());
          if (listens) own.signal.addEventListener('abort', () => reject(own.signal.reason as Error));
        });
      const broken = opening(log, { source: 'fails', sink: 'fails' });
      const ends =
        failing === 'sink'
          ? {
              source: { ...source, open: (of: never) => waiting(() => source?.open(of, undefined)) },
              sink: broken.sink,
            }
          : { source: broken.source, sink: { ...sink, open: (of: never) => waiting(() => sink?.open(of)) } };
      const blamed: string[] = [];
      const leftOpen: string[] = [];
      const { clock } = own.environment;
      const opened = openTask({
        ...optionsOf(log, ends as never),
        context: own,
        blame: (uid) => blamed.push(uid),
        closeLimit: { clock, timeoutMs: 50, leftOpen: (what) => leftOpen.push(what) },
      }) as Promise<unknown>;
      return { opened, log, blamed, leftOpen, context: own, open: () => open() };
    };
    const drive = async (opened: Promise<unknown>): Promise<unknown> =>
      environment.drive(
        opened.then(
          () => undefined,
          (error: unknown) => error,
        ),
      );

    it.each([
      ['source', 'the sink "sink"', 'sink aborted'],
      ['sink', 'the source "source"', 'source closed'],
    ] as const)(
      'a %s that fails is reported in time, and the other is closed when it opens late',
      async (failing, left, closed) => {
        const it = beside(failing, false);
        expect(await drive(it.opened)).toMatchObject({ message: `no ${failing}` });
        expect([it.blamed, it.leftOpen, it.context.signal.aborted, it.log]).toEqual([[failing], [left], true, []]);
        it.open();
        await drive(Promise.resolve());
        await new Promise((resolve) => setImmediate(resolve));
        expect(it.log.at(-1)).toBe(closed);
      },
    );

    it.each(['source', 'sink'] as const)(
      'a %s that fails is reported at once if the other reacts to its signal',
      async (failing) => {
        const it = beside(failing, true);
        const { clock } = context.environment;
        const beganMs = clock.now();
        expect(await drive(it.opened)).toMatchObject({ message: `no ${failing}` });
        expect([it.blamed[0], it.leftOpen, clock.now() - beganMs]).toEqual([failing, [], 0]);
      },
    );
  });

  it('closes source, sink and chain if a channel cannot be opened', async () => {
    const log: string[] = [];
    const openChannels = (): never => {
      throw new PartitionLostError(somePartition, 'it is gone');
    };
    const opened = openTask(optionsOf(log, opening(log, { sink: 'opens' }), { openChannels }));
    await expect(opened).rejects.toThrow(PartitionLostError);
    expect(log).toEqual(['sink opened', 'chain opened', 'chain closed', 'sink aborted']);
  });
});
