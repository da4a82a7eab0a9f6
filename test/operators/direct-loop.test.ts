import fc from 'fast-check';
import { noRecord } from '../../src/index.ts';
import { FusedChain } from '../../src/operators/fused/fused-chain.ts';
import type { LoopHead, LoopTail } from '../../src/partitions/loop-ends.ts';
import type { SynchronousOperator } from '../../src/operators/fused/stretches.ts';
import type { ChannelSelection } from '../../src/operators/task/channel-selection.ts';
import { RecordWriter } from '../../src/operators/task/record-writer.ts';
import { SinkOutput } from '../../src/operators/sinks/sink-output.ts';
import { loopKinds } from './loop-kinds.ts';
import { NotingPartition } from '../support/partition-harness.ts';
import { StageHarness } from './stage-driver.ts';

type Fn = (n: number) => unknown;

const failing =
  (at: number, fn: Fn = (n) => n): Fn =>
  (n) => {
    if (n === at) throw new Error(`no ${n}`);
    return fn(n);
  };
const map = (fn: Fn): SynchronousOperator => ({ kind: 'map', fn });
const oddOnly: SynchronousOperator = { kind: 'filter', predicate: (n: number) => n % 2 === 1 };
const twice: SynchronousOperator = { kind: 'flatMap', fn: (n: number) => [n, n] };
const sums = (emit: 'final' | 'updates'): SynchronousOperator => ({
  kind: 'aggregate',
  keyOf: (n: number) => n % 3,
  create: (n: number) => n,
  add: (sum: number, n: number) => sum + n,
  result: (sum: number) => sum,
  emit,
});

/** Counts from 0 to `end`. */
function counting(end: number, fn: Fn = (n) => n): LoopHead {
  let at = 0;
  return { next: () => (at < end ? fn(at++) : noRecord) };
}

/** The tail of a writer to `partition`. */
function writerTo(
  partition: NotingPartition,
  selection: ChannelSelection = { kind: 'broadcast' },
  batchBytes = 1 << 20,
) {
  const options = { partition, selection, reader: 'sum', batchSize: 4, batchBytes, subtask: 0, freeze: false };
  return new RecordWriter(options);
}

