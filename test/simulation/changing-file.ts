import { appendFileSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { csvFile, type Environment, jsonLinesFile, type Source } from '../../src/index.ts';
import type { SeededRandom } from '../../src/testing/index.ts';

/** A change of a file while it is read. */
type Change = 'appended to' | 'truncated' | 'rewritten' | 'replaced';

/** A file that a drawn job reads, which may be changed during the run that is compared with the undisturbed one. */
export interface ChangingFile {
  readonly source: Source<{ readonly key: number; readonly value: number }>;
  readonly change: Change | undefined;
  /** Whether the change has happened. */
  readonly isChanged: boolean;
}

let directory: string | undefined;

/** Deletes the files of all drawn jobs. */
export function deleteFiles(): void {
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
  directory = undefined;
}

/** Draws a file of `count` records, how it is read, and its change. */
export function drawFile(random: SeededRandom, name: string, count: number): ChangingFile {
  directory ??= mkdtempSync(join(tmpdir(), 'drawn-'));
  const format = random.pick([lines, table]);
  const rowsFrom = (first: number): string =>
    Array.from({ length: count }, (_, at) => format.row(at % 7, ((first + at) * 31) % 10_007)).join('');
  const path = join(directory, `${name}.${format.extension}`);
  const whole = format.head + rowsFrom(0);
  writeFileSync(path, whole);
  const change = count === 0 ? undefined : random.pick<Change | undefined>([undefined, 'appended to', ...changes]);
  const readsBefore = random.integer(0, 3);
  let undisturbed: Environment | undefined;
  let reads = 0;
  const file = { source: format.read(path), change, isChanged: false };
  const { open } = file.source;
  const beforeRead = (environment: Environment): void => {
    // The first run is the undisturbed one.
    undisturbed ??= environment;
    if (environment === undisturbed || change === undefined || file.isChanged || reads++ < readsBefore) return;
    file.isChanged = true;
    if (change === 'appended to') appendFileSync(path, rowsFrom(count));
    else if (change === 'truncated') truncateSync(path, random.integer(0, whole.length - 1));
    else if (change === 'rewritten') writeFileSync(path, format.head + rowsFrom(7));
    else {
      writeFileSync(`${path}.next`, format.head + rowsFrom(7));
      renameSync(`${path}.next`, path);
    }
  };
  const changing: ChangingFile['source'] = {
    ...file.source,
    open: async (context, plan) => {
      const reader = await open.call(file.source, context, plan);
      return {
        read: (maxRecords) => {
          // The change was planned for, so the content at that time counts.
          beforeRead(context.environment);
          return reader.read(maxRecords);
        },
        close: () => reader.close(),
      };
    },
  };
  return Object.assign(file, { source: changing });
}

const changes: readonly Change[] = ['truncated', 'rewritten', 'replaced'];

const lines = {
  extension: 'jsonl',
  head: '',
  row: (key: number, value: number): string => `${JSON.stringify({ key, value })}\n`,
  read: (path: string): ChangingFile['source'] => jsonLinesFile(path),
};

const table = {
  extension: 'csv',
  head: 'key,value\n',
  row: (key: number, value: number): string => `${key},${value}\n`,
  read: (path: string): ChangingFile['source'] =>
    csvFile(path, {
      newlinesInValues: false,
      parse: ({ key, value }) => ({ key: Number(key), value: Number(value) }),
    }),
};
