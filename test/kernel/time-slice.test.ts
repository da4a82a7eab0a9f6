import { TimeSlice } from '../../src/time-slice.ts';

/** A loop over records that each take `us`, which stops when its time is over. */
function loop(usOf: (record: number) => number, sliceMs = 2) {
  let [nowMs, reads, done] = [0, 0, 0];
  const clock = {
    now: () => {
      reads++;
      return nowMs;
    },
  };
  const slice = new TimeSlice(clock, sliceMs);
  /** Returns how many records it has done, and how long it took. */
  const turn = (most = 1_000_000): { readonly records: number; readonly ms: number } => {
    const [from, beganMs] = [done, nowMs];
    slice.begin();
    do nowMs += usOf(done++) / 1_000;
    while (done - from < most && !slice.isOver());
    return { records: done - from, ms: nowMs - beganMs };
  };
  return { turn, readsOf: (action: () => void) => ((reads = 0), action(), reads) };
}

describe('the time slice of a loop', () => {
  it.each([
    [10_000, 1, 10],
    [1_500, 2, 3],
    [450, 6, 3],
    [10, 264, 3],
  ])('records of %d µs: at most %d a turn, which takes at least 2 ms and at most %d', (us, records, ms) => {
    const { turn } = loop(() => us);
    for (let turns = 0; turns < 9; turns++) {
      const { records: done, ms: took } = turn();
      expect(took).toBeGreaterThanOrEqual(2);
      expect(took).toBeLessThanOrEqual(ms + 1e-6);
      expect(done).toBeLessThanOrEqual(records);
    }
  });

  it('takes less than twice its time, whatever came before', () => {
    const { turn } = loop((record) => (record < 50_000 ? 1 : 100));
    while (turn().records > 100);
    for (let turns = 0; turns < 20; turns++) expect(turn().ms).toBeLessThan(4);
  });

  it('reads the clock for each record only while records take long', () => {
    const { turn, readsOf } = loop((record) => (record < 22 ? 1_000 : 0.1));
    for (let turns = 0; turns < 10; turns++) turn();
    expect(readsOf(() => turn(2))).toBe(2);
    turn(2_000);
    expect(readsOf(() => turn(6_400))).toBeLessThanOrEqual(101);
  });

  it('is never over where time stands still', () => {
    const { turn } = loop(() => 0);
    expect(turn(100_000).records).toBe(100_000);
  });
});
