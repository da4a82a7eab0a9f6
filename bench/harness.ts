import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The limit for a measured number. */
export type Goal = { readonly atLeast: number } | { readonly atMost: number };

/** One line of the report. */
export interface BenchRow {
  readonly name: string;
  /** Median of the measurements. */
  readonly ours: number;
  /** Median of the same work done by hand, in the same run, if there is such a baseline. */
  readonly baseline?: number;
  /** Unit of `ours` and `baseline`. */
  readonly unit: string;
  /**
   * The number that the goal applies to: with a baseline, the speed relative to it (1 is as fast); without one,
   * `ours`.
   */
  readonly value: number;
  /** First and third quartile of `value` over the rounds. */
  readonly spread: readonly [number, number];
  readonly goal?: Goal;
}

/**
 * A group of measurements; some files in this folder export several as `benches`. All files are loaded whichever run, so
 * data that takes megabytes is made by `run` and let go at its end.
 */
export interface Bench {
  readonly name: string;
  run(options: BenchOptions): Promise<readonly BenchRow[]> | readonly BenchRow[];
}

export interface BenchOptions {
  /** Multiplies the number of measured rounds. Default 1; more for certainty, less for a quick look. */
  readonly effort: number;
}

/** The work to time. Its return value is kept, so that nothing is optimized away. */
export type Work = () => unknown;

interface Rounds {
  /** Default 15. */
  readonly rounds?: number;
  /** Unmeasured rounds before the measured ones. Default 5. */
  readonly warmUp?: number;
  readonly effort?: number;
  /**
   * Collects garbage before each sample and the last five rounds of the warm-up (default). A forced collection also
   * discards optimized code that refers to garbage of earlier rounds, so benches of code speed turn it off.
   */
  readonly collectsBefore?: boolean;
  /** `cpu`: the time of all threads of this process, for a machine that others use too. Default: what passes. */
  readonly clock?: 'elapsed' | 'cpu';
}

/** Median time of `run`, in ms. */
export async function measure(
  measurement: Rounds & { readonly name: string; readonly run: Work; readonly goal?: Goal },
): Promise<BenchRow> {
  const samples = await timed([measurement.run], measurement);
  const times = (samples[0] as number[]).sort(ascending);
  return row(measurement.name, 'ms', median(times), undefined, times, measurement.goal);
}

/**
 * Compares `ours` with `baseline`: `value` is the baseline's time divided by ours, so 0.5 is half as fast. Both run
 * in every round, in alternating order, and are compared round by round, so noise of the machine affects both.
 */
export async function compare(
  comparison: Rounds & { readonly name: string; readonly ours: Work; readonly baseline: Work; readonly goal?: Goal },
): Promise<BenchRow> {
  const samples = await timed([comparison.ours, comparison.baseline], comparison);
  const [ours, baseline] = samples as [number[], number[]];
  const ratios = ours.map((time, round) => (baseline[round] as number) / time).sort(ascending);
  return row(
    comparison.name,
    'ms',
    median(ours.sort(ascending)),
    median(baseline.sort(ascending)),
    ratios,
    comparison.goal,
  );
}

/** A row for numbers that were measured elsewhere, such as bytes or times on a job's own clock. */
export function reading(
  name: string,
  unit: string,
  values: readonly number[],
  goal?: Goal,
  baseline?: number,
): BenchRow {
  const sorted = [...values].sort(ascending);
  return row(name, unit, median(sorted), baseline, sorted, goal);
}

/** A directory that exists while `work` runs. */
export async function inDirectory<Result>(work: (directory: string) => Result | Promise<Result>): Promise<Result> {
  const directory = mkdtempSync(join(tmpdir(), 'kintsugi-bench-'));
  try {
    return await work(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Whether a row reached its goal; undefined without one. */
export function isReached({ value, goal }: BenchRow): boolean | undefined {
  if (goal === undefined) return undefined;
  return 'atLeast' in goal ? value >= goal.atLeast : value <= goal.atMost;
}

/** The rows as a text table. */
export function formatTable(rows: readonly BenchRow[]): string {
  const cells = rows.map((one) => {
    const reached = isReached(one);
    const isRatio = one.baseline !== undefined;
    const inUnit = (value: number): string => `${short(value)} ${one.unit}`;
    const inValue = (value: number): string => (isRatio ? `${short(value)}×` : inUnit(value));
    return [
      one.name,
      inUnit(one.ours),
      one.baseline === undefined ? '' : inUnit(one.baseline),
      `${inValue(one.value)} (${short(one.spread[0])}–${short(one.spread[1])})`,
      one.goal === undefined
        ? ''
        : 'atLeast' in one.goal
          ? `≥ ${inValue(one.goal.atLeast)}`
          : `≤ ${inValue(one.goal.atMost)}`,
      reached === undefined ? '' : reached ? 'yes' : 'NO',
    ];
  });
  const table = [['bench', 'ours', 'baseline', 'value (quartiles)', 'goal', 'reached'], ...cells];
  const widths = (table[0] as string[]).map((_, column) =>
    Math.max(...table.map((line) => (line[column] as string).length)),
  );
  return table
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] as number))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

let kept: unknown;

/** Times in ms, one list per work. Each round runs all of them; every other round in reverse order. */
async function timed(
  works: readonly Work[],
  { rounds = 15, warmUp = 5, effort = 1, collectsBefore = true, clock = 'elapsed' }: Rounds,
): Promise<number[][]> {
  const samples = works.map((): number[] => []);
  const measured = Math.max(Math.min(3, rounds), Math.round(rounds * effort));
  const now = clock === 'cpu' ? cpuMs : () => performance.now();
  for (let round = -warmUp; round < measured; round++) {
    const order = [...works.keys()];
    if (round % 2 !== 0) order.reverse();
    for (const index of order) {
      if (collectsBefore && round >= -5) globalThis.gc?.();
      const work = works[index] as Work;
      const startMs = now();
      const result = work();
      kept = result instanceof Promise ? await result : result;
      const elapsedMs = now() - startMs;
      if (round >= 0) (samples[index] as number[]).push(elapsedMs);
    }
  }
  if (kept === samples) throw new Error('unreachable: keeps the results of the work alive');
  return samples;
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

function row(
  name: string,
  unit: string,
  ours: number,
  baseline: number | undefined,
  values: readonly number[],
  goal: Goal | undefined,
): BenchRow {
  return {
    name,
    ours,
    ...(baseline === undefined ? {} : { baseline }),
    unit,
    value: median(values),
    spread: [quantile(values, 0.25), quantile(values, 0.75)],
    ...(goal === undefined ? {} : { goal }),
  };
}

function ascending(a: number, b: number): number {
  return a - b;
}

function median(sorted: readonly number[]): number {
  return quantile(sorted, 0.5);
}

function quantile(sorted: readonly number[], share: number): number {
  const position = (sorted.length - 1) * share;
  const below = sorted[Math.floor(position)] as number;
  const above = sorted[Math.ceil(position)] as number;
  return below + (above - below) * (position - Math.floor(position));
}

/** Three significant digits. */
function short(value: number): string {
  return Math.abs(value) >= 1_000 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)));
}
