import fc from 'fast-check';
import { PartitionLostError } from '../../src/errors/result-errors.ts';
import { ChannelOrder } from '../../src/partitions/channel-order.ts';
import { InputGate, type InputGateOptions } from '../../src/operators/gate/input-gate.ts';
import { type Barrier, elementOf, type Mark, type StreamElement } from '../../src/partitions/stream-element.ts';
import type { CheckpointId } from '../../src/ids.ts';
import type { GateState } from '../../src/operators/state/task-state.ts';
import { barrier, idle, watermark } from '../support/marks.ts';
import { HandChannel, somePartition } from '../support/partition-harness.ts';
import { draws } from '../support/draws.ts';

function gateOver(count: number, order?: ChannelOrder) {
  const channels = Array.from({ length: count }, () => new HandChannel());
  const gate = new InputGate(channels, { order });
  const taken: (string | number)[] = [];
  let error: unknown;
  gate.elements$.subscribe({
    next: (element: StreamElement) =>
      element.kind === 'records' ? taken.push(...(element.records as number[])) : taken.push(element.kind),
    error: (failure: unknown) => {
      error = failure;
    },
  });
  let wakes = 0;
  gate.onAvailable(() => wakes++);
  return {
    channels,
    gate,
    taken,
    wakes: () => wakes,
    error: () => error,
    channel: (index: number) => channels[index] as HandChannel,
  };
}

describe('InputGate', () => {
  it('IG2: gives each channel two credits, and one more for each element taken', () => {
    const { gate, channel } = gateOver(2);
    expect([channel(0).credits, channel(1).credits]).toEqual([2, 2]);
    channel(0).emit(1);
    channel(0).emit(2);
    expect(channel(0).credits).toBe(0);
    gate.emitNext();
    expect(channel(0).credits).toBe(1);
  });

  it('IG3: takes turns among channels with elements', () => {
    const { gate, taken, channel } = gateOver(3);
    channel(0).emit(1);
    channel(0).emit(2);
    channel(2).emit(5);
    channel(1).emit(3);
    channel(1).emit(4);
    while (gate.emitNext());
    expect(taken).toEqual([1, 5, 3, 2, 4]);
  });

  it('dismisses every channel, and emits nothing afterwards', () => {
    const { gate, taken, channels, channel } = gateOver(3);
    channel(1).emit(1);
    channel(2).end();
    gate.dismiss();
    expect(channels.map(({ isDismissed }) => isDismissed)).toEqual([true, true, true]);
    expect([gate.emitNext(), taken]).toEqual([false, []]);
  });

  it('gives the origin of a record: its channel, and its number there', () => {
    const { gate, channel } = gateOver(2);
    channel(0).emit('a', 'b');
    channel(1).emit('c');
    channel(0).emit('d');
    while (gate.emitNext());
    expect([0, 1, 2, 3].map((record) => gate.placeOf(record))).toEqual([
      'channel 0, record 0',
      'channel 0, record 1',
      'channel 1, record 0',
      'channel 0, record 2',
    ]);
  });

  it('closes its channels without dismissing them, because its task may have failed', () => {
    const { gate, channels } = gateOver(2);
    gate.close(() => {});
    expect(channels.map(({ isDismissed }) => isDismissed)).toEqual([false, false]);
  });

  it('ends once, after every channel has ended', () => {
    const { gate, taken, channel } = gateOver(2);
    channel(0).end();
    expect(gate.emitNext()).toBe(false);
    channel(1).emit(1);
    channel(1).end();
    while (gate.emitNext());
    expect(taken).toEqual([1, 'end']);
    expect(gate.emitNext()).toBe(false);
  });

  it('ends at once without channels', () => {
    const { gate, taken } = gateOver(0);
    expect(gate.emitNext()).toBe(true);
    expect(taken).toEqual(['end']);
  });

  it('wakes its task when an element arrives while none waits', () => {
    const { gate, wakes, channel } = gateOver(2);
    expect(gate.emitNext()).toBe(false);
    channel(1).emit(1);
    expect(wakes()).toBe(1);
    channel(0).emit(2);
    expect(wakes()).toBe(1);
    while (gate.emitNext());
    channel(0).end();
    expect(wakes()).toBe(2);
  });

  it('passes on the first error of a channel, once, and wakes its task for it', () => {
    const { gate, wakes, error, channel } = gateOver(2);
    const first = new PartitionLostError(somePartition, 'it was released');
    channel(0).fail(first);
    channel(1).fail(new Error('second'));
    expect(wakes()).toBeGreaterThan(0);
    expect(gate.emitNext()).toBe(true);
    expect(error()).toBe(first);
    expect(gate.emitNext()).toBe(false);
  });

  it('stops reading when it is closed, and may be closed twice', () => {
    const { gate, taken, channel } = gateOver(1);
    let closed = 0;
    gate.close(() => closed++);
    gate.close(() => closed++);
    expect(closed).toBe(2);
    expect(channel(0).isRead).toBe(false);
    expect(gate.emitNext()).toBe(false);
    expect(taken).toEqual([]);
  });

  it('IG1, IG2, property: nothing is lost, repeated or reordered within a channel, for any interleaving', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.array(fc.nat(12), { maxLength: 200 }), (count, steps) => {
        const { gate, taken, channels, channel } = gateOver(count);
        const sent = channels.map((): number[] => []);
        for (const [step, choice] of steps.entries()) {
          if (choice >= count) gate.emitNext();
          else if (channel(choice).credits > 0) {
            channel(choice).emit(step * count + choice);
            sent[choice]?.push(step * count + choice);
          }
        }
        for (const each of channels) each.end();
        while (gate.emitNext());
        expect(taken.pop()).toBe('end');
        expect(channels.map((_, index) => (taken as number[]).filter((value) => value % count === index))).toEqual(
          sent,
        );
      }),
    );
  });
});

