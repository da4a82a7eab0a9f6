import fc from 'fast-check';
import { FlatJson } from '../../../src/operators/answers/files/flat-json.ts';

const before = 5;

/** The bytes of a text, with others around them. */
const bytesOf = (text: string): Buffer => Buffer.from(`{"a":${text},7}"`);

const parsed = (json: FlatJson, text: string): unknown =>
  json.parse(bytesOf(text), before, before + Buffer.byteLength(text));

/** As a list, because equal objects may have their properties in another order. */
const entriesOf = (value: unknown): unknown =>
  typeof value === 'object' && value !== null ? [Array.isArray(value), Object.entries(value)] : value;

const values: fc.Arbitrary<unknown> = fc.oneof(
  fc.nat(),
  fc.maxSafeNat(),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.string({ minLength: 60, maxLength: 70 }),
  fc.constantFrom(true, null, '', '"', '\\', '}', 'é', 0, [1], { a: 1 }, '7,"b":8'),
);

const shapes = [
  ['score', 'label'],
  ['label', 'score'],
  ['score'],
  ['score', 'label', 'why'],
  ['2', '1'],
  ['é', '"', '\n'],
  ['constructor', 'toString'],
  ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'],
  [],
];

const objects: fc.Arbitrary<unknown> = fc
  .constantFrom(...shapes)
  .chain((names) => fc.tuple(...names.map((name) => fc.tuple(fc.constant(name), values))))
  .map((entries) => Object.fromEntries(entries));

it('reads what JSON.parse reads, whatever came before', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.oneof(objects, values), fc.integer({ min: 1, max: 3 }))), (answers) => {
      const json = new FlatJson();
      for (const [answer, times] of answers) {
        const text = JSON.stringify(answer);
        for (let time = 0; time < times; time++) {
          expect(entriesOf(parsed(json, text))).toEqual(entriesOf(JSON.parse(text)));
        }
      }
    }),
  );
});

describe('once it has seen two objects of the same properties', () => {
  let parse: jest.SpiedFunction<typeof JSON.parse>;
  let json: FlatJson;

  beforeEach(() => {
    json = new FlatJson();
    for (const score of [1, 2]) parsed(json, JSON.stringify({ score, label: 'gold' }));
    parse = jest.spyOn(JSON, 'parse');
  });

  afterEach(() => parse.mockRestore());

  it.each([
    ['an object like them', { score: 123_456_789_012_345, label: 'lacquer and dust' }, true],
    ['a text as long as it reads', { score: 0, label: 'x'.repeat(64) }, true],
    ['a longer text', { score: 0, label: 'x'.repeat(65) }, false],
    ['a longer number', { score: 1_234_567_890_123_456, label: '' }, false],
    ['a fraction', { score: 0.5, label: '' }, false],
    ['a number below zero', { score: -1, label: '' }, false],
    ['a text with an escape', { score: 1, label: 'a"b' }, false],
    ['a text with a line break', { score: 1, label: 'a\nb' }, false],
    ['a text that is not ASCII', { score: 1, label: 'é' }, false],
    ['one property more', { score: 1, label: '', why: '' }, false],
    ['one property less', { score: 1 }, false],
    ['the other order', { label: '', score: 1 }, false],
  ])('%s', (_, answer, isKnown) => {
    const text = JSON.stringify(answer);
    const value = parsed(json, text);
    expect(parse).toHaveBeenCalledTimes(isKnown ? 0 : 1);
    expect(JSON.stringify(value)).toBe(text);
  });

  it('each object is another one', () => {
    const [one, other] = [0, 1].map(() => parsed(json, '{"score":1,"label":"gold"}'));
    expect(one).toEqual(other);
    expect(one).not.toBe(other);
  });

  it('two objects of other properties in a row take their place, and a single one does not', () => {
    const other = '{"text":"gold"}';
    parsed(json, other);
    parsed(json, '{"score":1,"label":"gold"}');
    parsed(json, other);
    expect(parse).toHaveBeenCalledTimes(1 + 1);
    parsed(json, other);
    expect(parse).toHaveBeenCalledTimes(2);
  });
});

it('a property __proto__ is one of the object', () => {
  const json = new FlatJson();
  for (let time = 0; time < 4; time++) {
    const value = parsed(json, '{"__proto__":1,"a":2}') as object;
    expect(Object.keys(value)).toEqual(['__proto__', 'a']);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  }
});
