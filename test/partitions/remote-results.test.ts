import { PartitionLostError, RecordNotSerializableError } from '../../src/errors/result-errors.ts';
import { ArrivalBoard } from '../../src/executors/arrival-board.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import type { AttemptNumber, ExecutorId } from '../../src/ids.ts';
import { PipelinedResultPartition } from '../../src/partitions/pipelined-result-partition.ts';
import type { OwnerMessage, ReaderMessage } from '../../src/partitions/remote/exchange-messages.ts';
import { RemoteResults } from '../../src/partitions/remote/remote-results.ts';
import type { ServedResults } from '../../src/partitions/remote/result-server.ts';
import type { ResultPartition } from '../../src/partitions/result-partition.ts';
import { elementOf } from '../../src/partitions/stream-element.ts';
import { roughLink } from '../../src/testing/rough-link.ts';
import { virtualEnvironment } from '../../src/testing/virtual-environment.ts';
import { barrier, idle, watermark } from '../support/marks.ts';
import { HandChannel, Reading, somePartition } from '../support/partition-harness.ts';
import { existing, linked, owner, readingExecutor } from '../support/remote-exchange.ts';

/** Another executor, which reads the results of this one over a slow link. */
function rig(results: ServedResults, freeze = true) {
  const environment = virtualEnvironment();
  const link = roughLink(environment.clock, environment.random);
  const { remote, server } = linked(results, link, freeze);
  return {
    remote,
    server,
    settle: () => environment.settle(),
    read: (subpartition = 0, fromRecord?: number) => remote.source(somePartition, owner).read(subpartition, fromRecord),
  };
}

const reading = (channel: HandChannel): ServedResults => existing(() => ({ read: () => channel }));

const pipelined = (subpartitionCount = 1): ResultPartition =>
  new PipelinedResultPartition({ id: somePartition, exchange: exchangeTypes.pipelined, subpartitionCount });

describe('a result of another executor', () => {
  it('RV1: gives no element without a credit, whatever has arrived, and then the end', async () => {
    const partition = pipelined();
    const { read, settle } = rig(existing(() => partition));
    const elements = [elementOf([1, 2]), barrier(1), watermark(5), idle, elementOf([3])];
    const view = new Reading(read());
    await settle();
    for (const element of elements) partition.write(0, element);
    partition.finish(() => {});
    await settle();
    for (const [index, element] of elements.entries()) {
      expect(view.elements).toHaveLength(index);
      view.request(1);
      expect(view.elements[index]).toEqual(element);
      await settle();
    }
    expect([view.elements.at(-1), view.isComplete, view.error]).toEqual([{ kind: 'end' }, true, undefined]);
  });

  /** A consumer that takes everything there is for some turns, or one element in each. Returns how many are ahead. */
  const aheadOf = async (manner: 'fast' | 'slow', record: string) => {
    const channel = new HandChannel();
    const { read, settle } = rig(reading(channel));
    const view = new Reading(read());
    let [emitted, taken] = [0, 0];
    const produce = async () => {
      await settle();
      for (; channel.credits > 0; emitted++) channel.emit(record);
      await settle();
    };
    for (let turn = 0; turn < 12; turn++) {
      await produce();
      for (const to = manner === 'fast' ? emitted : taken + 1; taken < to; taken++) view.request(1);
    }
    for (let turn = 0; turn < 12; turn++) await produce();
    expect(view.elements).toHaveLength(taken);
    return emitted - taken;
  };

  it.each([
    ['small', 'x', 128],
    ['of 100 kB', 'x'.repeat(100_000), 10],
    ['large', 'x'.repeat(3_000_000), 2],
  ])(
    'RV2: holds a bounded part of the result ahead of a fast consumer, if elements are %s',
    async (_, record, most) => {
      expect(await aheadOf('fast', record)).toBe(most);
    },
  );

  it('RV2: holds little ahead of a slow consumer', async () => {
    expect(await aheadOf('slow', 'x')).toBeLessThanOrEqual(4);
  });

  it.each([3, 10, 50])('RV2: gets %i elements if its consumer asks for so many', async (credits) => {
    const channel = new HandChannel();
    const { read, settle } = rig(reading(channel));
    const view = new Reading(read(), credits);
    for (let turn = 0; turn < 20; turn++) {
      await settle();
      while (channel.credits > 0 && view.elements.length < credits) channel.emit('x'.repeat(600_000));
    }
    expect(view.elements).toHaveLength(credits);
  });

  it('RV3: fails at once if its owner is lost, whatever it holds', async () => {
    const channel = new HandChannel();
    const { read, settle, remote } = rig(reading(channel));
    const [view, unread] = [new Reading(read(), 1), read()];
    await settle();
    channel.emit(1);
    channel.emit(2);
    await settle();
    remote.lost(owner, 'it was killed');
    expect(view.records).toEqual([1]);
    expect(view.error).toBeInstanceOf(PartitionLostError);
    expect((view.error as Error).message).toMatch('executor owner, which held it, is lost (it was killed)');
    expect(new Reading(unread).error).toBeInstanceOf(PartitionLostError);
    expect(() => read()).toThrow(PartitionLostError);
  });

  it('RV3: needs its owner no more once it holds the end', async () => {
    const partition = pipelined();
    const { read, settle, remote } = rig(existing(() => partition));
    partition.write(0, elementOf([1]));
    partition.write(0, elementOf([2]));
    partition.finish(() => {});
    const view = new Reading(read());
    await settle();
    remote.lost(owner, 'it was killed');
    partition.release();
    view.request(2);
    expect([view.records, view.isComplete, view.error]).toEqual([[1, 2], true, undefined]);
  });

  it('cannot be read if there is no connection to its owner', () => {
    const remote = new RemoteResults({ freeze: false });
    const source = remote.source(somePartition, 'worker-7' as ExecutorId);
    expect(() => source.read(0)).toThrow(/there is no connection to executor worker-7/);
  });

  it.each([true, false])('freezes records as the environment does: %s', async (freeze) => {
    const partition = pipelined();
    const { read, settle } = rig(
      existing(() => partition),
      freeze,
    );
    const view = new Reading(read(), 2);
    await settle();
    partition.write(0, elementOf([{ deep: { list: [1] } }]));
    partition.write(0, elementOf(Array.from({ length: 20 }, (_, id) => ({ id, at: [id] }))));
    await settle();
    const [first, second] = view.elements as { readonly records: readonly { readonly deep: object }[] }[];
    const found = [first?.records, first?.records[0], first?.records[0]?.deep, second?.records, second?.records[5]];
    expect(found.map((value) => Object.isFrozen(value))).toEqual(Array(5).fill(freeze));
  });

  it.each<[what: string, records: unknown[], path: string]>([
    ['few records', [{ id: 1, call: () => 1 }], '$.call'],
    ['many records', Array.from({ length: 30 }, () => ({ id: 1, call: () => 1 })), '$.call'],
  ])('fails without another attempt if a record is not plain data: %s', async (_, records, path) => {
    const partition = pipelined();
    const { read, settle } = rig(existing(() => partition));
    const view = new Reading(read(), 5);
    await settle();
    partition.write(0, elementOf([1]));
    partition.write(0, elementOf(records));
    partition.write(0, elementOf([2]));
    await settle();
    expect(view.records).toEqual([1]);
    expect(view.error).toBeInstanceOf(RecordNotSerializableError);
    expect(view.error).toMatchObject({ path, recovery: 'never' });
    expect((view.error as Error).message).toMatch(/cannot be sent to another executor: \$\.call is a function/);
  });

  it('is lost if an element arrives damaged', async () => {
    const environment = virtualEnvironment();
    const [port, other] = roughLink(environment.clock, environment.random)<ReaderMessage, OwnerMessage>();
    const remote = new RemoteResults({ freeze: false });
    remote.connect(owner, port);
    const asked: ReaderMessage[] = [];
    other.onMessage((message) => asked.push(message));
    const view = new Reading(remote.source(somePartition, owner).read(0), 1);
    const damaged = { kind: 'packed', bytes: new Uint8Array([0xc1]), isEscaped: false } as const;
    const element = { kind: 'records', count: 3, keys: undefined, columns: [damaged] } as const;
    other.post({ type: 'reader.element', reader: 0, element });
    await environment.settle();
    expect(view.error).toBeInstanceOf(PartitionLostError);
    expect((view.error as Error).message).toMatch(/an element arrived damaged/);
    expect(asked.map(({ type }) => type)).toEqual(['reader.open', 'reader.leave']);
  });
});

