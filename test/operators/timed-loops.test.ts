import type { Loops } from '../../src/operators/fused/loops/loop.ts';
import { RunTrace } from '../../src/operators/fused/loops/run-trace.ts';
import { TimedLoops } from '../../src/operators/fused/loops/timed-loops.ts';

type Kind = 'inlined' | 'apart';

/** Loops on a clock that they move: µs per record, by kind and by the number of the run. */
function timed(usOf: (kind: Kind, run: number) => number) {
  let [nowMs, runs] = [0, 0];
  const ran: Kind[] = [];
  const made: Kind[] = [];
  const loops = (kind: Kind): Loops => {
    made.push(kind);
    const take = (count: number): void => {
      nowMs += (usOf(kind, runs++) * count) / 1_000;
      ran.push(kind);
    };
    return {
      usesTail: kind === 'inlined',
      run: (records) => take(records.length),
      pull: (_, count) => take(count),
    };
  };
  const clock = { now: jest.fn(() => nowMs) };
  return { loops: new TimedLoops(loops('inlined'), () => loops('apart'), clock), ran, made, clock };
}

/** The kinds that ran, each with the number of runs in a row. */
function inRow(ran: readonly Kind[]): [Kind, number][] {
  const rows: [Kind, number][] = [];
  for (const kind of ran) {
    const last = rows.at(-1);
    if (last?.[0] === kind) last[1]++;
    else rows.push([kind, 1]);
  }
  return rows;
}

const ways: readonly [string, (loops: Loops) => void][] = [
  ['batches', ({ run }) => run(Array.from({ length: 100_000 }), [], new RunTrace(undefined, undefined))],
  ['records that it takes', ({ pull }) => pull?.(0, 100_000, [], new RunTrace(undefined, undefined))],
];

describe.each(ways)('the loops of a stretch, timed over %s', (_, once) => {
  it.each<[string, (kind: Kind, run: number) => number, [Kind, number][]]>([
    ['light functions stay inlined', () => 0.4, [['inlined', 40]]],
    [
      'heavy ones are called apart from the third measurement on',
      (kind) => (kind === 'inlined' ? 2 : 1),
      [
        ['inlined', 3],
        ['apart', 37],
      ],
    ],
    [
      'also if that does not make them faster: V8 may inline them later',
      () => 2,
      [
        ['inlined', 3],
        ['apart', 37],
      ],
    ],
    ['slow until V8 has optimized them', (_kind, run) => (run < 2 ? 50 : 0.3), [['inlined', 40]]],
    [
      'lighter ones stay apart while that is clearly faster, and are looked at again',
      (kind) => (kind === 'inlined' ? 0.9 : 0.4),
      [
        ['inlined', 3],
        ['apart', 51],
        ['inlined', 3],
        ['apart', 23],
      ],
    ],
    [
      'slow for longer than V8 mostly takes: inlined again later',
      (kind, run) => (run < 3 ? 2 : kind === 'inlined' ? 0.2 : 0.4),
      [
        ['inlined', 3],
        ['apart', 51],
        ['inlined', 26],
      ],
    ],
    [
      'ones that become light are inlined again',
      (kind, run) => (run < 10 ? 0.6 : kind === 'inlined' ? 0.3 : 0.48),
      [
        ['inlined', 3],
        ['apart', 8],
        ['inlined', 69],
      ],
    ],
  ])('%s', (_name, usOf, expected) => {
    const { loops, ran } = timed(usOf);
    for (let run = 0; run < expected.reduce((sum, [, runs]) => sum + runs, 0); run++) once(loops);
    expect(inRow(ran)).toEqual(expected);
  });

  it('are made when they are needed, and once', () => {
    const { loops, ran, made } = timed((kind) => (kind === 'inlined' ? 0.9 : 0.4));
    expect(made).toEqual(['inlined']);
    for (let run = 0; run < 80; run++) once(loops);
    expect(inRow(ran).map(([kind]) => kind)).toEqual(['inlined', 'apart', 'inlined', 'apart']);
    expect(made).toEqual(['inlined', 'apart']);
  });

  it('are no heavier because the thread stands still now and then', () => {
    const { loops, ran } = timed((_kind, run) => (run % 2 === 0 ? 30 : 0.3));
    for (let run = 0; run < 100; run++) {
      loops.run(Array.from({ length: 10_000 }), [], new RunTrace(undefined, undefined));
      loops.pull?.(0, 10_000, [], new RunTrace(undefined, undefined));
    }
    expect(inRow(ran)).toEqual([['inlined', 200]]);
  });

  it('are timed once in eight runs while these are short, and again as soon as one is not', () => {
    const { loops, ran, clock } = timed((_kind, run) => (run < 80 ? 0.02 : 1));
    const runs = (count: number): number => {
      clock.now.mockClear();
      for (let run = 0; run < count; run++) loops.pull?.(0, 1_000, [], new RunTrace(undefined, undefined));
      return clock.now.mock.calls.length;
    };
    expect(runs(80)).toBe(2 * 10);
    expect(runs(70)).toBe(2 * 70);
    expect(inRow(ran)).toEqual([
      ['inlined', 140],
      ['apart', 10],
    ]);
  });

  it('count the results of a record that has many', () => {
    const { loops, ran } = timed(() => 2);
    const many = Array.from({ length: 1_000_000 });
    for (let run = 0; run < 10; run++)
      loops.run(Array.from({ length: 10_000 }), many, new RunTrace(undefined, undefined));
    expect(inRow(ran)).toEqual([['inlined', 10]]);
  });
});
