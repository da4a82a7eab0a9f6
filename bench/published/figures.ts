import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BenchRow, isReached } from '../harness.ts';
import { rowsBesideFlink, tableBesideFlink } from './beside-flink.ts';
import { type PublishedLine, publishedLines, type Shown } from './lines.ts';

/** The latest measurements, by row name. */
export type Figures = Readonly<Record<string, BenchRow>>;

const root = join(import.meta.dirname, '..', '..');
const figuresFile = join(import.meta.dirname, 'figures.json');

/** A table of a page, which stands between two comments with its name. */
interface PublishedTable {
  readonly file: string;
  readonly name: string;
  readonly table: (figures: Figures) => string;
}

const inReadme = publishedLines.filter((line) => line.inReadme);

export const tables: readonly PublishedTable[] = [
  { file: 'README.md', name: 'figures', table: (figures) => tableOf(inReadme, figures) },
  { file: 'docs/performance.md', name: 'figures', table: (figures) => tableOf(publishedLines, figures) },
  { file: 'docs/performance.md', name: 'beside Flink', table: tableBesideFlink },
];

export function readFigures(): Figures {
  return JSON.parse(readFileSync(figuresFile, 'utf8')) as Figures;
}

/** Stores new figures beside the older ones of other rows, and updates the tables of the pages. */
export function publish(rows: readonly BenchRow[]): void {
  const wanted = new Set([...publishedLines.flatMap((line) => line.rows), ...rowsBesideFlink]);
  const measured = rows.filter(({ name }) => wanted.has(name)).map((row) => [row.name, row] as const);
  const figures: Figures = { ...readFigures(), ...Object.fromEntries(measured) };
  writeFileSync(figuresFile, `${JSON.stringify(figures, undefined, 2)}\n`);
  execFileSync('npx', ['biome', 'format', '--write', figuresFile], { cwd: root, stdio: 'ignore' });
  for (const { file, name, table } of tables) {
    const path = join(root, file);
    writeFileSync(path, withTable(readFileSync(path, 'utf8'), table(figures), name));
  }
}

/** What fell behind: ratios of published lines that are more than a tenth below their published figure. */
export function fallenBehind(
  rows: readonly BenchRow[],
  figures: Figures,
  lines: readonly PublishedLine[] = publishedLines,
): string[] {
  const ratios = new Set(lines.filter(({ shown }) => shown === 'times as fast').flatMap((line) => line.rows));
  return rows.flatMap(({ name, value }) => {
    const published = figures[name]?.value;
    if (!ratios.has(name) || published === undefined || value >= 0.9 * published) return [];
    return [`${name}: ${value.toPrecision(2)}×, published are ${published.toPrecision(2)}×`];
  });
}

/** The page with another table between the comments. @throws Error if it lacks the comments */
export function withTable(page: string, table: string, name: string): string {
  const opening = `<!-- ${name}: npm run bench -- --publish -->`;
  const closing = `<!-- end of ${name} -->`;
  const [before, rest] = page.split(`${opening}\n`);
  const after = rest?.split(closing)[1];
  if (before === undefined || after === undefined) throw new Error(`The page has no "${opening}" … "${closing}"`);
  return `${before}${opening}\n\n${table}\n\n${closing}${after}`;
}

/** @throws Error for a row that was never measured */
export function tableOf(lines: readonly PublishedLine[], figures: Figures): string {
  const cells = lines.map((line) => {
    const rows = line.rows.map((name) => {
      const row = figures[name];
      if (row === undefined) throw new Error(`There is no figure called "${name}": run the bench that measures it`);
      return row;
    });
    const values = rows.map((row) => inUnit(row.value, line.shown, row)).join(' · ');
    const isMissed = rows.some((row) => isReached(row) === false);
    return [line.what, `${values} ${suffixOf(line.shown)}${isMissed ? ', missed' : ''}`, goalOf(rows, line.shown)];
  });
  const table = [['what', 'reached', 'goal'], ...cells];
  const widths = [0, 1, 2].map((column) => Math.max(...table.map((row) => (row[column] as string).length)));
  const [head, ...body] = table.map(
    (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] as number)).join(' | ')} |`,
  );
  return [head, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...body].join('\n');
}

/** The goal of all rows of a line, or that of each. */
function goalOf(rows: readonly BenchRow[], shown: Shown): string {
  const goals = rows.flatMap((row) => (row.goal === undefined ? [] : [{ row, goal: row.goal }]));
  if (goals.length === 0) return '';
  const limits = goals.map(({ row, goal }) => inUnit('atLeast' in goal ? goal.atLeast : goal.atMost, shown, row));
  const isLeast = goals.some(({ goal }) => 'atLeast' in goal);
  const limit = new Set(limits).size === 1 ? limits[0] : limits.join(' · ');
  return `${isLeast ? '≥' : '≤'} ${limit}${shown === 'times as fast' ? '' : ` ${suffixOf(shown)}`}`;
}

/** Two significant digits, in the displayed unit. */
function inUnit(value: number, shown: Shown, { ours }: BenchRow): string {
  // A row with a baseline measures a ratio; its own reading is in `ours`.
  const read = shown === 'B' ? ours : value;
  const divisor = shown === 's' || shown === 'kB' ? 1_000 : shown === 'MB in use' ? 1_024 ** 2 : 1;
  const scaled = read / divisor;
  return scaled >= 10 ? scaled.toFixed(0) : String(Number(scaled.toPrecision(2)));
}

function suffixOf(shown: Shown): string {
  return shown === 'times as fast' ? '× as fast' : shown === 'MB in use' ? 'MB' : shown;
}