describe('the owner of results that others read', () => {
  const rigWithBoard = () => {
    const arrivals = new ArrivalBoard();
    const held: { partition?: ResultPartition } = {};
    return { arrivals, held, ...rig({ find: () => held.partition, arrivals }) };
  };

  it('has a reader wait for a result that is still to be registered', async () => {
    const { arrivals, held, read, settle } = rigWithBoard();
    const view = new Reading(read(), 3);
    await settle();
    expect([view.elements, view.error]).toEqual([[], undefined]);
    held.partition = pipelined();
    arrivals.arrived(somePartition);
    held.partition.write(0, elementOf([1]));
    await settle();
    expect(view.records).toEqual([1]);
  });

  it('refuses a result that is gone, and one that a later attempt has replaced', async () => {
    const { arrivals, read, settle } = rigWithBoard();
    const waiting = new Reading(read());
    await settle();
    arrivals.arrived({ ...somePartition, attempt: 1 as AttemptNumber });
    await settle();
    const late = new Reading(read());
    await settle();
    expect([waiting.error, late.error].map((error) => error instanceof PartitionLostError)).toEqual([true, true]);
  });

  it('dismisses a reader that was dismissed while it waited, and forgets one that went away', async () => {
    const { arrivals, held, read, settle } = rigWithBoard();
    const [dismissed, gone] = [new Reading(read(0)), new Reading(read(1))];
    await settle();
    dismissed.dismiss();
    gone.stop();
    await settle();
    held.partition = pipelined(2);
    arrivals.arrived(somePartition);
    await settle();
    // The one that went away may come back.
    const again = new Reading(read(1));
    await settle();
    expect([held.partition.isNeeded, again.error]).toEqual([true, undefined]);
    again.dismiss();
    await settle();
    expect(held.partition.isNeeded).toBe(false);
  });

  it('opens no reader for a peer that is lost in the moment the result arrives', async () => {
    const { arrivals, held, read, server, settle } = rigWithBoard();
    new Reading(read(), 1);
    await settle();
    const channel = new HandChannel();
    held.partition = { ...pipelined(), read: () => channel } as ResultPartition;
    arrivals.arrived(somePartition);
    server.lost(readingExecutor);
    await settle();
    expect(channel.isRead).toBe(false);
  });

  it('takes the readers of a lost peer for gone, not for dismissed', async () => {
    const channel = new HandChannel();
    const { read, settle, server } = rig(reading(channel));
    const view = new Reading(read(), 1);
    await settle();
    expect(channel.isRead).toBe(true);
    server.lost(readingExecutor);
    expect([channel.isRead, channel.isDismissed]).toEqual([false, false]);
    await settle();
    expect(view.error).toBeUndefined();
  });
});
