import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fallenBehind, readFigures, tableOf, tables, withTable } from '../../bench/published/figures.ts';
import { publishedLines } from '../../bench/published/lines.ts';

const root = join(__dirname, '..', '..');

describe('published figures', () => {
  it.each(tables)(
    'in $file ($name) are the latest measurements (npm run bench -- --publish)',
    ({ file, name, table }) => {
      const page = readFileSync(join(root, file), 'utf8');
      expect(page).toBe(withTable(page, table(readFigures()), name));
    },
  );

  it('in the README have at most eight lines', () => {
    expect(publishedLines.filter(({ inReadme }) => inReadme).length).toBeLessThanOrEqual(8);
  });

  it.each<[shown: string, row: object, cells: string]>([
    [
      'times as fast',
      { ours: 3, baseline: 2.5, unit: 'ms', value: 0.834, goal: { atLeast: 0.77 } },
      '0.83 × as fast | ≥ 0.77',
    ],
    [
      'times as fast',
      { ours: 3, baseline: 1, unit: 'ms', value: 0.32, goal: { atLeast: 0.9 } },
      '0.32 × as fast, missed | ≥ 0.9',
    ],
    ['s', { ours: 2_470, unit: 'ms', value: 2_470, goal: { atMost: 1_500 } }, '2.5 s, missed | ≤ 1.5 s'],
    ['kB', { ours: 4_004, unit: 'B', value: 4_004, goal: { atMost: 4_096 } }, '4 kB | ≤ 4.1 kB'],
    ['MB in use', { ours: 26 * 1_024 ** 2, unit: 'B', value: 26 * 1_024 ** 2 }, '26 MB | '],
    ['B', { ours: 13.8, baseline: 13.8, unit: 'B', value: 1 }, '14 B | '],
  ])('as %s: %j is shown as %s', (shown, row, cells) => {
    const line = { what: 'it', rows: ['row'], shown: shown as 'ms' };
    const [, , body] = tableOf([line], { row: { name: 'row', spread: [0, 0], ...row } as never }).split('\n');
    expect(body?.replaceAll(/ +/g, ' ')).toBe(`| it | ${cells} |`.replaceAll(/ +/g, ' '));
  });

  it('of one line have a goal each, or one for all', () => {
    const line = { what: 'it', rows: ['few', 'many'], shown: 'times as fast' as const };
    const shownFor = (...goals: readonly number[]): string | undefined => {
      const rows = goals.map((atLeast) => ({
        name: '',
        spread: [0, 0],
        ours: 1,
        unit: 'ms',
        value: 1,
        goal: { atLeast },
      }));
      const [, , body] = tableOf([line], { few: rows[0], many: rows[1] } as never).split('\n');
      return body?.split('|').at(3)?.trim();
    };
    expect([shownFor(0.95, 0.8), shownFor(0.9, 0.9)]).toEqual(['≥ 0.95 · 0.8', '≥ 0.9']);
  });

  it('are refused if one was never measured, or the page has no place for them', () => {
    const line = { what: 'it', rows: ['row'], shown: 'ms' as const };
    expect(() => tableOf([line], {})).toThrow('There is no figure called "row"');
    expect(() => withTable('a page', 'a table', 'figures')).toThrow('The page has no');
  });

  it.each<[what: string, value: number, shown: 'times as fast' | 'ms', fallen: readonly string[]]>([
    ['a tenth below the published ratio', 0.73, 'times as fast', []],
    ['further below', 0.71, 'times as fast', ['row: 0.71×, published are 0.80×']],
    ['above', 1.2, 'times as fast', []],
    ['no ratio, which depends on the machine', 0.1, 'ms', []],
  ])('are checked against new measurements: %s', (_, value, shown, fallen) => {
    const row = { name: 'row', ours: 1, unit: 'ms', spread: [0, 0] as const, value };
    const line = { what: 'it', rows: ['row'], shown };
    expect(fallenBehind([row], { row: { ...row, value: 0.8 } }, [line])).toEqual(fallen);
    expect(fallenBehind([row], {}, [line])).toEqual([]);
  });
});