/** The notation of an order: `0×2 1×1 0×0` is two records of channel 0, one of channel 1, then a mark of channel 0. */
function orderOf(text: string): ChannelOrder {
  const order = new ChannelOrder();
  for (const run of text.split(' ').filter((each) => each !== '')) {
    const [channel, count] = run.split('×').map(Number) as [number, number];
    if (count === 0) order.noteMark(channel);
    else order.note(channel, count);
  }
  return order;
}

function told(order: ChannelOrder): string {
  return Array.from({ length: order.length }, (_, run) => `${order.channelAt(run)}×${order.countAt(run)}`).join(' ');
}

describe('InputGate with a recorded order', () => {
  it('IG4: records the order of records, independent of batches', () => {
    const order = new ChannelOrder();
    const { gate, taken, channel } = gateOver(2, order);
    channel(0).emit('a', 'b');
    channel(1).emit('x');
    channel(0).emit('c');
    while (gate.emitNext());
    channel(0).emit('d', 'e');
    while (gate.emitNext());
    expect(taken).toEqual(['a', 'b', 'x', 'c', 'd', 'e']);
    expect(told(order)).toBe('0×2 1×1 0×3');
  });

  it('IG4: follows the recorded order, in any order of arrival', () => {
    const { gate, taken, channel } = gateOver(2, orderOf('0×2 1×1 0×1'));
    channel(1).emit('x', 'y');
    expect(gate.emitNext()).toBe(false);
    channel(0).emit('a', 'b');
    while (gate.emitNext());
    expect(taken).toEqual(['a', 'b', 'x']);
    channel(0).emit('c');
    while (gate.emitNext());
    expect(taken).toEqual(['a', 'b', 'x', 'c', 'y']);
  });

  it.each<{ batches: string; sends: (readonly [number, ...string[]])[]; pieces: string }>([
    {
      batches: 'one by one',
      sends: [
        [0, 'a'],
        [0, 'b'],
        [1, 'x'],
        [0, 'c'],
      ],
      pieces: 'a b x c',
    },
    {
      batches: 'all at once: cut where it is another’s turn',
      sends: [
        [0, 'a', 'b', 'c'],
        [1, 'x'],
      ],
      pieces: 'ab x c',
    },
    {
      batches: 'across the end of the record',
      sends: [
        [1, 'x', 'y'],
        [0, 'a', 'b', 'c', 'd'],
      ],
      pieces: 'ab x c d y',
    },
  ])('IG4: follows it in other batches, $batches: $pieces', ({ sends, pieces }) => {
    const { gate, channel } = gateOver(2, orderOf('0×2 1×1 0×1'));
    const emitted: string[] = [];
    gate.elements$.subscribe((element) =>
      emitted.push(element.kind === 'records' ? element.records.join('') : element.kind),
    );
    for (const [index, ...records] of sends) {
      channel(index).emit(...records);
      while (gate.emitNext());
    }
    expect(emitted.join(' ')).toBe(pieces);
  });

  it('IG2, IG4: requests the next element when all of the current one was taken, not a part of it', () => {
    const { gate, channel } = gateOver(2, orderOf('0×1 1×1 0×1'));
    channel(0).emit('a', 'b');
    channel(1).emit('x');
    gate.emitNext();
    expect(channel(0).credits).toBe(1);
    gate.emitNext();
    expect([channel(0).credits, channel(1).credits]).toEqual([1, 2]);
    gate.emitNext();
    expect(channel(0).credits).toBe(2);
  });

  it('IG4: wakes its task only for the next channel of the order', () => {
    const { gate, wakes, channel } = gateOver(2, orderOf('1×1 0×1'));
    channel(0).emit('a');
    expect(gate.emitNext()).toBe(false);
    const before = wakes();
    channel(1).emit('x');
    expect(wakes()).toBe(before + 1);
    expect(gate.emitNext()).toBe(true);
  });

  it('IG4: at the end of the order any channel may be next, and the order grows', () => {
    const order = orderOf('1×1');
    const { gate, taken, channel } = gateOver(3, order);
    channel(0).emit('a');
    channel(2).emit('p');
    channel(1).emit('x', 'y');
    channel(0).emit('b');
    while (gate.emitNext());
    for (const index of [0, 1, 2]) channel(index).end();
    while (gate.emitNext());
    expect(taken).toEqual(['x', 'a', 'y', 'p', 'b', 'end']);
    expect(told(order)).toBe('1×1 0×1 1×1 2×1 0×1');
  });

  it('IG4: records marks among the records, and takes them in that order again', () => {
    const order = new ChannelOrder();
    const first = gateOver(2, order);
    first.channel(0).emit('a', 'b');
    first.channel(1).emitMark(idle);
    while (first.gate.emitNext());
    first.channel(1).emit('x');
    first.channel(0).emitMark(watermark(1));
    while (first.gate.emitNext());
    expect(told(order)).toBe('0×2 1×0 1×1 0×0');
    const second = gateOver(2, order);
    second.channel(0).emit('a');
    second.channel(0).emit('b');
    while (second.gate.emitNext());
    second.channel(0).emitMark(watermark(1));
    expect(second.gate.emitNext()).toBe(false);
    second.channel(1).emitMark(idle);
    second.channel(1).emit('x');
    while (second.gate.emitNext());
    expect(first.taken).toEqual(['a', 'b', 'idleness', 'x', 'watermark']);
    expect(second.taken).toEqual(first.taken);
  });

  it.each<{ what: string; comes: (channel: HandChannel) => void; taken: unknown[] }>([
    { what: 'a record where a mark was', comes: (channel) => channel.emit('a'), taken: ['x', 'a'] },
    { what: 'the end where a mark was', comes: (channel) => channel.end(), taken: ['x'] },
  ])('IG4: ends the replay if a channel has changed: $what', ({ comes, taken: expected }) => {
    const { gate, taken, channel } = gateOver(2, orderOf('0×0 1×1'));
    channel(1).emit('x');
    expect(gate.emitNext()).toBe(false);
    comes(channel(0));
    while (gate.emitNext());
    expect(taken.toSorted()).toEqual(expected.toSorted());
  });

  it('IG4: ends the replay at a mark in place of a record', () => {
    const { gate, taken, channel } = gateOver(2, orderOf('0×1 1×1'));
    channel(1).emit('x');
    channel(0).emitMark(idle);
    while (gate.emitNext());
    expect(taken.toSorted()).toEqual(['idleness', 'x']);
  });

  it('IG4: a second replay includes the order added after the first', () => {
    const order = orderOf('1×1');
    const first = gateOver(2, order);
    first.channel(1).emit('x');
    first.channel(0).emit('a', 'b');
    while (first.gate.emitNext());
    first.channel(1).emit('y');
    while (first.gate.emitNext());
    const second = gateOver(2, order);
    second.channel(1).emit('x', 'y');
    second.channel(0).emit('a');
    second.channel(0).emit('b');
    while (second.gate.emitNext());
    expect(first.taken).toEqual(['x', 'a', 'b', 'y']);
    expect(second.taken).toEqual(first.taken);
    expect(told(order)).toBe('1×1 0×2 1×1');
  });

  it('IG4: an attempt that fails during a replay leaves the order unchanged', () => {
    const order = orderOf('0×2 1×2');
    const { gate, error, channel } = gateOver(2, order);
    channel(0).emit('a');
    gate.emitNext();
    channel(1).fail(new PartitionLostError(somePartition, 'it was released'));
    while (gate.emitNext());
    expect(error()).toBeInstanceOf(PartitionLostError);
    expect(told(order)).toBe('0×2 1×2');
  });

  it('IG4: continues with the other channels if a channel ends early', () => {
    const { gate, taken, channel } = gateOver(3, orderOf('0×3 1×1'));
    channel(0).emit('a');
    channel(2).emit('p');
    channel(0).end();
    while (gate.emitNext());
    expect(taken).toEqual(['a', 'p']);
    channel(1).emit('x');
    channel(1).end();
    channel(2).end();
    while (gate.emitNext());
    expect(taken).toEqual(['a', 'p', 'x', 'end']);
  });

  it('IG4: a replay ends after a record that is the whole order, and at once if the order is empty', () => {
    for (const order of ['0×1 1×1', '']) {
      const { gate, taken, channel } = gateOver(2, orderOf(order));
      channel(0).emit('a');
      channel(0).end();
      channel(1).emit('x');
      channel(1).end();
      while (gate.emitNext());
      expect(taken).toEqual(['a', 'x', 'end']);
    }
  });

  interface Run {
    /** The channels whose next batch arrives; at -1 an element is taken. */
    readonly steps: readonly number[];
    /** Sizes of the batches, repeated. */
    readonly sizes: readonly number[];
  }

  /** Lets a task read `records` of each channel; stops after the steps, or continues to the end. */
  function read(
    records: readonly (readonly string[])[],
    order: ChannelOrder,
    { steps, sizes }: Run,
    toTheEnd: boolean,
  ) {
    const { gate, taken, channel } = gateOver(records.length, order);
    const sent = records.map(() => 0);
    const hasEnded = records.map(() => false);
    let batches = 0;
    const arrive = (index: number): void => {
      if (channel(index).credits === 0 || hasEnded[index] === true) return;
      const from = sent[index] as number;
      const batch = records[index]?.slice(from, from + (sizes[batches++ % sizes.length] as number)) ?? [];
      sent[index] = from + batch.length;
      hasEnded[index] = batch.length === 0;
      if (batch.length === 0) channel(index).end();
      else channel(index).emit(...batch);
    };
    for (const step of steps) {
      if (step === -1) gate.emitNext();
      else if (step < records.length) arrive(step);
    }
    for (let round = 0; toTheEnd && taken.at(-1) !== 'end'; round++) {
      if (round === 1_000) throw new Error(`It comes to no end after ${taken.join(' ')}`);
      for (const index of records.keys()) arrive(index);
      while (gate.emitNext());
    }
    return taken;
  }

  const anyRun: fc.Arbitrary<Run> = fc.record({
    steps: fc.array(fc.integer({ min: -1, max: 3 }), { maxLength: 80 }),
    sizes: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 }),
  });
  const anyRecords = fc
    .array(fc.nat(30), { minLength: 1, maxLength: 4 })
    .map((counts) => counts.map((count, channel) => Array.from({ length: count }, (_, at) => `${channel}:${at}`)));

  it('IG1, IG4, property: a replay begins with the recorded order, for any arrival and any batches', () => {
    fc.assert(
      fc.property(anyRecords, fc.array(anyRun, { minLength: 1, maxLength: 3 }), anyRun, (records, failing, last) => {
        const order = new ChannelOrder();
        let recorded: (string | number)[] = [];
        for (const run of failing) {
          const taken = read(records, order, run, false).filter((each) => each !== 'end');
          const common = Math.min(taken.length, recorded.length);
          expect(taken.slice(0, common)).toEqual(recorded.slice(0, common));
          if (taken.length > recorded.length) recorded = taken;
        }
        const taken = read(records, order, last, true);
        expect(taken.slice(0, recorded.length)).toEqual(recorded);
        expect(taken.pop()).toBe('end');
        expect(records.map((_, index) => taken.filter((each) => `${each}`.startsWith(`${index}:`)))).toEqual(records);
      }),
      { numRuns: draws(200, 500) },
    );
  });
});

