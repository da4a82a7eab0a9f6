import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { apart, suites, testFilesBelow } from '../suites/suite.ts';

const tests = join(__dirname, '..');

it('npm test runs every test file once: in the suite of its folder, or apart', () => {
  const files = readdirSync(tests, { recursive: true, encoding: 'utf8' })
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => name.endsWith('.test.ts') && !name.startsWith('suites/'));
  expect(files.length).toBeGreaterThan(250);
  expect(Object.values(suites).flat().flatMap(testFilesBelow).sort()).toEqual(files.sort());
  expect(files).toEqual(expect.arrayContaining([...apart]));
  const declared = readdirSync(join(tests, 'suites')).filter((name) => name.endsWith('.test.ts'));
  expect(declared).toEqual(
    Object.keys(suites)
      .map((name) => `${name}.test.ts`)
      .sort(),
  );
});
