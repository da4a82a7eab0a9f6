import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { invariantsIn, invariantsTested } from './invariants.ts';

const root = join(__dirname, '../..');

function textsBelow(folder: string, suffix: string): ReadonlyMap<string, string> {
  const paths = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith(suffix))
    .sort();
  return new Map(paths.map((path) => [`${folder}/${path}`, readFileSync(join(root, folder, path), 'utf8')]));
}

describe('the invariants listed in files of src', () => {
  const defined = [...textsBelow('src', '.ts')].flatMap(([path, source]) =>
    invariantsIn(source).map((id) => ({ id, path })),
  );

  it('are each named in the title of a test', () => {
    const tested = new Set(
      [...textsBelow('test', '.test.ts').values()].flatMap((source) => [...invariantsTested(source)]),
    );
    expect(defined.length).toBeGreaterThan(100);
    expect(defined.filter(({ id }) => !tested.has(id))).toEqual([]);
  });

  it('have unique names', () => {
    const ids = defined.map(({ id }) => id);
    expect(ids.filter((id, index) => ids.indexOf(id) < index)).toEqual([]);
  });
});

it('an invariant begins a line of a doc comment', () => {
  const source = `
/**
 * What it owns (V8 does the rest).
 *
 * - RP1 A reader gets what was written, and
 *   RP9 is not one.
 * - RP12 Released, it holds nothing. RP3
 * E1 What a task reports counts.
 */
  /** RP5. */
  // - RP6 Not in a doc comment.
`;
  expect(invariantsIn(source)).toEqual(['RP1', 'RP12', 'E1']);
});

it.each<[what: string, source: string, ids: readonly string[]]>([
  ['the title of a test', "it('R1 waits', () => {});", ['R1']],
  ['the title of a group', "describe('R1: waits', () => {});", ['R1']],
  ['several in one title', "test('R2, R6: waits', () => {});", ['R2', 'R6']],
  ['a range', "describe('X1–X3: waits', () => {});", ['X1', 'X2', 'X3']],
  ['a title in a template', 'it(`R1 waits`, () => {});', ['R1']],
  ['the title of a table', "it.each([1, 2])('R1 waits for %i', () => {});", ['R1']],
  ['a test in a group', "describe('a region', () => { it.only('R1 waits', () => {}); });", ['R1']],
  ['the rows of a table', "it.each([{ rule: 'R1 waits' }, { rule: 'R2' }])('$rule', () => {});", ['R1', 'R2']],
  ['the rows of a table beside a pattern', "const [a] = b; it.each([['R1 waits']])('%s', () => {});", ['R1']],
  ['the rows of a table elsewhere', "const rules = [['R1 waits']]; it.each(rules)('%s', () => {});", ['R1']],
  ['a test on a condition', "const once = isTwice ? it.skip : it; once('R1 waits', () => {});", ['R1']],
  ['no rows that the title does not show', "it.each([{ rule: 'R1 waits' }])('waits', () => {});", []],
  ['no skipped test', "it.skip('R1 waits', () => {}); it.skip.each([1])('R2', () => {});", []],
  ['no other text', "// it('R1')\nconst rule = 'R1'; expect('R1').toBe(rule); wait('R1');", []],
])('%s says what it tests', (_, source, ids) => {
  expect([...invariantsTested(source)]).toEqual(ids);
});
