import fc from 'fast-check';
import { PartitionLostError } from '../../src/errors.ts';
import { InputGate } from '../../src/partitions/input-gate.ts';
import type { StreamElement } from '../../src/partitions/stream-element.ts';
import { HandChannel, somePartition } from '../support/partition-harness.ts';

function gateOver(count: number) {
  const channels = Array.from({ length: count }, () => new HandChannel());
  const gate = new InputGate(channels);
  const taken: (string | number)[] = [];
  let error: unknown;
  gate.elements$.subscribe({
    next: (element: StreamElement) =>
      element.kind === 'end' ? taken.push('end') : taken.push(...(element.records as number[])),
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

  it('IG3: takes turns among channels that have elements', () => {
    const { gate, taken, channel } = gateOver(3);
    channel(0).emit(1);
    channel(0).emit(2);
    channel(2).emit(5);
    channel(1).emit(3);
    channel(1).emit(4);
    while (gate.emitNext());
    expect(taken).toEqual([1, 5, 3, 2, 4]);
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

  it('passes the first error of a channel on, once, and wakes its task for it', () => {
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

  it('IG1, IG2, property: nothing is lost, repeated or reordered within a channel, whatever the interleaving', () => {
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
