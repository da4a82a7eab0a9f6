import type { JobRun, JobSnapshot, RegionState } from 'kintsugi';

const [grey, cyan, yellow, green, red] = [90, 36, 33, 32, 31];

const colourOf: Readonly<Record<RegionState, number>> = {
  created: grey,
  adopting: cyan,
  scheduled: grey,
  deploying: cyan,
  running: cyan,
  canceling: yellow,
  restarting: yellow,
  quarantined: red,
  finished: green,
  failed: red,
  canceled: red,
};

/**
 * Shows the progress of a run on one terminal line that is redrawn, with a square per region in the color of its
 * state. Silent without a terminal or in CI (`CI`); without colors if `NO_COLOR` is set.
 */
export function showProgress(label: string, run: JobRun, rows: () => number): void {
  const { stdout, env } = process;
  if (!stdout.isTTY || isSet(env['CI'])) return;
  let lastMs = 0;
  const draw = (snapshot: JobSnapshot): void => {
    const nowMs = performance.now();
    if (nowMs - lastMs < 80) return;
    lastMs = nowMs;
    stdout.write(`\r\u001b[2K${describe(label, snapshot, rows())}`);
  };
  run.status$.subscribe({
    next: draw,
    complete: () => {
      stdout.write('\r\u001b[2K');
    },
  });
}

/** Set and not empty (see no-color.org). `CI=false` is widely used to mean no. */
function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '' && value !== 'false';
}

function coloured(text: string, colour: number): string {
  return isSet(process.env['NO_COLOR']) ? text : `\u001b[${colour}m${text}\u001b[0m`;
}

function describe(label: string, { tasks, regions }: JobSnapshot, rows: number): string {
  const regionBar = (Object.entries(regions) as [RegionState, number][])
    .filter(([, count]) => count > 0)
    .map(([state, count]) => coloured('■'.repeat(count), colourOf[state]))
    .join('');
  const taskText = Object.entries(tasks)
    .filter(([, count]) => count > 0)
    .map(([state, count]) => `${count} ${state}`)
    .join(', ');
  return `  ${label.padEnd(24)} ${(rows / 1e6).toFixed(2)} M rows  ${regionBar}  ${taskText}`;
}
