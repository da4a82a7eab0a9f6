import { draws } from '../../support/draws.ts';
import type { Area, DrawnSeeds } from '../areas.ts';
import { simulateApart, type SimulatedSeeds } from './simulate-apart.ts';

const large = (area: Area, few: number, many: number): DrawnSeeds => ({
  ...{ area, isSmall: false, first: 1, count: draws(few, many) },
});
const small = (area: Area, few: number, many: number): DrawnSeeds => ({ ...large(area, few, many), isSmall: true });

/** Everything that is drawn. */
const plan: readonly DrawnSeeds[] = [
  large('jobs', 200, 3_600),
  small('jobs', 2_000, 4_000),
  large('checkpoints', 40, 400),
  small('checkpoints', 560, 1_200),
  large('dying', 24, 100),
  small('dying', 240, 600),
  small('canceled', 900, 1_500),
  large('resumed', 120, 300),
  small('resumed', 80, 200),
  large('journals', 500, 1_000),
  large('answers', 400, 800),
];

const countOf = (area: Area): number => plan.reduce((sum, seeds) => sum + (seeds.area === area ? seeds.count : 0), 0);

/** Jest needs a number. A stuck simulation is detected by its silence. */
const longestMs = 60 * 60_000;

let simulated: SimulatedSeeds;

beforeAll(async () => {
  simulated = await simulateApart(plan);
}, longestMs);

describe(`${countOf('jobs')} drawn jobs`, () => {
  const count = countOf('jobs');

  it('with faults: the output of an undisturbed run, and no violated rule', () => {
    const { failures, passed } = simulated.of('jobs');
    expect(failures).toEqual([]);
    expect(passed).toBe(count);
  });

  it('faults fired, tasks ran again, results were re-used, single restarts were widened', () => {
    const summary = simulated.of('jobs');
    expect(summary.faults).toBeGreaterThan(count / 2);
    expect(summary.reRun).toBeGreaterThan(count);
    expect(summary.attempts).toBeGreaterThan(3 * summary.reRun);
    expect(summary.reused).toBeGreaterThan(count / 4);
    expect(summary.widened).toBeGreaterThan(count / 20);
  });

  it('deterministic regions restarted without their consumers, false declarations were detected, few disks were too small', () => {
    const summary = simulated.of('jobs');
    expect(summary.again).toBeGreaterThan(count / 16);
    expect(summary.brokenDeclarations).toBeGreaterThan(count / 500);
    expect(summary.tooLarge).toBeLessThan(count / 25);
  });

  it('executors were lost, also because their connections went silent', () => {
    expect(simulated.of('jobs').lostExecutors).toBeGreaterThan(count / 6);
  });

  it('slow tasks got second attempts, most of which were preferred', () => {
    const summary = simulated.of('jobs');
    expect(summary.speculated).toBeGreaterThan(count / 200);
    expect(summary.preferred).toBeGreaterThan(summary.speculated / 2);
    expect(summary.besideSinks).toBeGreaterThan(count / 1_000);
  });

  it('extensions, observers and sinks misbehaved, files changed while they were read, regions were quarantined', () => {
    const summary = simulated.of('jobs');
    expect(summary.rudeSinks).toBeGreaterThan(count / 8);
    expect(summary.rejected).toBeGreaterThan(count);
    expect(summary.overruled).toBeGreaterThan(count / 50);
    expect(summary.unheard).toBeGreaterThan(count / 50);
    expect(summary.appended).toBeGreaterThan(count / 1_000);
    expect(summary.inputsChanged).toBeGreaterThan(count / 500);
    expect(summary.quarantined).toBeGreaterThan(count / 40);
    expect(summary.released).toBeGreaterThan(count / 200);
    expect(summary.incomplete).toBeGreaterThan(count / 40);
    expect(summary.changed).toBeGreaterThanOrEqual(summary.inputsChanged);
  });
});

