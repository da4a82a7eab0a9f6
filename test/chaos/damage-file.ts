import { existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { recordBytes } from '../../src/journal/journal-log.ts';
import { AnswerFiles } from '../../src/operators/answers/files/answer-files.ts';
import { FileJournalStorage } from '../../src/partitions/storage/file-journal-storage.ts';
import { systemProcesses } from '../../src/partitions/claims/process-table.ts';
import type { SeededRandom } from '../../src/testing/index.ts';
import type { Damage } from './plans/chaos-plan.ts';

/** What was done to a file. */
export interface Damaged {
  readonly what: string;
  /** Remembered answers in the bytes that are lost. */
  readonly lostAnswers: number;
}

/** Tears off the end of a file in a state directory, or flips one of its bits; undefined if there is no such file. */
export function damageFile(state: string, { kind, of }: Damage, random: SeededRandom): Damaged | undefined {
  const files = filesIn(join(state, of)).filter((path) => statSync(path).size > 0);
  if (files.length === 0) return undefined;
  const path = random.pick(files);
  const { size } = statSync(path);
  const start = kind === 'torn' ? Math.max(0, size - random.integer(1, 200)) : random.integer(0, size - 1);
  const end = kind === 'torn' ? size : start + 1;
  const lostAnswers = of === 'answers' ? answersIn(path, start, end) : 0;
  if (kind === 'torn') truncateSync(path, start);
  else {
    const bytes = readFileSync(path);
    bytes[start] = (bytes[start] as number) ^ (1 << random.integer(0, 7));
    writeFileSync(path, bytes);
  }
  return { what: `${relative(state, path)} ${kind} at ${start} of ${size}`, lostAnswers };
}

/** Answers that are remembered in a state directory. */
export function answersOf(state: string): number {
  const directory = join(state, 'answers');
  return existsSync(directory) ? [...liveAnswers(directory)].length : 0;
}

/** The answers of a file of remembered answers whose records lie in these bytes, or partly. */
function answersIn(path: string, start: number, end: number): number {
  const inside = [...liveAnswers(dirname(path))].filter(
    (answer) => answer.path === path && answer.offset < end && answer.offset + answer.bytes > start,
  );
  return inside.length;
}

function* liveAnswers(directory: string): Generator<{ path: string; offset: number; bytes: number }> {
  const storage = new FileJournalStorage(directory);
  const files = new AnswerFiles({ storage, processes: systemProcesses(), isExpired: () => false, lost: () => {} });
  for (const _ of files.scanNew());
  for (const { segment, offset, payload } of files.live()) {
    yield { path: storage.pathOf(segment.name), offset, bytes: recordBytes(payload.length) };
  }
  files.close();
}

function filesIn(path: string): string[] {
  if (!existsSync(path)) return [];
  if (statSync(path).isFile()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesIn(join(path, name)));
}
