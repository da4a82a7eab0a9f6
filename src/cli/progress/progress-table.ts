import type { ExecutionState } from '../../actors/protocol/states.ts';
import type { Colors } from '../command-io.ts';
import type { VertexProgress } from './run-progress.ts';
import { cutToWidth, padToWidth, printable, widthOf } from './text-width.ts';

/** A line for the terminal: its columns, and its text with colors. */
export interface ProgressLine {
  readonly width: number;
  readonly text: string;
}

/** What is above the vertices. */
export interface ProgressHead {
  readonly job: string;
  readonly status: string;
  readonly elapsedMs: number;
  readonly failures: number;
}

/** The states worth naming, and their colors. */
const shown: readonly (readonly [ExecutionState, keyof Colors & ('red' | 'yellow' | 'cyan' | 'gray')])[] = [
  ['failed', 'red'],
  ['canceling', 'yellow'],
  ['canceled', 'yellow'],
  ['running', 'cyan'],
  ['initializing', 'gray'],
  ['deploying', 'gray'],
];

interface Row {
  readonly isOver: boolean;
  readonly isIdle: boolean;
  readonly name: string;
  readonly done: string;
  readonly states: readonly { readonly text: string; readonly color: 'red' | 'yellow' | 'cyan' | 'gray' }[];
  /** Without those that do not fit. */
  readonly numbers: readonly string[];
}

const longestName = 28;
const shortestName = 8;
const gap = 2;

/** A head and a line per vertex, in at most `columns` columns and `lines` lines. */
export function progressTable(
  head: ProgressHead,
  vertices: readonly VertexProgress[],
  { columns, lines, colors }: { readonly columns: number; readonly lines: number; readonly colors: Colors },
): ProgressLine[] {
  const most = Math.max(1, lines - 2);
  const rows = vertices.map(rowOf);
  const chosen = rows.length <= most ? rows : mostTelling(rows, most);
  const widths = columnWidths(chosen, columns);
  const more = rows.length - chosen.length;
  return [
    headLine(head, columns, colors),
    ...chosen.map((row) => lineOf(row, widths, columns, colors)),
    ...(more > 0 ? [plainLine(`  … ${more} more`, columns, colors.dim)] : []),
  ].slice(0, lines);
}

/** `1:02:03` */
export function clockTime(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  const two = (part: number): string => String(part).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** `1,234,567` */
export function grouped(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}

function headLine({ job, status, elapsedMs, failures }: ProgressHead, columns: number, colors: Colors): ProgressLine {
  const end = failures === 0 ? '' : `  ${grouped(failures)} failure${failures === 1 ? '' : 's'}`;
  const middle = `  ${status}  ${clockTime(elapsedMs)}`;
  const name = cutToWidth(printable(job), Math.max(shortestName, columns - widthOf(middle) - widthOf(end)));
  const width = widthOf(name) + widthOf(middle) + widthOf(end);
  if (width > columns) return plainLine(`${name}${middle}${end}`, columns, colors.bold);
  return { width, text: `${colors.bold(name)}${middle}${end === '' ? '' : colors.red(end)}` };
}

function rowOf({ vertex, tasks, states, recordsIn, recordsOut, perSecond }: VertexProgress): Row {
  const finished = states.get('finished') ?? 0;
  const named = shown.filter(([state]) => (states.get(state) ?? 0) > 0);
  const isOver = finished === tasks;
  return {
    isOver,
    isIdle: !isOver && named.length === 0,
    name: printable(vertex).replaceAll('\n', ' '),
    done: `${finished}/${tasks}`,
    states: named.map(([state, color]) => ({ text: `${states.get(state)} ${state}`, color })),
    numbers: [
      isOver ? '' : `${grouped(perSecond)}/s`,
      `${grouped(recordsIn)} in`,
      recordsOut === 0 ? '' : `${grouped(recordsOut)} out`,
    ],
  };
}

/** Vertices that move or fail before those that wait, and these before finished ones; in their own order. */
function mostTelling(rows: readonly Row[], most: number): Row[] {
  const rank = ({ isOver, isIdle }: Row): number => (isOver ? 2 : isIdle ? 1 : 0);
  const chosen = new Set([...rows].sort((a, b) => rank(a) - rank(b)).slice(0, most));
  return rows.filter((row) => chosen.has(row));
}

interface Widths {
  readonly name: number;
  readonly done: number;
  readonly states: number;
  readonly numbers: readonly number[];
}

/** The widths of the columns. Those at the end are left out until the line fits. */
function columnWidths(rows: readonly Row[], columns: number): Widths {
  const widest = (widths: readonly number[]): number => Math.max(0, ...widths);
  const done = widest(rows.map((row) => row.done.length));
  let states = widest(rows.map((row) => statesText(row).length));
  const numbers = [0, 1, 2].map((column) => widest(rows.map((row) => row.numbers[column]?.length ?? 0)));
  const wanted = Math.min(longestName, widest(rows.map((row) => widthOf(row.name))));
  const rest = (): number =>
    columns - gap - [done, states, ...numbers].reduce((sum, width) => sum + (width > 0 ? gap + width : 0), 0);
  while (rest() < Math.min(wanted, shortestName)) {
    if (numbers.length > 0) numbers.pop();
    else if (states > 0) states = 0;
    else break;
  }
  return { name: Math.max(1, Math.min(wanted, rest())), done, states, numbers };
}

function statesText({ states }: Row): string {
  return states.map(({ text }) => text).join(', ');
}

function lineOf(row: Row, widths: Widths, columns: number, colors: Colors): ProgressLine {
  const name = padToWidth(cutToWidth(row.name, widths.name), widths.name);
  const numbers = widths.numbers.map((width, column) => (row.numbers[column] ?? '').padStart(width));
  const [start, end] = [
    `  ${name}  ${row.done.padStart(widths.done)}`,
    numbers.map((number) => `  ${number}`).join(''),
  ];
  const padding = ' '.repeat(Math.max(0, widths.states - statesText(row).length));
  const states = widths.states === 0 ? '' : `  ${statesText(row)}${padding}`;
  const plain = `${start}${states}${end}`;
  if (widthOf(plain) > columns) return plainLine(plain, columns, String);
  const colored = row.states.map(({ text, color }) => colors[color](text)).join(', ');
  const color = row.isOver ? colors.green : row.isIdle ? colors.dim : String;
  return {
    width: widthOf(plain),
    text: `${color(start)}${widths.states === 0 ? '' : `  ${colored}${padding}`}${row.isIdle ? colors.dim(end) : end}`,
  };
}

function plainLine(text: string, columns: number, color: (text: string) => string): ProgressLine {
  const cut = cutToWidth(text, columns);
  return { width: widthOf(cut), text: color(cut) };
}
