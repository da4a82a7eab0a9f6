import { setOwn } from '../../src/connectors/own-property.ts';
import { checkValueOptions } from '../../src/connectors/value-options.ts';

it.each<[option: string, given: unknown, expected: string]>([
  ['int64', 'Number', '"number" or "bigint" or "string"'],
  ['decimals', 'bigint', '"number" or "string" or "rounded"'],
  ['timestamps', true, '"floor" or "date" or "bigint" or "string"'],
  ['binary', 'hex', '"bytes" or "utf8" or "base64"'],
  ['maps', null, '"object" or "entries"'],
])('%s: %p is refused', (argument, given, expected) => {
  const message = `${argument}: expected ${expected}, got ${JSON.stringify(given)}`;
  expect(() => checkValueOptions({ [argument]: given })).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT', argument, message }),
  );
});

it.each(['a', '', '__proto__', 'constructor', 'toString', 'a.b'])('a property called %p is an own property', (name) => {
  const record: Record<string, unknown> = {};
  setOwn(record, name, { admin: true });
  expect(Object.entries(record)).toEqual([[name, { admin: true }]]);
  expect(Object.getPrototypeOf(record)).toBe(Object.prototype);
});
