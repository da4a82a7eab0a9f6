import fc from 'fast-check';
import { findJsonFault } from '../../src/connectors/json/json-fault.ts';
import { draws } from '../support/draws.ts';

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

it.each<[text: string, index: number | undefined]>([
  ['1', undefined],
  ['', 0],
  ['-', 1],
  ['01', 1],
  ['1.', 2],
  ['1e', 2],
  ['1.5.', 3],
  ['truth', 3],
  ['"a', 2],
  ['"\\x"', 2],
  ['"\\u12g4"', 5],
  ['"a\tb"', 2],
  ['[1,]', 3],
  ['{,}', 1],
  ['{"a" 1}', 5],
  ['{"a":1,}', 7],
  ['{1:1}', 1],
  ['[1}', 2],
  ['[[[]]', 5],
  ["{'a':1}", 1],
])('%j stops being JSON at %p', (text, index) => {
  expect(findJsonFault(text)?.index).toBe(index);
});

it('agrees with JSON.parse about what is JSON, and the text before the fault can begin a JSON text', () => {
  const mutated = fc
    .tuple(fc.json(), fc.nat(), fc.constantFrom('', '"', '{', '}', '[', ']', ',', ':', '1', 'e', '-', '.', '\\', ' '))
    .map(([text, at, char]) => {
      const index = at % (text.length + 1);
      return text.slice(0, index) + char + text.slice(index + 1);
    });
  fc.assert(
    fc.property(mutated, (text) => {
      const fault = findJsonFault(text);
      expect(fault === undefined).toBe(isJson(text));
      if (fault !== undefined && fault.index < text.length) {
        expect(findJsonFault(text.slice(0, fault.index))?.index ?? fault.index).toBe(fault.index);
      }
    }),
    { numRuns: draws(800, 2_000) },
  );
});

it('does not depend on the depth', () => {
  const depth = 200_000;
  expect(findJsonFault('['.repeat(depth))?.index).toBe(depth);
});