describe(`${countOf('checkpoints')} drawn streams with checkpoints, struck from their trigger to their commit and while they are restored`, () => {
  const count = countOf('checkpoints');

  it('the output of an undisturbed run, and no violated rule', () => {
    const { failures, passed } = simulated.of('checkpoints');
    expect(failures).toEqual([]);
    expect(passed).toBe(count);
  });

  it('checkpoints completed and were restored, failed for many reasons, and were struck at many moments', () => {
    const summary = simulated.of('checkpoints');
    expect(summary.faults).toBeGreaterThan(count);
    expect(summary.completed).toBeGreaterThan(2 * count);
    expect(summary.restored).toBeGreaterThan(count / 2);
    expect(summary.again).toBeGreaterThan(count / 60);
    expect(summary.lostExecutors).toBeGreaterThan(count / 4);
    expect(Object.keys(summary.byMoment).length).toBeGreaterThan(30);
    expect(Object.keys(summary.failed)).toEqual(
      expect.arrayContaining(['declined', 'expired', 'failover', 'notReady', 'storing', 'subsumed']),
    );
  });

  it('jobs had several components, ran over workers, and counted records at least once', () => {
    const summary = simulated.of('checkpoints');
    expect(summary.divided).toBeGreaterThan(count / 8);
    expect(summary.overWorkers).toBe(count / 4);
    expect(summary.atLeastOnce).toBeGreaterThan(count / 10);
  });

  it('runs continued from savepoints, which others had stopped with, at another parallelism', () => {
    const summary = simulated.of('checkpoints');
    expect(summary.savepoints).toBeGreaterThan(count / 20);
    expect(summary.stopped).toBeGreaterThan(count / 50);
    expect(summary.drained).toBeGreaterThan(count / 200);
    expect(summary.rescaled).toBeGreaterThan(count / 50);
  });
});

describe(`${countOf('dying')} drawn streams whose processes die or are stopped at drawn moments, and of which steps change in between`, () => {
  const count = countOf('dying');

  it('the last one ends with the output of an undisturbed run', () => {
    const { failures, deaths, canceled, continued, changed, finished, faults, onDisk, drained } = simulated.of('dying');
    expect(failures).toEqual([]);
    expect(deaths).toBeGreaterThan(count / 2);
    expect(canceled).toBeGreaterThan(count / 32);
    expect(continued).toBeGreaterThan(count / 4);
    expect(changed).toBeGreaterThan(count / 16);
    expect(finished).toBeGreaterThan(count / 2);
    expect(faults).toBeGreaterThan(count / 16);
    expect(onDisk).toBeGreaterThan(count / 8);
    expect(drained).toBeGreaterThan(count / 16);
  });
});

describe(`${countOf('canceled')} drawn jobs that are canceled at any moment`, () => {
  const count = countOf('canceled');

  it('end as canceled, with every task ended and every writer closed, once', () => {
    expect(simulated.of('canceled').failures).toEqual([]);
  });

  it('cancellation met every phase of a job', () => {
    const { initializing, running, finished } = simulated.of('canceled');
    expect(initializing).toBeGreaterThan(0);
    expect(running).toBeGreaterThan(0.3 * count);
    expect(finished).toBeGreaterThan(0.04 * count);
  });
});

describe(`${countOf('resumed')} simulated runs, each as if its process had died after any of its events`, () => {
  const count = countOf('resumed');

  it('RE1: a later run takes over what has finished and will not restart, as far as it is readable, and nothing else; the books have these tasks', () => {
    expect(simulated.of('resumed').failures).toEqual([]);
  });

  it('there was much to take over, and not all that had finished could be', () => {
    const { prefixes, restored, again } = simulated.of('resumed');
    expect(prefixes).toBeGreaterThan(10 * count);
    expect(restored).toBeGreaterThan(10 * count);
    expect(again).toBeGreaterThan((10 / 3) * count);
  });
});

describe(`${countOf('journals')} drawn journals, each through power losses and killed processes`, () => {
  const count = countOf('journals');

  it('RE1, RB3: a later run finds the books as they were after some entry, and nothing that was synced is lost', () => {
    expect(simulated.of('journals').failures).toEqual([]);
  });

  it('entries were lost, and most were not', () => {
    const { runs, written, lost } = simulated.of('journals');
    expect(runs).toBeGreaterThan(2.5 * count);
    expect(lost).toBeGreaterThan(count);
    expect(written).toBeGreaterThan(10 * lost);
  });
});

describe(`${countOf('answers')} drawn runs that remember their answers, each through power losses and killed processes`, () => {
  const count = countOf('answers');

  it("AS1, AS2, AS7: no answer that was written before a kill, or synced before a power loss, is paid again; with sync: 'call', none that was passed on", () => {
    expect(simulated.of('answers').failures).toEqual([]);
  });

  it('answers were lost, and most were not', () => {
    const { runs, calls, again } = simulated.of('answers');
    expect(runs).toBeGreaterThan(2.5 * count);
    expect(again).toBeGreaterThan(1.2 * count);
    expect(calls).toBeGreaterThan(3 * again);
  });
});
