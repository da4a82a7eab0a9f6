import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parquetReadObjects } from 'hyparquet';
import type { ChaosPlan } from './plans/chaos-plan.ts';

/** Files that are not output. */
const ours = new Set(['plan.json', 'input.jsonl', 'ledger', 'state', 'spilled']);

/** The output in a directory, by sink: `out`, `paid`, `rejected`. The records of a sink are the lines of all its parts. */
export async function outputIn(home: string): Promise<ReadonlyMap<string, readonly unknown[]>> {
  const found = new Map<string, unknown[]>();
  for (const name of outputNames(home)) {
    // It was left behind.
    if (!statSync(join(home, name)).isFile()) continue;
    const sink = name.split(/[-._]/u, 1)[0] as string;
    const all = await linesOf(join(home, name));
    // Each part has a line of headings.
    const lines = name.endsWith('.csv') ? all.slice(1) : all;
    const records = lines.filter((line) => line !== '').map((line) => (sink === 'rejected' ? recordOf(line) : line));
    found.set(sink, [...(found.get(sink) ?? []), ...records]);
  }
  return found;
}

/** The records of a file, as text. */
async function linesOf(path: string): Promise<string[]> {
  const bytes = readFileSync(path);
  if (path.endsWith('.parquet')) {
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
    return (await parquetReadObjects({ file })).map((row) => JSON.stringify(row));
  }
  const text = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
  return text.trimEnd().split('\n');
}

/** What the directory has too much or too little, and differing bytes of files that must be the same. */
export function fileDifferences(plan: ChaosPlan, expected: string, actual: string): string[] {
  const [names, found] = [outputNames(expected), outputNames(actual)];
  // Each checkpoint ends a part.
  if (plan.checkpointsEveryMs !== undefined) {
    const left = found.filter((name) => name.startsWith('.'));
    return [...left.map((name) => `${name} was left behind`), ...leftIn(join(actual, 'state'))];
  }
  const isSame = plan.parallelism === 1 && !plan.isUnion && plan.paid.every(({ isOrdered }) => isOrdered);
  return [
    ...names.filter((name) => !found.includes(name)).map((name) => `${name} is missing`),
    ...found.filter((name) => !names.includes(name)).map((name) => `${name} was left behind`),
    ...leftIn(join(actual, 'state')),
    ...names.flatMap((name) => {
      if (!isSame || !found.includes(name) || name.startsWith('rejected')) return [];
      const isEqual = readFileSync(join(expected, name)).equals(readFileSync(join(actual, name)));
      return isEqual ? [] : [`${name} has other bytes`];
    }),
  ];
}

/** The positions and stacks of dead letters depend on the run. */
function recordOf(line: string): unknown {
  return (JSON.parse(line) as { readonly record: unknown }).record;
}

function outputNames(home: string): string[] {
  return readdirSync(home)
    .filter((name) => !ours.has(name))
    .sort();
}

/** A finished job over workers leaves nothing there, also of processes before. */
export function spilledIn(directory: string): string[] {
  if (!existsSync(directory)) return [];
  // One that was killed before it wrote whose it is leaves an empty directory, which nobody dares to remove.
  const names = readdirSync(directory).filter((name) => !name.startsWith('.'));
  return names.map((name) => `spilled/${name} was left behind`);
}

/** A finished job leaves its journal and its remembered answers. */
function leftIn(state: string): string[] {
  return readdirSync(state).flatMap((name) => {
    if (name === 'journal') return [];
    if (name !== 'answers') return [`state/${name} was left behind`];
    const answers = readdirSync(join(state, name));
    return answers
      .filter((file) => !file.endsWith('.answers') || !statSync(join(state, name, file)).isFile())
      .map((file) => `state/answers/${file} was left behind`);
  });
}
