import fc from 'fast-check';
import { objectLinesAt } from '../../src/connectors/json/object-lines.ts';

/** The values of all lines of `text`, parsed at once; undefined if they have to be parsed one by one. */
function atOnce(text: string): unknown[] | undefined {
  const lines = objectLinesAt(text, 0, Infinity, Infinity);
  return lines.end > text.length ? lines.values : undefined;
}

const oneByOne = (text: string): unknown[] => text.split('\n').map((line) => JSON.parse(line) as unknown);

it.each([
  ['numbers', '{"a":1}\n{"a":2.5}'],
  ['objects in objects', '{"a":{"b":{}}}\n{"a":{"b":{"c":1}}}'],
  ['arrays with one object', '{"a":[{"b":1}]}\n{"a":[1,[],2]}'],
  ['braces and commas in strings', '{"a":"{\\"}"}\n{"a":"},"}'],
  ['CRLF', '{"a":1}\r\n{"a":2}\r'],
  ['other shapes', '{"a":1}\n{"b":{}}\n{}'],
  ['a key twice, and __proto__', '{"a":1,"a":2}\n{"__proto__":1}'],
])('objects are parsed at once: %s', (_title, text) => {
  expect(atOnce(text)).toEqual(oneByOne(text));
});

it.each([
  ['one line', '{"a":1}'],
  ['other values', '1\n2'],
  ['blank lines', '{"a":1}\n\n{"a":2}'],
  ['an array of several objects', '{"a":[{"b":1},{"b":2}]}\n{"a":[]}'],
  ['a comma and a brace in a string', '{"a":", {"}\n{"a":1}'],
  ['two values in a line', '{"a":1},{"b":2}\n{"c":3}'],
  ['a value over two lines', '{"a":[{}\n{}]}\n{"b":1}'],
  ['a string over two lines', '{"a":"}\n{"}\n{"b":1}'],
  ['as many values as lines, but other ones', '{"a":1}, {"b":2}\n{"c":[{}\n{}]}'],
  ['as many values as lines, the first of two lines', '{"c":[{}\n{}]}\n{"a":1},\t{"b":2}'],
])('lines are left to be parsed one by one: %s', (_title, text) => {
  expect(atOnce(text)).toBeUndefined();
});

it('only lines in front of a limit are taken, and not more than asked for', () => {
  const text = '{"a":1}\n{"a":2}\n{"a":3}\n{"a":4}';
  expect(objectLinesAt(text, 8, Infinity, 2)).toEqual({ values: [{ a: 2 }, { a: 3 }], end: 24 });
  expect(objectLinesAt(text, 0, 20, 4)).toEqual({ values: [{ a: 1 }, { a: 2 }], end: 16 });
});

it('values that are parsed at once are those of the lines, wherever a text is broken into lines', () => {
  const item = fc.constantFrom(
    ...['{"a":1}', '{"a":[{},{}]}', '{"a":[1,{}]}', '{"b":"},{"}', '{"k":{},"l":2}', '{}', '2', '"}"', '[{},{}]'],
  );
  const between = fc.constantFrom('\n', '\n', ',', ', ', ' ,\t');
  // The items are valid JSON, and so is an array of them. Any of their commas may have become the end of a line.
  const text = fc
    .tuple(fc.array(item, { minLength: 2, maxLength: 6 }), fc.array(between, { minLength: 20, maxLength: 20 }))
    .map(([items, ends]) => {
      let comma = 0;
      return items.join(',').replaceAll(',', () => ends[comma++] ?? '\n');
    });
  let count = 0;
  fc.assert(
    fc.property(text, (lines) => {
      const values = atOnce(lines);
      if (values === undefined) return;
      count++;
      expect(values).toEqual(oneByOne(lines));
    }),
    { numRuns: 20_000 },
  );
  expect(count).toBeGreaterThan(100);
});
