import type { BenchRow } from '../harness.ts';

/** What was measured of Flink too. */
interface BesideFlink {
  readonly what: string;
  /** Names of rows. */
  readonly rows: readonly string[];
  /** How the value of a row is shown. */
  readonly shown: (row: BenchRow) => number;
  readonly unit: string;
  /** Of Flink, in the same unit and order. */
  readonly flink: string;
  /** The name of the bench. */
  readonly bench: string;
}

const value = (row: BenchRow): number => row.value;
const ours = (row: BenchRow): number => row.ours;
const seconds = (row: BenchRow): number => row.ours / 1_000;
/** Of a row over 50 M records, in millions per second. */
const recordRate = (row: BenchRow): number => 50_000 / row.ours;

/** Flink's figures are of 1.20.5, taken once on a machine of the same kind; CPU time of the process where it is a rate. */
const lines: readonly BesideFlink[] = [
  {
    what: 'graph and regions of 10 000 × 10 000, pipelined · blocking',
    rows: ['pipelined', 'blocking'].map((exchange) => `regions: all-to-all, ${exchange}, 10,000 a vertex`),
    ...{ shown: value, unit: 'ms', flink: '320 · 340', bench: 'region-building' },
  },
  {
    what: 'restart set of 10 000 × 10 000, streaming · batch with every result lost',
    rows: ['pipelined, a task fails', 'blocking, a consumer fails, all results lost'].map(
      (which) => `restart set: ${which}, 10,000 × 10,000 all-to-all`,
    ),
    ...{ shown: value, unit: 'ms', flink: '20 · 10', bench: 'restart-set' },
  },
  {
    what: 'CPU of a recovery, one of 100 · 1 000 · 10 000 pipelines',
    rows: ['100', '1,000', '10,000'].map((count) => `failure of one pipeline of ${count} → it runs again, CPU`),
    ...{ shown: value, unit: 'ms', flink: '1.0–2.4 · 0.8–1.2 · 4.5', bench: 'recovery' },
  },
  {
    what: '20 000 tasks of one region until they run',
    rows: ['deployment of 20,000 no-op tasks, one region, a pipelined shuffle'],
    ...{ shown: seconds, unit: 's', flink: '31', bench: 'deployment' },
  },
  {
    what: 'map → filter → keyed sum, alone · through a 4-way shuffle, records per CPU second',
    rows: [
      'fused chain: map → filter → keyed sum of 50 M records, a whole job',
      'the same through a 4-way hash shuffle',
    ],
    ...{ shown: recordRate, unit: 'M', flink: '6.5–7.4 · 2.3–2.8', bench: 'data-plane' },
  },
  {
    what: 'Nexmark q0 · q1 · q2, events per CPU second',
    rows: ['q0, pass-through', 'q1, currency', 'q2, filter'].map(
      (query) => `Nexmark ${query}, beside a loop over records`,
    ),
    ...{ shown: ours, unit: 'M', flink: '12.6 · 10.7–13.7 · 12.5–15.4', bench: 'nexmark' },
  },
  {
    what: 'start of the process to the first record',
    rows: ['a built job from the start of its process to the first record'],
    ...{ shown: seconds, unit: 's', flink: '7.3', bench: 'process start' },
  },
];

export const rowsBesideFlink: readonly string[] = lines.flatMap(({ rows }) => rows);

/** @throws Error for a row that was never measured */
export function tableBesideFlink(figures: Readonly<Record<string, BenchRow>>): string {
  const cells = lines.map(({ what, rows, shown, unit, flink, bench }) => {
    const values = rows.map((name) => {
      const row = figures[name];
      if (row === undefined) throw new Error(`There is no figure called "${name}": run the bench that measures it`);
      return String(Number(shown(row).toPrecision(2)));
    });
    return [what, `${values.join(' · ')} ${unit}`, `${flink} ${unit}`, `\`npm run bench -- --only "${bench}"\``];
  });
  const table = [['what', 'here', 'Flink 1.20.5', 'measured by'], ...cells];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => (row[column] as string).length)));
  const [head, ...body] = table.map(
    (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] as number)).join(' | ')} |`,
  );
  return [head, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...body].join('\n');
}
