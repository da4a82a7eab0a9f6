import fc from 'fast-check';
import { InvalidArgumentError } from '../../../src/errors/usage-errors.ts';
import {
  redistributeBroadcast,
  redistributeList,
  redistributeState,
  redistributeUnion,
} from '../../../src/operators/state/subtask-states.ts';

const lists = fc.array(fc.oneof(fc.array(fc.integer()), fc.constant(undefined)), { maxLength: 6 });
const parallelism = fc.integer({ min: 1, max: 7 });

describe('states of subtasks for other subtasks', () => {
  it('a list is divided evenly, in its order', () => {
    fc.assert(
      fc.property(lists, parallelism, (given, count) => {
        const divided = redistributeList(given, count);
        expect(divided).toHaveLength(count);
        expect(divided.flat()).toEqual(given.flatMap((list) => list ?? []));
        const sizes = divided.map(({ length }) => length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('of a union everybody has everything, as lists of their own', () => {
    fc.assert(
      fc.property(lists, parallelism, (given, count) => {
        const all = redistributeUnion(given, count);
        expect(all).toEqual(Array.from({ length: count }, () => given.flatMap((list) => list ?? [])));
        expect(new Set(all).size).toBe(count);
      }),
    );
  });

  it('of what is broadcast everybody has one, a subtask that was there its own', () => {
    expect(redistributeBroadcast(['a', undefined, 'b'], 3)).toEqual(['a', 'b', 'a']);
    expect(redistributeBroadcast(['a', 'b', 'c'], 2)).toEqual(['a', 'b']);
    expect(redistributeBroadcast([undefined], 2)).toEqual([]);
  });

  it.each([
    ['redistributeList', redistributeList],
    ['redistributeUnion', redistributeUnion],
  ] as const)('%s refuses what is no list, and says whose it is', (name, redistribute) => {
    const refused = (): unknown => redistribute([[1], 'no'], 2);
    expect(refused).toThrow(InvalidArgumentError);
    expect(refused).toThrow(`state of subtask 1 in ${name}`);
  });

  it('keeps the version of the contents, and has none where nothing is left', () => {
    const contents = [
      { value: [1, 2, 3], version: 2 },
      { value: [], version: 2 },
    ];
    expect(redistributeState('split list', contents, 2)).toEqual([
      { value: [1, 2], version: 2 },
      { value: [3], version: 2 },
    ]);
    expect(redistributeState('split list', [{ value: [1] }], 2)).toEqual([{ value: [1] }, undefined]);
    expect(redistributeState('union list', [{ value: [1] }, { value: [2] }], 2)).toEqual([
      { value: [1, 2] },
      { value: [1, 2] },
    ]);
    expect(redistributeState('broadcast', [], 2)).toEqual([]);
  });
});
