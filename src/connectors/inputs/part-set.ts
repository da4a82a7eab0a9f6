import { access, readdir } from 'node:fs/promises';
import { basename, dirname, join, normalize } from 'node:path';
import { PartFilesError } from '../../errors/connector-errors.ts';
import { firstPartPath } from '../outputs/part-path.ts';

/** A file that a subtask of a parallel sink wrote, `rows-00001-of-00004.jsonl`, by its name. */
interface PartFile {
  readonly path: string;
  /** The path given to the sink: `rows.jsonl`. */
  readonly whole: string;
  /** Of the subtask, from 0. */
  readonly number: number;
  /** Number of subtasks. */
  readonly of: number;
  /** The path of the first file of another subtask. */
  readonly pathOf: (number: number) => string;
}

const partPattern = /^(.*)-(\d{5,})(-of-(\d{5,}).*)$/s;

/** The part files of `path`, in no order. `path` itself need not exist. */
export async function partsOf(path: string): Promise<string[]> {
  const directory = dirname(path);
  const names = await readdir(directory).catch(() => []);
  return names.map((name) => join(directory, name)).filter((candidate) => partOf(candidate)?.whole === normalize(path));
}

/**
 * Checks that the part files among `paths` form complete results, each of one run. An existing part that is not among
 * `paths` was left out on purpose.
 * @throws PartFilesError if parts are missing, or come from runs with different parallelism
 */
export async function checkPartSets(paths: readonly string[]): Promise<void> {
  const partsByWhole = groupBy(
    paths.flatMap((path) => partOf(path) ?? []),
    ({ whole }) => whole,
  );
  const files = new Set(paths.map(normalize));
  for (const [whole, parts] of partsByWhole) {
    const sets = groupBy(parts, ({ of }) => of);
    const examples = [...sets.values()].flatMap(([first]) => first ?? []).toSorted((a, b) => a.of - b.of);
    if (examples.length > 1 || files.has(whole)) {
      const counts = [...(files.has(whole) ? [1] : []), ...examples.map(({ of }) => of)];
      const names = [...(files.has(whole) ? [whole] : []), ...examples.map(({ path }) => path)];
      throw new PartFilesError(
        whole,
        counts,
        `results of runs with different parallelism are present: ${names.join(' beside ')}. Remove the outdated ones; if a savepoint joins them, none is outdated: read each set with a source of its own`,
      );
    }
    for (const set of sets.values()) await checkWhole(set);
  }
}

async function checkWhole(set: readonly PartFile[]): Promise<void> {
  const [first] = set;
  if (first === undefined) return;
  const numbers = new Set(set.map(({ number }) => number));
  for (let number = 0; number < first.of; number++) {
    if (numbers.has(number) || (await isThere(first.pathOf(number)))) continue;
    throw new PartFilesError(
      first.whole,
      [first.of],
      `${first.pathOf(number)} is missing, but ${first.path} exists. Run the job that writes them again`,
    );
  }
}

function partOf(path: string): PartFile | undefined {
  const directory = dirname(path);
  const [, start, number = '', end = '', of] = partPattern.exec(basename(firstPartPath(path))) ?? [];
  if (start === undefined) return undefined;
  return {
    path,
    whole: join(directory, start + end.replace(/^-of-\d+/, '')),
    number: Number(number),
    of: Number(of),
    pathOf: (other) => join(directory, `${start}-${String(other).padStart(number.length, '0')}${end}`),
  };
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function groupBy<Item, Key>(items: readonly Item[], keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}
