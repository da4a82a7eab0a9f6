import { Pace } from '../../src/operators/pace.ts';

const room = { isEmpty: true, batchesTaken: 0, hasRoom: true };

/** Works on batches of 1,024 records that each take `us`, as a task does: one call a turn, until a batch is done. */
function turnsOf(usOf: (record: number) => number, batches: number) {
  let [nowMs, done] = [0, 0];
  const pace = new Pace(room, { now: () => nowMs });
  const turns: { readonly records: number; readonly ms: number; readonly steps: number }[] = [];
  for (let batch = 0; batch < batches; batch++) {
    for (let left = 1_024; left > 0; ) {
      const [from, beganMs] = [done, nowMs];
      let steps = 0;
      pace.workOn(left, (count) => {
        steps++;
        for (let record = 0; record < count; record++) nowMs += usOf(done++) / 1_000;
        return true;
      });
      left -= done - from;
      turns.push({ records: done - from, ms: nowMs - beganMs, steps });
    }
  }
  return turns;
}

describe('the pace of a stage', () => {
  it.each([
    [10_000, 1, 10],
    [1_000, 1, 1],
    [125, 8, 1],
  ])('records of %d µs: %d a turn at last, which takes %d ms', (us, records, ms) => {
    const turns = turnsOf(() => us, 2);
    // The last one is what a batch has left.
    expect(turns.at(-2)).toMatchObject({ records, ms: expect.closeTo(ms) as number });
  });

  it.each([0, 0.02, 0.9])('records of %d µs: a batch a turn', (us) => {
    expect(
      turnsOf(() => us, 40)
        .slice(10)
        .map(({ records }) => records),
    ).toEqual(Array.from({ length: 30 }, () => 1_024));
  });

  it.each([10, 100, 1_000, 5_000])('a turn takes a few ms from the first record on, if each takes %d µs', (us) => {
    for (const { ms } of turnsOf(() => us, 4)) expect(ms).toBeLessThanOrEqual(Math.max(2.5, us / 1_000));
  });

  it('records that suddenly take long are many in one turn only', () => {
    const turns = turnsOf((record) => (record < 20_480 ? 0.1 : 1_000), 21);
    expect(turns.filter(({ ms }) => ms > 1.5)).toHaveLength(1);
  });

  it('gets quick again', () => {
    const turns = turnsOf((record) => (record < 1_024 ? 1_000 : 0.1), 10);
    expect(turns.at(-1)).toMatchObject({ records: 1_024, steps: 1 });
  });

  it('takes short steps until a new loop has surely been optimized, if it is asked for that', () => {
    const stepsOf = (warmsUp: boolean) => {
      const pace = new Pace(room, undefined, warmsUp);
      return Array.from({ length: 200 }, () => {
        const steps: number[] = [];
        pace.workOn(1_024, (count) => steps.push(count) > 0);
        return steps;
      });
    };
    expect(stepsOf(true)[0]?.slice(0, 6)).toEqual([1, 4, 16, 64, 128, 128]);
    expect(Math.max(...stepsOf(true).slice(0, 128).flat())).toBe(128);
    expect(stepsOf(true).slice(129)).toEqual(Array.from({ length: 71 }, () => [1_024]));
    expect(stepsOf(false).slice(2)).toEqual(Array.from({ length: 198 }, () => [1_024]));
  });
});
