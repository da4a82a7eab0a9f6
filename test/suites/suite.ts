import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const tests = join(__dirname, '..');

/** What `npm test` runs as one test file of Jest each, the longest first. */
interface Suites {
  /** Test files by themselves: most of their time is that of other processes. Only the first is as long as a suite. */
  readonly apart: readonly string[];
  /** Folders of tests, by the name of their suite. */
  readonly suites: Readonly<Record<string, readonly string[]>>;
}

export const { apart, suites } = JSON.parse(readFileSync(join(__dirname, 'suites.json'), 'utf8')) as Suites;

/** The test files below a folder of `test/`. */
export function testFilesBelow(folder: string): string[] {
  return readdirSync(join(tests, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(folder, name).replaceAll('\\', '/'))
    .sort();
}

/**
 * Declares the tests of some folders as one test file of Jest. They load the engine once, and V8 compiles it once,
 * instead of once for each of their files.
 */
export function suite(name: string): void {
  for (const file of (suites[name] ?? []).flatMap(testFilesBelow)) {
    if (!apart.includes(file)) describe(`test/${file}`, () => void jest.requireActual(join(tests, file)));
  }
}
