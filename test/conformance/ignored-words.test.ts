import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ConformanceCase } from './conformance-case.ts';
import { readCases, readDeviations, runCase } from './conformance-runner.ts';
import { handlers } from './handlers.ts';

const folder = join(__dirname, 'cases');
const deviations = readDeviations(join(__dirname, 'deviations.md'));
const cases = readdirSync(folder)
  .filter((file) => file.endsWith('.json'))
  .flatMap((file) => readCases(join(folder, file))) as ConformanceCase[];

type Path = readonly (string | number)[];

/** Every value in `given` and `when`, by its path in the case. */
function* valuesIn(value: unknown, path: Path): Generator<readonly [Path, unknown]> {
  yield [path, value];
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value))
    yield* valuesIn(inner, [...path, Array.isArray(value) ? Number(key) : key]);
}

/** The case with another value at a path. */
function changed(raw: unknown, [key, ...rest]: Path, value: unknown): unknown {
  if (key === undefined) return value;
  const copy = (Array.isArray(raw) ? [...raw] : { ...(raw as object) }) as Record<string | number, unknown>;
  copy[key] = changed(copy[key], rest, value);
  return copy;
}

/** Fields with names or texts that nothing else in a case need repeat, or with data that is passed on. */
const free: ReadonlySet<string> = new Set([
  ...['cause', 'globalFailure', 'payload', 'ownPayload', 'payloadPerTarget', 'enricherLabels', 'labels', 'as', 'id'],
  ...['partition', 'taskManager', 'target', 'from', 'fail', 'region', 'otherRegions', 'topologyVertices'],
  ...['stubRestarts', 'taskFailure'],
]);

function isFree(path: Path, value: unknown): boolean {
  const isName = path.at(-2) === 'vertices' && typeof value === 'string';
  return isName || path.some((key) => typeof key === 'string' && free.has(key));
}

/** Something else than the value that makes no sense; undefined if anything does. */
function nonsenseFor(path: Path, value: unknown): unknown {
  if (Array.isArray(value) || isFree(path, value)) return undefined;
  return typeof value === 'object' && value !== null ? { ...value, '~': 1 } : '~';
}

/** How often a word of a kind of case is tried. */
const tries = 3;

describe('a word of a case', () => {
  const areas = [...new Set(cases.map(({ area }) => area))].filter((area) => Object.hasOwn(handlers, area));

  it.each(areas)('%s: is refused if it is unknown, wherever it is, and never ignored', async (area) => {
    const ignored: string[] = [];
    const tried = new Map<string, number>();
    for (const raw of cases) {
      // What makes no sense is an error, too.
      if (
        raw.area !== area ||
        'error' in raw.expect ||
        (await runCase(raw, handlers, deviations)).verdict.kind !== 'passed'
      )
        continue;
      for (const [path, value] of [...valuesIn(raw.given, ['given']), ...valuesIn(raw.when, ['when'])]) {
        const nonsense = nonsenseFor(path, value);
        const word = [raw.kind, ...path.filter((key) => typeof key === 'string'), typeof value].join('.');
        const times = tried.get(word) ?? 0;
        if (nonsense === undefined || times === tries) continue;
        tried.set(word, times + 1);
        const { verdict } = await runCase(changed(raw, path, nonsense), handlers, deviations);
        if (verdict.kind === 'passed') ignored.push(`${raw.id}: ${path.join('.')}`);
      }
    }
    expect(ignored).toEqual([]);
  });
});
