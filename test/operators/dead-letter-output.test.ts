import type { DeadLetter } from '../../src/operators/rejected/dead-letter.ts';
import { DeadLetterOutput } from '../../src/operators/rejected/dead-letter-output.ts';
import type { SinkWriter } from '../../src/operators/sink.ts';
import { SinkOutput } from '../../src/operators/sinks/sink-output.ts';
import type { CheckpointId } from '../../src/ids.ts';
import type { Mark } from '../../src/partitions/stream-element.ts';
import type { TaskInput } from '../../src/partitions/task-io.ts';

const letterOf = (record: number): DeadLetter => ({
  record,
  operator: 'parse',
  subtask: 0,
  error: { name: 'Error', message: 'bad', stack: undefined, data: {}, cause: undefined, errors: undefined },
  calls: 1,
});

/** Promises that are answered by hand, in order. */
class Hand<Value> {
  readonly #waiting: ((value: Value) => void)[] = [];

  ask(): Promise<Value> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async answer(value: Value): Promise<void> {
    this.#waiting.shift()?.(value);
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  }
}

function setUp({ locates = false, writesLater = false, mostWaiting = 2 } = {}) {
  const log: string[] = [];
  const [positions, writes] = [new Hand<string | undefined>(), new Hand<void>()];
  const writer: SinkWriter<unknown> = {
    write: (letters) => {
      log.push(
        `write ${(letters as DeadLetter<number>[]).map(({ record, position }) => `${record}@${position}`).join(',')}`,
      );
      return writesLater ? writes.ask() : undefined;
    },
    commit: () => void log.push('commit'),
    abort: () => void log.push('abort'),
  };
  const input = (locates ? { locate: () => positions.ask() } : {}) as unknown as TaskInput;
  const output = new DeadLetterOutput('parse', new SinkOutput(writer, 'dead'), mostWaiting, input);
  output.onWritable(() => log.push('woken'));
  return { output, log, positions, writes };
}

describe('dead letters of a task', () => {
  it('DL1: are written in their order, each once, whatever takes its time', async () => {
    const { output, log, positions, writes } = setUp({ locates: true, writesLater: true });
    output.add(letterOf(1), 0);
    output.add(letterOf(2), undefined);
    output.flush();
    output.add(letterOf(3), 7);
    output.flush();
    expect(log).toEqual([]);
    await positions.answer('rows.jsonl:1');
    expect(log).toEqual(['write 1@rows.jsonl:1,2@undefined', 'woken']);
    await writes.answer();
    await positions.answer('rows.jsonl:8');
    expect(log.filter((line) => line.startsWith('write'))).toEqual([
      'write 1@rows.jsonl:1,2@undefined',
      'write 3@rows.jsonl:8',
    ]);
  });

  it('DL2: are committed when all were written, and only then it has finished', async () => {
    const { output, log, positions } = setUp({ locates: true });
    output.add(letterOf(1), 0);
    output.finish(() => log.push('finished'));
    expect(log).toEqual([]);
    await positions.answer('rows.jsonl:1');
    expect(log.filter((line) => line !== 'woken')).toEqual(['write 1@rows.jsonl:1', 'commit', 'finished']);
  });

  it('DL3: are not written after an abort', async () => {
    const { output, log, positions } = setUp({ locates: true });
    output.add(letterOf(1), 0);
    output.flush();
    output.add(letterOf(2), 1);
    output.abort(() => log.push('aborted'));
    await positions.answer('rows.jsonl:1');
    output.flush();
    expect(log).toEqual(['abort', 'aborted']);
  });

  it('hold up the task while as many wait as it may have', async () => {
    const { output, writes } = setUp({ writesLater: true });
    output.add(letterOf(1), 0);
    expect(output.isWritable).toBe(true);
    output.add(letterOf(2), 1);
    expect(output.isWritable).toBe(false);
    output.waitForRoom();
    output.add(letterOf(3), 2);
    output.add(letterOf(4), 3);
    output.waitForRoom();
    expect(output.isWritable).toBe(false);
    await writes.answer();
    expect(output.isWritable).toBe(true);
  });

  it('wake the task as soon as there is room, also if the sink answers at once', async () => {
    const { output, log, positions } = setUp({ mostWaiting: 1 });
    output.add(letterOf(1), 0);
    output.waitForRoom();
    expect([output.isWritable, log]).toEqual([true, ['write 1@undefined', 'woken']]);
    const located = setUp({ locates: true, mostWaiting: 1 });
    located.output.add(letterOf(1), 0);
    located.output.waitForRoom();
    expect([located.output.isWritable, located.log]).toEqual([true, ['woken']]);
    await positions.answer(undefined);
  });

  it('DL4: wait until the sink has committed for a checkpoint, if their origin is known meanwhile', async () => {
    const log: string[] = [];
    const [positions, commits] = [new Hand<string | undefined>(), new Hand<void>()];
    const writer: SinkWriter<unknown> = {
      write: (letters) =>
        void log.push(`write ${(letters as DeadLetter<number>[]).map(({ record }) => record).join(',')}`),
      prepareCheckpoint: () => 'transaction',
      commit: () => void log.push('commit'),
      abort: () => void log.push('abort'),
    };
    const commitPrepared = async (): Promise<void> => {
      log.push('committing');
      await commits.ask();
      log.push('committed');
    };
    const sink = new SinkOutput(writer, 'dead', { about: { guarantee: 'exactly-once', commitPrepared } });
    const output = new DeadLetterOutput('parse', sink, 2, { locate: () => positions.ask() } as unknown as TaskInput);
    output.onWritable(() => log.push('woken'));
    const checkpoint = 1 as CheckpointId;
    output.mark({ kind: 'barrier', checkpoint, series: undefined } as unknown as Mark);
    output.add(letterOf(1), 0);
    output.flush();
    output.add(letterOf(2), 1);
    output.completed(checkpoint);
    await positions.answer('rows.jsonl:1');
    output.finish(() => log.push('finished'));
    expect(log.filter((line) => line !== 'woken')).toEqual(['committing']);
    await commits.answer();
    await positions.answer('rows.jsonl:2');
    expect(log.filter((line) => line !== 'woken')).toEqual([
      'committing',
      'committed',
      'write 1',
      'write 2',
      'commit',
      'finished',
    ]);
  });

  it('that cannot be written fail the task, which names the operator', () => {
    const failing: SinkWriter<unknown> = {
      write: () => {
        throw new Error('the disk is full');
      },
      commit: () => {},
      abort: () => {},
    };
    const output = new DeadLetterOutput('parse', new SinkOutput(failing, 'dead'), 2, {} as TaskInput);
    output.add(letterOf(1), 0);
    output.flush();
    expect(output).toMatchObject({ failure: { message: 'the disk is full' }, blame: { uid: 'parse' } });
    let end: unknown = 'none';
    output.finish((error) => (end = error?.message));
    expect(end).toBe('the disk is full');
  });
});
