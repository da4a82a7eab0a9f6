import fc from 'fast-check';
import type { CheckpointId } from '../../src/ids.ts';
import { ChannelOrder, type OrderPosition, OrderReplay } from '../../src/partitions/channel-order.ts';

const id = (checkpoint: number): CheckpointId => checkpoint as CheckpointId;

type Run = readonly [channel: number, count: number];

function noted(runs: readonly Run[]): ChannelOrder {
  const order = new ChannelOrder();
  for (const [channel, count] of runs) {
    if (count === 0) order.noteMark(channel);
    else order.note(channel, count);
  }
  return order;
}

const runsOf = (order: ChannelOrder): Run[] =>
  Array.from({ length: order.length }, (_, run) => [order.channelAt(run), order.countAt(run)]);

/** The channel of each record. */
const spelled = (runs: readonly Run[]): number[] =>
  runs.flatMap(([channel, count]) => Array.from({ length: count }, () => channel));

describe('ChannelOrder', () => {
  it.each<{ rule: string; notes: Run[]; runs: Run[] }>([
    { rule: 'nothing', notes: [], runs: [] },
    { rule: 'one channel', notes: [[3, 5]], runs: [[3, 5]] },
    {
      rule: 'a run that continues',
      notes: [
        [3, 5],
        [3, 1],
        [3, 2],
      ],
      runs: [[3, 8]],
    },
    {
      rule: 'turns',
      notes: [
        [0, 1],
        [1, 1],
        [0, 1],
      ],
      runs: [
        [0, 1],
        [1, 1],
        [0, 1],
      ],
    },
    {
      rule: 'marks, each by itself',
      notes: [
        [3, 5],
        [3, 0],
        [3, 0],
        [1, 0],
        [3, 2],
        [3, 1],
      ],
      runs: [
        [3, 5],
        [3, 0],
        [3, 0],
        [1, 0],
        [3, 3],
      ],
    },
    {
      rule: 'a run as long as can be counted',
      notes: [
        [7, 2 ** 32 - 2],
        [7, 1],
      ],
      runs: [[7, 2 ** 32 - 1]],
    },
    {
      rule: 'a longer one, in two',
      notes: [
        [7, 2 ** 32 - 2],
        [7, 3],
      ],
      runs: [
        [7, 2 ** 32 - 2],
        [7, 3],
      ],
    },
  ])('records runs: $rule', ({ notes, runs }) => {
    expect(runsOf(noted(notes))).toEqual(runs);
  });

  it('grows without losing records', () => {
    const notes = Array.from({ length: 1_000 }, (_, at): Run => [at % 3, at + 1]);
    expect(runsOf(noted(notes))).toEqual(notes);
  });

  it('forgets what is before the barrier of a checkpoint, and of those that are not newer', () => {
    const order = noted([
      [0, 1],
      [1, 1],
    ]);
    order.noteBarrier(id(1));
    order.note(1, 4);
    order.noteMark(0);
    order.noteMark(1);
    order.noteBarrier(id(3));
    order.note(0, 2);
    order.forget(id(0));
    expect([order.length, order.kept]).toEqual([5, 5]);
    order.forget(id(2));
    // It keeps the last run, which went on after the barrier.
    expect([order.length, order.kept, order.countAt(1)]).toEqual([5, 5, 5]);
    const copy = order.copy();
    copy.forget(id(4));
    expect([copy.length, copy.kept, copy.channelAt(4), copy.countAt(4)]).toEqual([5, 1, 0, 2]);
    expect(
      [
        { run: 3, taken: 0 },
        { run: 4, taken: 0 },
      ].map((from) => copy.hasFrom(from)),
    ).toEqual([false, true]);
    expect([order.kept, order.hasFrom({ run: 0, taken: 0 })]).toEqual([5, true]);
  });

  it('forgets a run of marks up to its end, and goes on', () => {
    const order = noted([
      [0, 0],
      [0, 0],
    ]);
    order.noteBarrier(id(1));
    order.forget(id(1));
    expect([order.length, order.kept, order.position]).toEqual([2, 0, { run: 2, taken: 0 }]);
    order.note(0, 3);
    order.note(0, 1);
    expect([order.length, order.kept, order.countAt(2), order.position]).toEqual([3, 1, 4, { run: 2, taken: 4 }]);
  });

  it('begins where an earlier one was, and goes on with a run of its own', () => {
    for (const taken of [0, 5]) {
      const order = new ChannelOrder();
      order.begin({ run: 7, taken });
      expect(order.position).toEqual({ run: 7, taken });
      order.note(2, 3);
      const replay = new OrderReplay(order, { run: 7, taken });
      expect([replay.channel, replay.left, order.hasFrom({ run: 6, taken: 1 })]).toEqual([2, 3, false]);
    }
  });

  it('a state without a position is at its beginning, if that was from the same checkpoint', () => {
    const order = new ChannelOrder();
    order.begin(undefined, id(4));
    order.note(1, 3);
    const next = order.copy();
    const start: OrderPosition = { run: 0, taken: 0 };
    expect([id(4), id(5), undefined].map((from) => next.placeOf(undefined, from))).toEqual([
      start,
      undefined,
      undefined,
    ]);
    expect(next.placeOf({ run: 0, taken: 2 }, id(5))).toEqual({ run: 0, taken: 2 });
    expect(new ChannelOrder().placeOf(undefined, undefined)).toEqual(start);
  });

  it('property: what is kept is as it was, and little is kept of what every checkpoint has passed', () => {
    const steps = fc.array(fc.tuple(fc.nat(3), fc.nat(4), fc.constantFrom('note', 'barrier', 'forget')), {
      maxLength: 300,
    });
    fc.assert(
      fc.property(steps, fc.boolean(), (drawn, isCopied) => {
        const whole = new ChannelOrder();
        let order = new ChannelOrder();
        const barriers: OrderPosition[] = [];
        let [newest, passed] = [0, 0];
        for (const [channel, count, step] of drawn) {
          if (step === 'note')
            for (const one of [whole, order]) {
              if (count === 0) one.noteMark(channel);
              else one.note(channel, count);
            }
          else if (step === 'barrier') {
            order.noteBarrier(id(++newest));
            barriers[newest] = order.position;
          } else {
            // Those that were aborted are among them.
            passed = Math.max(passed, newest - channel);
            order.forget(id(passed));
            if (isCopied) order = order.copy();
          }
        }
        const from = barriers[passed] ?? { run: 0, taken: 0 };
        expect(order.hasFrom(from)).toBe(true);
        expect([order.length, order.position]).toEqual([whole.length, whole.position]);
        for (let run = from.run; run < whole.length; run++)
          expect([order.channelAt(run), order.countAt(run)]).toEqual([whole.channelAt(run), whole.countAt(run)]);
        order.forget(id(passed));
        expect(order.kept).toBeLessThanOrEqual(2 * (whole.length - from.run) + 1);
      }),
    );
  });
});

