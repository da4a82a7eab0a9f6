import { simulateApart } from './describe-seeds.ts';
import type { StreamsSummary } from './run-streams.ts';
import { draws } from '../support/draws.ts';

const count = draws(160, 400);

/** Jest needs a number. A stuck simulation is detected by its silence. */
const longestMs = 60 * 60_000;

describe(`${count} drawn streams with checkpoints, struck from their trigger to their commit and while they are restored`, () => {
  let summary: StreamsSummary;

  beforeAll(async () => {
    summary = await simulateApart<StreamsSummary>(['--checkpoints', '--seeds', `${count}`, '--seed', '1']);
  }, longestMs);

  it(`seeds 1 to ${count}: the output of an undisturbed run, and no violated rule`, () => {
    expect(summary.failures).toEqual([]);
    expect(summary.passed).toBe(count);
  });

  it('checkpoints completed and were restored, failed for many reasons, and were struck at many moments', () => {
    expect(summary.faults).toBeGreaterThan(count);
    expect(summary.completed).toBeGreaterThan(2 * count);
    expect(summary.restored).toBeGreaterThan(count / 2);
    expect(summary.lostExecutors).toBeGreaterThan(count / 4);
    expect(Object.keys(summary.byMoment).length).toBeGreaterThan(30);
    expect(Object.keys(summary.failed)).toEqual(
      expect.arrayContaining(['declined', 'expired', 'failover', 'notReady', 'storing', 'subsumed']),
    );
  });

  it('jobs had several components, ran over workers, and counted records at least once', () => {
    expect(summary.divided).toBeGreaterThan(count / 8);
    expect(summary.overWorkers).toBe(count / 4);
    expect(summary.atLeastOnce).toBeGreaterThan(count / 10);
  });

  it('runs continued from savepoints, which others had stopped with, at another parallelism', () => {
    expect(summary.savepoints).toBeGreaterThan(count / 20);
    expect(summary.stopped).toBeGreaterThan(count / 50);
    expect(summary.drained).toBeGreaterThan(count / 200);
    expect(summary.rescaled).toBeGreaterThan(count / 50);
  });
});
