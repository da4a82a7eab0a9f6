import { describeLeftOut, type LeftOut } from './left-out.ts';
import type { Entry } from './walker.ts';

/** A count of something, by what it is. */
export interface Tally {
  readonly name: string;
  readonly count: number;
}

/** The share of one folder of `src/` in a walk. */
export interface PartTally {
  readonly part: string;
  readonly files: number;
  /** Switches into its files. */
  readonly switches: number;
}

/** A walk, counted. */
export interface WalkReport {
  readonly walk: string;
  readonly what: string;
  /** Number of function entries. */
  readonly entries: number;
  /** Number of entries in another file than the entry before. */
  readonly switches: number;
  /** Files and switches without lookups: in the frozen graph and in the kernel (errors, clock, values). */
  readonly withoutLookups: { readonly files: number; readonly switches: number };
  /** Entries by file, most first. */
  readonly files: readonly Tally[];
  /** Files, and switches into them, by folder of `src/`. */
  readonly parts: readonly PartTally[];
  /** Switches by pair of files, in both directions, most first. */
  readonly pairs: readonly Tally[];
  readonly leftOut: readonly string[];
}

/** Counts a walk. */
export function reportOf(
  walk: string,
  what: string,
  entries: readonly Entry[],
  leftOut: readonly LeftOut[],
): WalkReport {
  const switches = switchesOf(entries);
  const steps = entries.filter(({ file }) => !isLookup(file));
  const files = tally(entries.map(({ file }) => file));
  return {
    walk,
    what,
    entries: entries.length,
    switches: switches.length,
    withoutLookups: { files: new Set(steps.map(({ file }) => file)).size, switches: switchesOf(steps).length },
    files,
    parts: partsOf(
      files.map(({ name }) => name),
      switches.map(({ to }) => to),
    ),
    pairs: tally(switches.map(({ from, to }) => [from, to].sort().join(' ⇄ '))),
    leftOut: leftOut.map(describeLeftOut),
  };
}

/** The text of a report. */
export function formatReport(report: WalkReport): string {
  const { walk, what, entries, switches, withoutLookups, files, parts, pairs, leftOut } = report;
  const shown = pairs.slice(0, pairsShown);
  return [
    `${walk} — ${what}`,
    '',
    ...lines(files),
    '',
    'Files and switches into them, by folder:',
    ...parts.map((one) => `${`${one.files}`.padStart(5)} ${`${one.switches}`.padStart(5)}  ${one.part}`),
    '',
    `Switches between two files, either way${pairs.length > shown.length ? ` (${shown.length} of ${pairs.length} pairs)` : ''}:`,
    ...lines(shown),
    '',
    'Left out:',
    ...leftOut.map((line) => `  ${line}`),
    '',
    `${files.length} files, ${switches} switches between them, ${entries} functions entered`,
    `${withoutLookups.files} files, ${withoutLookups.switches} switches without lookups in the graph and the kernel`,
  ].join('\n');
}

/** The walk itself, one function per line, indented by its depth on the stack; `▸` marks a switch. */
export function formatTrace(entries: readonly Entry[]): string {
  return entries
    .map(({ file, name, depth }, index) => {
      const mark = entries[index - 1]?.file === file ? ' ' : '▸';
      return `${`${depth}`.padStart(3)} ${mark} ${'  '.repeat(depth)}${file} ${name}`;
    })
    .join('\n');
}

const pairsShown = 15;

function switchesOf(entries: readonly Entry[]): { readonly from: string; readonly to: string }[] {
  return entries.flatMap(({ file }, index) => {
    const from = entries[index - 1]?.file ?? file;
    return from === file ? [] : [{ from, to: file }];
  });
}

/** Files of the kernel lie in no folder, except errors. */
function isLookup(file: string): boolean {
  return !file.includes('/') || ['errors/', 'graph/', 'journal/'].some((folder) => file.startsWith(folder));
}

function partsOf(files: readonly string[], switchedTo: readonly string[]): PartTally[] {
  const filesByPart = new Map(tally(files.map(partOf)).map(({ name, count }) => [name, count]));
  const switchesByPart = new Map(tally(switchedTo.map(partOf)).map(({ name, count }) => [name, count]));
  return [...filesByPart]
    .map(([part, count]) => ({ part, files: count, switches: switchesByPart.get(part) ?? 0 }))
    .sort((a, b) => b.switches - a.switches || (a.part < b.part ? -1 : 1));
}

/** The first folder of a path; kernel files lie in none. */
function partOf(file: string): string {
  return file.includes('/') ? file.slice(0, file.indexOf('/')) : '(kernel)';
}

function tally(names: readonly string[]): Tally[] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts]
    .map(([name, count]) => ({ name, count }))
    .sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1));
}

function lines(tallies: readonly Tally[]): string[] {
  return tallies.map(({ name, count }) => `${`${count}`.padStart(5)}  ${name}`);
}
