import { access, readdir } from 'node:fs/promises';
import { basename, dirname, join, normalize } from 'node:path';
import { PartFilesError } from '../../errors/connector-errors.ts';

/** A file that a parallel sink wrote, `rows-00001-of-00004.jsonl`, and what its name says. */
interface PartFile {
  readonly path: string;
  /** The file that it is a part of: `rows.jsonl`. */
  readonly whole: string;
  /** From 0. */
  readonly number: number;
  /** How many parts there should be. */
  readonly of: number;
  /** Path of another part of the same set. */
  readonly pathOf: (number: number) => string;
}

const partPattern = /^(.*)-(\d{5,})(-of-(\d{5,}).*)$/s;

/** The part files of `path`, which itself need not be there, in no order. */
export async function partsOf(path: string): Promise<string[]> {
  const directory = dirname(path);
  const names = await readdir(directory).catch(() => []);
  return names.map((name) => join(directory, name)).filter((candidate) => partOf(candidate)?.whole === normalize(path));
}

/**
 * Looks whether the part files among `paths` are results of one run each, and whole. Parts that are there and were left
 * out were left out on purpose.
 * @throws PartFilesError where parts are missing, or are of runs with different parallelism
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
        `there are results of runs with different parallelism: ${names.join(' beside ')}. Remove those that are out of date`,
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
      `${first.pathOf(number)} is missing, and ${first.path} is there. Run the job again that writes them`,
    );
  }
}

function partOf(path: string): PartFile | undefined {
  const directory = dirname(path);
  const [, start, number = '', end = '', of] = partPattern.exec(basename(path)) ?? [];
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
