import { RateWindow } from '../../src/operators/calls/rate-window.ts';

/** A window of 10 per second with earlier spending: times and amounts. */
function windowAfter(...spent: readonly (readonly [atMs: number, amount: number])[]): RateWindow {
  const window = new RateWindow(10, 1_000);
  for (const [atMs, amount] of spent) window.spend(amount, atMs);
  return window;
}

describe('RateWindow', () => {
  it.each<[string, RateWindow, number, number, number]>([
    ['has room at first', windowAfter(), 10, 0, 0],
    ['has room for the rest', windowAfter([0, 7]), 3, 1, 0],
    ['waits for as much as is missing', windowAfter([0, 2], [300, 5], [600, 3]), 7, 700, 600],
    ['waits for no more than is missing', windowAfter([0, 2], [300, 5], [600, 3]), 2, 700, 300],
    ['counts spending until its interval is over', windowAfter([0, 10]), 1, 999.5, 0.5],
    ['and no longer', windowAfter([0, 10]), 10, 1_000, 0],
    ['costs nothing if nothing is spent', windowAfter([0, 10]), 0, 1, 0],
    ['counts spending close together until the last of it expires', windowAfter([0, 5], [0.9, 5]), 1, 1_000, 0.9],
    ['but no further', windowAfter([0, 4], [0.9, 1], [1.8, 5]), 5, 1_000, 0.9],
    ['stands still while time goes back', windowAfter([500, 10]), 1, 200, 1_000],
    ['is free after a leap of time', windowAfter([0, 10]), 10, 1e12, 0],
  ])('%s', (_, window, amount, nowMs, waitMs) => {
    expect(window.waitMs(amount, nowMs)).toBeCloseTo(waitMs, 6);
  });

  it('forgets rounding errors of fractional amounts', () => {
    const window = new RateWindow(1, 1_000);
    for (let round = 0; round < 1_000; round++) {
      for (let part = 0; part < 10; part++) window.spend(0.1, round * 1_000);
    }
    expect(window.waitMs(1, 1_000_000)).toBe(0);
  });
});