describe('OrderReplay', () => {
  it('is at its end at once if nothing was recorded', () => {
    const replay = new OrderReplay(new ChannelOrder());
    expect([replay.channel, replay.left]).toEqual([undefined, 0]);
  });

  it('gives the next channel, and the number of records from it', () => {
    const replay = new OrderReplay(
      noted([
        [2, 3],
        [0, 1],
      ]),
    );
    const seen = [[replay.channel, replay.left]];
    for (const count of [1, 2, 1]) {
      replay.take(count);
      seen.push([replay.channel, replay.left]);
    }
    expect(seen).toEqual([
      [2, 3],
      [2, 2],
      [0, 1],
      [undefined, 0],
    ]);
  });

  it('gives the turn of a mark, which is not a record', () => {
    const replay = new OrderReplay(
      noted([
        [2, 0],
        [2, 2],
        [0, 0],
      ]),
    );
    const seen = [[replay.channel, replay.left]];
    for (const count of [0, 1, 1, 0]) {
      replay.take(count);
      seen.push([replay.channel, replay.left]);
    }
    expect(seen).toEqual([
      [2, 0],
      [2, 2],
      [2, 1],
      [0, 0],
      [undefined, 0],
    ]);
  });

  it('ends where the order ended when it began, even if the order grows meanwhile', () => {
    const order = noted([[2, 1]]);
    const replay = new OrderReplay(order);
    order.note(1, 1);
    replay.take(1);
    expect(replay.channel).toBeUndefined();
  });

  it('property: visits the same channels, record by record, in steps of any size', () => {
    const anyRuns = fc.array(fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 6 })), { maxLength: 200 });
    const anySteps = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(anyRuns, anySteps, (runs, steps) => {
        const replay = new OrderReplay(noted(runs));
        const taken: Run[] = [];
        for (let step = 0; replay.channel !== undefined; step++) {
          const { channel } = replay;
          const count = Math.min(replay.left, steps[step % steps.length] as number);
          expect(count).toBeGreaterThan(0);
          replay.take(count);
          taken.push([channel, count]);
        }
        expect(spelled(taken)).toEqual(spelled(runs));
      }),
    );
  });

  it('property: continues at the position of another replay, or at the end of the order', () => {
    const anyRuns = fc.array(fc.tuple(fc.nat(2), fc.nat(3)), { maxLength: 40 });
    /** The channel and kind of each record and mark. */
    const rest = (replay: OrderReplay): string[] => {
      const taken: string[] = [];
      for (let { channel } = replay; channel !== undefined; { channel } = replay) {
        taken.push(`${channel}${replay.left > 0 ? '' : ' mark'}`);
        replay.take(Math.min(1, replay.left));
      }
      return taken;
    };
    fc.assert(
      fc.property(anyRuns, anyRuns, fc.nat(80), (before, after, steps) => {
        const order = noted(before);
        const end = structuredClone(order.position);
        for (const [channel, count] of after) {
          if (count === 0) order.noteMark(channel);
          else order.note(channel, count);
        }
        const whole = rest(new OrderReplay(order));
        const replay = new OrderReplay(order);
        for (let step = 0; step < steps && replay.channel !== undefined; step++) replay.take(Math.min(1, replay.left));
        const { position } = replay;
        expect(rest(new OrderReplay(order, position))).toEqual(whole.slice(Math.min(steps, whole.length)));
        const first = rest(new OrderReplay(noted(before))).length;
        expect(rest(new OrderReplay(order, end))).toEqual(whole.slice(first));
      }),
    );
  });
});