describe.each(loopKinds)('a loop that reaches the ends of its task, by %s', (_, compile) => {
  /** Runs like a task, pulling at most five records at once. */
  function run(operators: SynchronousOperator[], head: LoopHead, tail?: LoopTail) {
    const harness = new StageHarness(4);
    harness.ends = { head, tail };
    const chain = new FusedChain(operators, harness, compile);
    const polled: unknown[] = [];
    const poll = (): void => {
      for (const batch of harness.pollAll(chain)) polled.push(...batch);
    };
    const takeAll = (): void => {
      for (let first = head.next(); first !== noRecord; first = head.next()) {
        chain.pull?.(first, 5);
        poll();
      }
      chain.end();
      poll();
    };
    return { chain, polled, takeAll };
  }

  const into = (operators: SynchronousOperator[], head: LoopHead, selection?: ChannelSelection, count = 1) => {
    const partition = new NotingPartition(count);
    const writer = writerTo(partition, selection);
    const running = run(operators, head, writer);
    return { ...running, partition, writer };
  };

  it('takes records from the source and puts results into the output, with nothing between to poll', () => {
    const { chain, polled, takeAll, partition, writer } = into(
      [map((n) => n * 10), oddOnly, map((n) => n)],
      counting(0),
    );
    takeAll();
    expect([chain.isDone, polled, partition.records]).toEqual([true, [], [[]]]);
    const more = into([map((n) => n + 1), oddOnly], counting(12));
    more.takeAll();
    more.writer.flush();
    expect(more.partition.records).toEqual([[1, 3, 5, 7, 9, 11]]);
    expect(more.chain.direct).toEqual({ taken: 12, put: 6 });
    expect(writer.batchesHanded).toBe(0);
  });

  it.each<[string, ChannelSelection]>([
    ['by key', { kind: 'hash', keyOf: (n: number) => n % 5 }],
    ['in turn', { kind: 'round-robin' }],
    ['to all', { kind: 'broadcast' }],
  ])('chooses subpartitions %s as a writer of batches does', (_name, selection) => {
    const { takeAll, writer, partition } = into([], counting(50), selection, 3);
    takeAll();
    writer.flush();
    const batches = new NotingPartition(3);
    const other = writerTo(batches, selection);
    for (let n = 0; n < 50; n++) other.write([n]);
    other.flush();
    expect(partition.records).toEqual(batches.records);
  });

  it('puts updates, and polls what operators hold back to the end', () => {
    const updates = into([sums('updates')], counting(6));
    updates.takeAll();
    updates.writer.flush();
    expect([updates.partition.records, updates.polled]).toEqual([[[0, 1, 2, 3, 5, 7]], []]);
    const last = into([sums('final')], counting(6));
    last.takeAll();
    expect([last.partition.records, last.polled]).toEqual([[[]], [3, 5, 7]]);
    const more = into([sums('final'), map((n) => -n)], counting(6));
    more.takeAll();
    expect([more.chain.direct.taken, more.polled]).toEqual([6, [-3, -5, -7]]);
  });

  it('collects the results of a flatMap, for which the output may have no room', () => {
    const { takeAll, polled, partition } = into([twice], counting(3));
    takeAll();
    expect([polled, partition.records]).toEqual([[0, 0, 1, 1, 2, 2], [[]]]);
  });

  const partitionThatFails = new NotingPartition(1);
  partitionThatFails.write = () => {
    throw new Error('no 9');
  };
  const key = (n: number): ChannelSelection => ({ kind: 'hash', keyOf: failing(n) });
  it.each<[string, SynchronousOperator[], LoopHead, LoopTail | undefined, object, taken: number]>([
    ['the source', [map((n) => n)], counting(20, failing(9)), undefined, { operator: 'source' }, 9],
    [
      'an operator, with the record that came from the source',
      [map((n) => n * 10), map(failing(90))],
      counting(20),
      undefined,
      { operator: 1, record: { value: 9, number: 9 } },
      10,
    ],
    [
      'the key function of the consumer, with the result',
      [oddOnly, map((n) => n * 10)],
      counting(20),
      writerTo(new NotingPartition(2), key(90)),
      { operator: 'output', uid: 'sum', record: { value: 90, number: 9 } },
      10,
    ],
    ['the output', [map((n) => n)], counting(20), writerTo(partitionThatFails), { operator: 'output' }, 4],
    [
      'a sink, with the result',
      [map((n) => n * 10)],
      counting(20),
      new SinkOutput({ write() {}, writeOne: (n) => void failing(90)(n as number), commit() {}, abort() {} }, 'out')
        .tail,
      { operator: 'output', uid: undefined, record: { value: 90, number: 9 } },
      10,
    ],
  ])('blames %s', (_name, operators, head, tail, blame, taken) => {
    const { chain, takeAll } = run(operators, head, tail);
    expect(takeAll).toThrow('no 9');
    expect(chain.blame).toEqual(blame);
    expect(chain.direct.taken).toBe(taken);
  });

  it('stops within a batch when the output is full, and continues where it was', () => {
    const harness = new StageHarness(1_024);
    const partition = new NotingPartition(1);
    harness.ends = { tail: writerTo(partition) };
    const chain = new FusedChain([map((n) => n)], harness, compile);
    const batch = Array.from({ length: 200 }, (__, n) => n);
    partition.isWritable = false;
    chain.push(batch);
    expect([chain.isAccepting, chain.direct.put]).toEqual([false, 1]);
    const { state } = chain.snapshot() as Extract<ReturnType<typeof chain.snapshot>, { kind: 'taken' }>;
    partition.isWritable = true;
    for (let polls = 0; !chain.isAccepting && polls < 200; polls++) chain.poll();
    expect(chain.direct.put).toBe(200);
    const other = new NotingPartition(1);
    harness.ends = { tail: writerTo(other) };
    const restored = new FusedChain([map((n) => n)], harness, compile);
    restored.restore(state);
    restored.poll();
    expect(other.records.flat()[0]).toBe(1);
  });

  it('property: in any chain, results are those of a chain that is given batches', () => {
    const step = fc.constantFrom(
      map((n) => n + 1),
      oddOnly,
      twice,
      sums('updates'),
      sums('final'),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 4 }), fc.integer({ min: 0, max: 60 }), (operators, count) => {
        const { takeAll, writer, partition, polled } = into(operators, counting(count));
        takeAll();
        writer.flush();
        const harness = new StageHarness(4);
        const other = new FusedChain(operators, harness, compile);
        const expected: unknown[] = [];
        for (let n = 0; n < count; n++) {
          other.push([n]);
          expected.push(...harness.pollAll(other).flat());
        }
        other.end();
        expected.push(...harness.pollAll(other).flat());
        expect([...partition.records.flat(), ...polled]).toEqual(expected);
      }),
    );
  });
});