describe('a restored InputGate', () => {
  /** Reads the channels like the first gate, in its order, from its position; returns what it takes. */
  const restoredFrom = (order: ChannelOrder, state: GateState) => {
    const channels = [new HandChannel(), new HandChannel()];
    const gate = new InputGate(channels, {
      order: order.copy(),
      restored: { state, checkpoint: 1 as CheckpointId },
    });
    const taken: unknown[] = [];
    gate.elements$.subscribe((element) => {
      if (element.kind === 'records') taken.push(...element.records);
      else taken.push(element.kind);
    });
    return { gate, taken, channel: (index: number) => channels[index] as HandChannel };
  };

  const atCheckpoint = () => {
    const order = new ChannelOrder();
    const first = gateOver(2, order);
    first.channel(0).emit('a', 'b');
    first.channel(1).emit('x');
    while (first.gate.emitNext());
    first.channel(0).emitMark(watermark(5));
    first.channel(0).emitMark(barrier(1));
    first.channel(1).emitMark(barrier(1));
    while (first.gate.emitNext());
    const { state } = first.gate.snapshot() as { readonly state: GateState };
    return { order, first, state };
  };

  it('IG5: skips the marks up to the barrier of its checkpoint, and continues in the recorded order', () => {
    const { order, first, state } = atCheckpoint();
    const before = first.taken.length;
    first.channel(1).emitMark(idle);
    first.channel(1).emit('y');
    while (first.gate.emitNext());
    first.channel(0).emit('c', 'd');
    while (first.gate.emitNext());
    expect(state.channels).toEqual([2, 1]);

    const { gate, taken, channel } = restoredFrom(order, structuredClone(state));
    channel(0).emitMark(watermark(5));
    channel(0).emitMark(barrier(1));
    channel(0).emit('c');
    channel(0).emit('d');
    expect(gate.emitNext()).toBe(false);
    channel(1).emitMark(barrier(1));
    channel(1).emitMark(idle);
    channel(1).emit('y');
    while (gate.emitNext());
    expect(taken).toEqual(['idleness', 'y', 'c', 'd']);
    expect(first.taken.slice(before)).toEqual(taken);
    // Skipped marks take no room, and origins count from the start of the channel.
    expect(channel(0).credits).toBe(2);
    expect(gate.placeOf(1)).toBe('channel 0, record 2');
  });

  it('IG5: continues in an order whose beginning is forgotten; from before that, in any order', () => {
    const { order, first, state } = atCheckpoint();
    first.channel(1).emit('y');
    while (first.gate.emitNext());
    first.channel(0).emit('c', 'd');
    while (first.gate.emitNext());
    const known = order.length;
    order.forget(1 as CheckpointId);
    expect([order.length, order.kept]).toEqual([known, 2]);
    for (const [from, taken] of [
      [structuredClone(state), ['y', 'c', 'd']],
      // It follows no order, so it need not decline the barrier.
      [{ kind: 'gate', channels: [2, 1], order: { run: 0, taken: 0 } }, ['c', 'd', 'y', 'barrier']],
    ] as const) {
      const again = restoredFrom(order, from);
      again.gate.trigger(barrier(2) as Barrier);
      again.channel(0).emit('c', 'd');
      again.channel(1).emit('y');
      for (const index of [0, 1]) again.channel(index).emitMark(barrier(2));
      while (again.gate.emitNext());
      expect(again.taken).toEqual(taken);
    }
  });

  it.each([['x'], ['x', 'z']])(
    'IG5: without the recorded order it begins one at its position, which the next attempt follows: %j',
    (...last) => {
      const before = gateOver(2, new ChannelOrder());
      before.channel(0).emit('a', 'b');
      while (before.gate.emitNext());
      before.channel(1).emit(...last);
      while (before.gate.emitNext());
      const { state } = before.gate.snapshot() as { readonly state: GateState };
      const order = new ChannelOrder();
      const restore = { restored: { state, checkpoint: 1 as CheckpointId } };
      const taken: unknown[][] = [];
      for (const [first, second] of [
        [1, 0],
        [0, 1],
      ] as const) {
        const channels = [new HandChannel(), new HandChannel()];
        const records = [['c', 'd'], ['y']];
        const gate = new InputGate(channels, { order, ...restore });
        const seen: unknown[] = [];
        gate.elements$.subscribe((element) => element.kind === 'records' && seen.push(...element.records));
        for (const index of [first, second]) {
          channels[index]?.emit(...(records[index] as string[]));
          while (gate.emitNext());
        }
        taken.push(seen);
      }
      expect(taken).toEqual([
        ['y', 'c', 'd'],
        ['y', 'c', 'd'],
      ]);
    },
  );

  it('IG5: a state that has no position in the order is where the order began from it, and nowhere in any other', () => {
    const order = new ChannelOrder();
    const state: GateState = { kind: 'gate', channels: [2, 1], order: undefined };
    const attempt = (checkpoint: number, first: 0 | 1): unknown[] => {
      const channels = [new HandChannel(), new HandChannel()];
      const gate = new InputGate(channels, { order, restored: { state, checkpoint: checkpoint as CheckpointId } });
      const taken: unknown[] = [];
      gate.elements$.subscribe((element) => element.kind === 'records' && taken.push(...element.records));
      for (const index of [first, 1 - first]) {
        channels[index]?.emit(`of ${index}`);
        while (gate.emitNext());
      }
      return taken;
    };
    expect(attempt(3, 1)).toEqual(['of 1', 'of 0']);
    expect(attempt(3, 0)).toEqual(['of 1', 'of 0']);
    expect(attempt(4, 0)).toEqual(['of 0', 'of 1']);
  });

  it('IG5: takes the marks before its first record if the barrier is not among them, and those after the barrier', () => {
    const { state } = atCheckpoint();
    const { gate, taken, channel } = restoredFrom(new ChannelOrder(), state);
    channel(0).emitMark(watermark(6));
    channel(0).emitMark(barrier(2));
    channel(0).emit('c');
    channel(1).emitMark(barrier(1));
    channel(1).emitMark(barrier(2));
    for (const index of [0, 1]) channel(index).end();
    while (gate.emitNext());
    expect(taken).toEqual(['watermark', 'barrier', 'c', 'end']);
  });

  it('IG5: takes the barrier of a producer that is behind it where it is, but declines that of a savepoint', () => {
    const { state } = atCheckpoint();
    const channels = [new HandChannel(), new HandChannel()];
    const declined: unknown[] = [];
    const gate = new InputGate(channels, {
      restored: { state, checkpoint: 1 as CheckpointId },
      declined: (...told) => declined.push(told),
    });
    const taken: unknown[] = [];
    gate.elements$.subscribe((element) => taken.push(element.kind === 'barrier' ? gate.snapshot() : element));
    for (const channel of channels) channel.emitMark({ ...(barrier(2) as Barrier), isEarly: true });
    while (gate.emitNext());
    expect(taken).toEqual([{ kind: 'taken', state: { kind: 'gate', channels: [2, 1], order: undefined } }]);
    for (const channel of channels)
      channel.emitMark({ ...(barrier(3) as Barrier), alignment: 'savepoint', isEarly: true });
    while (gate.emitNext());
    expect(declined).toEqual([[3, 'its producer still reproduces what it has read']]);
    expect(channels.map(({ credits }) => credits)).toEqual([2, 2]);
    // Right before its first record, it is as always.
    for (const channel of channels) channel.emitMark(watermark(5));
    for (const channel of channels) channel.emit('c');
    while (gate.emitNext());
    expect(taken.slice(1)).toEqual([watermark(5), watermark(5), elementOf(['c']), elementOf(['c'])]);
  });

  it('IG5: hands the barrier on as one like any other', () => {
    const { state } = atCheckpoint();
    const { gate, channel } = restoredFrom(new ChannelOrder(), state);
    const handedOn: unknown[] = [];
    gate.elements$.subscribe((element) => handedOn.push(element));
    for (const index of [0, 1]) channel(index).emitMark({ ...(barrier(2) as Barrier), isEarly: true });
    while (gate.emitNext());
    expect(handedOn).toStrictEqual([barrier(2)]);
  });

  it('IG5: continues in the middle of a replay', () => {
    const order = orderOf('0×3 1×2 0×0');
    const first = gateOver(2, order);
    first.channel(0).emit('a', 'b');
    while (first.gate.emitNext());
    const { state } = first.gate.snapshot() as { readonly state: GateState };
    expect(state).toEqual({ kind: 'gate', channels: [2, 0], order: { run: 0, taken: 2 } });
    const { gate, taken, channel } = restoredFrom(order, state);
    channel(1).emit('x', 'y');
    expect(gate.emitNext()).toBe(false);
    channel(0).emit('c');
    while (gate.emitNext());
    expect(taken).toEqual(['c', 'x', 'y']);
  });
});

