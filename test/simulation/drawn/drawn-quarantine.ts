import { insideOf } from '../../../src/run/run-inside.ts';
import type { JobRun } from '../../../src/index.ts';
import { seededRandom, type SimulationOptions } from '../../../src/testing/index.ts';

type Drawn = Omit<SimulationOptions, 'seed'>;

/** Draws for a third of the seeds that flapping regions are quarantined, and whether they are released after a while. */
export function withQuarantine(seed: number, options: Drawn): Drawn {
  const random = seededRandom(seed).fork('quarantine');
  if (!random.chance(1 / 3)) return options;
  const quarantine = { afterFailures: random.pick([1, 1, 2, 3]), withinMs: random.pick([20, 60_000]) };
  const releaseAfterMs = random.pick([undefined, undefined, 0, 5, 500]);
  return {
    ...options,
    options: { ...options.options, quarantine },
    watch: (run) => {
      options.watch?.(run);
      if (releaseAfterMs !== undefined) releaseQuarantined(run, releaseAfterMs);
    },
  };
}

/** A region whose disk is too small would be released forever. */
const mostReleases = 3;

function releaseQuarantined(run: JobRun, afterMs: number): void {
  const { clock } = insideOf(run).environment;
  let releases = 0;
  run.events$.subscribe((event) => {
    if (event.type !== 'region.quarantined' || ++releases > mostReleases) return;
    clock.setTimeout(() => {
      if (run.status === 'running') run.release(event.region);
    }, afterMs);
  });
}