describe('barriers in an InputGate', () => {
  const aligned = (count: number, options: InputGateOptions = {}) => {
    const channels = Array.from({ length: count }, () => new HandChannel());
    const gate = new InputGate(channels, options);
    const taken: unknown[] = [];
    gate.elements$.subscribe((element) => {
      if (element.kind === 'records') taken.push(...element.records);
      else if (element.kind !== 'barrier') taken.push(element.kind);
      else {
        const snapshot = gate.snapshot();
        taken.push([element.checkpoint, snapshot.kind === 'taken' && snapshot.state.channels]);
      }
    });
    const takeAll = (): unknown[] => {
      while (gate.emitNext());
      return taken.splice(0);
    };
    return { gate, takeAll, channel: (index: number) => channels[index] as HandChannel };
  };
  const unaligned = (checkpoint: number): Mark => ({ ...barrier(checkpoint), alignment: 'at-least-once' }) as Mark;

  it('IG6, BA2: a channel that has delivered the barrier waits for the others, which go on', () => {
    const { takeAll, channel } = aligned(3);
    channel(0).emit('a');
    channel(0).emitMark(barrier(1));
    expect(takeAll()).toEqual(['a']);
    channel(0).emit('late');
    channel(1).emit('b');
    channel(1).emitMark(barrier(1));
    channel(2).emit('c', 'd');
    expect(takeAll()).toEqual(['b', 'c', 'd']);
    // IG2: a blocked channel gives no more credits than any other.
    expect(channel(0).credits).toBe(1);
    channel(2).emitMark(barrier(1));
    channel(2).emit('later');
    expect(takeAll()).toEqual([[1, [1, 1, 2]], 'late', 'later']);
  });

  it('BA2: at-least-once blocks no channel, and the state has the positions of the barrier', () => {
    const { takeAll, channel } = aligned(2);
    channel(0).emitMark(unaligned(1));
    channel(0).emit('a');
    expect(takeAll()).toEqual(['a']);
    channel(0).emitMark(unaligned(2));
    channel(1).emit('b');
    channel(1).emitMark(unaligned(1));
    expect(takeAll()).toEqual(['b', [1, [0, 1]]]);
    channel(1).emitMark(unaligned(2));
    expect(takeAll()).toEqual([[2, [1, 1]]]);
  });

  it('BA1: a channel that has ended, or that brings no barriers, is not waited for; one whose producer has finished is read to its end', () => {
    const { gate, takeAll, channel } = aligned(4, { bringsBarriers: (index) => index !== 3 });
    channel(0).emitMark(barrier(1));
    channel(3).emit('whole');
    expect(takeAll()).toEqual(['whole']);
    channel(1).end();
    expect(takeAll()).toEqual([]);
    gate.trigger(barrier(1) as Barrier);
    expect(takeAll()).toEqual([]);
    channel(2).emit('rest');
    channel(2).end();
    expect(takeAll()).toEqual(['rest', [1, [0, 0, 1, 1]]]);
    channel(0).emitMark(barrier(2));
    expect(takeAll()).toEqual([[2, [0, 0, 1, 1]]]);
  });

  it('BA1: a barrier begins at a task none of whose channels brings it', () => {
    const { gate, takeAll, channel } = aligned(1, { bringsBarriers: () => false });
    channel(0).emit('a');
    takeAll();
    gate.trigger(barrier(4) as Barrier);
    channel(0).emit('b');
    expect(takeAll()).toEqual([[4, [1]], 'b']);
    expect(gate.emitBarrier()).toBe(false);
  });

  it('BA5: what is there, be it the end, goes before a second barrier that begins at the task', () => {
    const { gate, takeAll, channel } = aligned(1, { bringsBarriers: () => false });
    channel(0).emit('a');
    gate.trigger(barrier(1) as Barrier);
    gate.trigger(barrier(2) as Barrier);
    gate.trigger(barrier(3) as Barrier);
    expect(takeAll()).toEqual([[1, [0]], 'a', [2, [1]], [3, [1]]]);
    gate.trigger(barrier(4) as Barrier);
    channel(0).end();
    expect(takeAll()).toEqual(['end', [4, [1]]]);
  });

  it('BA5: no record goes before a barrier that channels bring', () => {
    const { takeAll, channel } = aligned(2);
    for (const index of [0, 1]) {
      for (const checkpoint of [1, 2]) channel(index).emitMark(barrier(checkpoint));
      channel(index).emit(`after ${index}`);
    }
    expect(takeAll()).toEqual([[1, [0, 0]], [2, [0, 0]], 'after 0', 'after 1']);
  });

  it('BA5: the barrier of a checkpoint that is aborted before it is passed on is dropped', () => {
    const { gate, takeAll } = aligned(1, { bringsBarriers: () => false });
    gate.trigger(barrier(1) as Barrier);
    gate.trigger(barrier(2) as Barrier);
    gate.abandon(1 as CheckpointId);
    expect(takeAll()).toEqual([[2, [0]]]);
  });

  it('BA3: a newer barrier gives an older one up, and an aborted one holds up nothing', () => {
    const { gate, takeAll, channel } = aligned(2);
    channel(0).emitMark(barrier(1));
    channel(0).emit('a');
    expect(takeAll()).toEqual([]);
    channel(1).emitMark(barrier(2));
    expect(takeAll()).toEqual(['a']);
    channel(0).emitMark(barrier(2));
    expect(takeAll()).toEqual([[2, [1, 0]]]);
    channel(0).emitMark(barrier(3));
    channel(0).emit('b');
    expect(takeAll()).toEqual([]);
    gate.abandon(3 as CheckpointId);
    expect(takeAll()).toEqual(['b']);
    channel(1).emitMark(barrier(3));
    channel(1).emit('c');
    expect(takeAll()).toEqual(['c']);
  });

  it('BA3: an older barrier that comes after a newer one on another channel, which never brings it, holds up nothing', () => {
    const { takeAll, channel } = aligned(3);
    channel(0).emitMark(barrier(2));
    channel(0).emit('a');
    expect(takeAll()).toEqual([]);
    channel(1).emitMark(barrier(1));
    channel(1).emit('b');
    expect(takeAll()).toEqual(['b']);
    channel(1).emitMark(barrier(2));
    channel(2).emitMark(barrier(1));
    channel(2).emitMark(barrier(2));
    expect(takeAll()).toEqual([[2, [0, 1, 0]], 'a']);
  });

  it('BA3, BA4, property: whichever barriers each channel brings, those that all bring last let everything through, and those it passes over are declined', () => {
    fc.assert(
      fc.property(
        fc.array(fc.subarray([1, 2, 3, 4]), { minLength: 1, maxLength: 4 }),
        fc.constantFrom(barrier, unaligned),
        fc.infiniteStream(fc.nat()),
        (brought, mark, choices) => {
          const declined = new Set<unknown>();
          const { takeAll, channel } = aligned(brought.length, { declined: (checkpoint) => declined.add(checkpoint) });
          const steps = brought.map((ids) => [...ids, 5].flatMap((id): (string | Mark)[] => ['record', mark(id)]));
          const records = steps.flat().filter((step) => step === 'record').length;
          const seen: unknown[] = [];
          for (let left = steps.flat().length; left > 0; left--) {
            const open = [...steps.keys()].filter((index) => (steps[index] as unknown[]).length > 0);
            const index = open[(choices.next().value as number) % open.length] as number;
            const step = steps[index]?.shift() as string | Mark;
            if (typeof step === 'string') channel(index).emit(step);
            else channel(index).emitMark(step);
            if ((choices.next().value as number) % 2 === 0) seen.push(...takeAll());
          }
          seen.push(...takeAll());
          expect(seen.filter((one) => one === 'record')).toHaveLength(records);
          const passedOn = seen.filter((one) => one !== 'record') as [number, unknown][];
          expect(passedOn.at(-1)).toEqual([5, brought.map(({ length }) => length + 1)]);
          const ids = passedOn.map(([id]) => id);
          expect(ids).toEqual([...new Set(ids)].sort());
          expect([...declined, ...ids].sort()).toEqual([...new Set([...brought.flat(), 5])].sort());
        },
      ),
    );
  });

  it('BA4: it declines a checkpoint that begins at the task before an older one has come on all channels', () => {
    const declined: unknown[] = [];
    const { gate, takeAll, channel } = aligned(2, { declined: (...told) => declined.push(told) });
    channel(0).emitMark(barrier(1));
    expect(takeAll()).toEqual([]);
    channel(1).end();
    gate.trigger(barrier(2) as Barrier);
    channel(0).emitMark(barrier(2));
    expect(takeAll()).toEqual([[2, [0, 0]]]);
    gate.trigger(barrier(4) as Barrier);
    channel(0).emitMark(barrier(3));
    channel(0).emitMark(barrier(4));
    expect(takeAll()).toEqual([[4, [0, 0]]]);
    expect(declined).toEqual([
      [1, 'the barrier of a newer one came first'],
      [3, 'the barrier of a newer one came first'],
    ]);
  });

  it('BA3: barriers from before the attempt are dropped, also where it continues', () => {
    const state: GateState = { kind: 'gate', channels: [1, 0], order: undefined };
    const restored = { state, checkpoint: 4 as CheckpointId };
    const declined: unknown[] = [];
    const { takeAll, channel } = aligned(2, {
      ...{ restored, checkpointBefore: 6 as CheckpointId },
      declined: (checkpoint) => declined.push(checkpoint),
    });
    channel(0).emitMark(barrier(4));
    channel(0).emitMark(barrier(5));
    channel(0).emit('a');
    channel(0).emitMark(barrier(6));
    channel(0).emitMark(barrier(7));
    // Nothing follows it, and it does not wait for a record.
    channel(1).emitMark(barrier(4));
    channel(1).emitMark(barrier(7));
    expect(takeAll()).toEqual(['a', [7, [2, 0]]]);
    expect(declined).toEqual([]);
  });

  it('IG6: a barrier is taken without records if no record is before it', () => {
    const { gate, takeAll, channel } = aligned(2);
    channel(0).emit('a');
    channel(1).emitMark(barrier(1));
    channel(1).emit('b');
    expect(gate.emitBarrier()).toBe(false);
    expect(takeAll()).toEqual(['a']);
    channel(0).emitMark(barrier(1));
    expect(gate.emitBarrier()).toBe(true);
    expect(takeAll()).toEqual([[1, [1, 0]], 'b']);
  });

  it('IG4: while it follows a recorded order it declines checkpoints, and keeps the order', () => {
    const order = new ChannelOrder();
    order.note(1, 1);
    order.note(0, 2);
    const declined: unknown[] = [];
    const { gate, takeAll, channel } = aligned(2, { order, declined: (checkpoint) => declined.push(checkpoint) });
    channel(0).emit('a');
    channel(0).emitMark(barrier(1));
    gate.trigger(barrier(2) as Barrier);
    channel(1).emitMark(barrier(1));
    channel(1).emit('x');
    expect(takeAll()).toEqual(['x', 'a']);
    channel(0).emit('b');
    channel(0).emitMark(barrier(3));
    channel(1).emitMark(barrier(3));
    expect(takeAll()).toEqual(['b', [3, [2, 1]]]);
    expect(declined).toEqual([2, 1]);
  });

  it('property: every barrier comes once, behind the records before it and no others, for any interleaving', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 3, maxLength: 3 }), {
          minLength: 1,
          maxLength: 4,
        }),
        fc.infiniteStream(fc.nat()),
        (counts, choices) => {
          const { gate, takeAll, channel } = aligned(counts.length);
          const steps = counts.map((between) =>
            between.flatMap((count, index): (string | Mark)[] => [
              ...Array.from({ length: count }, () => 'record'),
              barrier(index + 1),
            ]),
          );
          const seen: unknown[] = [];
          for (let left = steps.flat().length; left > 0; left--) {
            const open = [...steps.keys()].filter((index) => (steps[index] as unknown[]).length > 0);
            const index = open[(choices.next().value as number) % open.length] as number;
            const step = steps[index]?.shift() as string | Mark;
            if (typeof step === 'string') channel(index).emit(step);
            else channel(index).emitMark(step);
            if ((choices.next().value as number) % 2 === 0) seen.push(...takeAll());
          }
          seen.push(...takeAll());
          const before = (checkpoint: number): number[] =>
            counts.map((between) => between.slice(0, checkpoint).reduce((sum, count) => sum + count, 0));
          expect(seen.filter((one) => one !== 'record')).toEqual([1, 2, 3].map((id) => [id, before(id)]));
          for (const id of [1, 2, 3]) {
            const at = seen.findIndex((one) => Array.isArray(one) && one[0] === id);
            const recordsBefore = seen.slice(0, at).filter((one) => one === 'record').length;
            expect(recordsBefore).toBe(before(id).reduce((sum, count) => sum + count, 0));
          }
          expect(gate.emitBarrier()).toBe(false);
        },
      ),
    );
  });
});
