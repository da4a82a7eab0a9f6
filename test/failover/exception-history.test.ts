import fc from 'fast-check';
import { type ExceptionEntry, ExceptionHistory } from '../../src/failover/exception-history.ts';

const entry = (name: string): ExceptionEntry => ({ atMs: 0, task: name, cause: new Error(name), labels: {} });

/** A history as `root(merged merged +not kept) root(…)`. */
function told(history: ExceptionHistory): string {
  return history
    .entries()
    .map(({ task, concurrent, concurrentNotKept }) => {
      const merged = concurrent.map((one) => one.task);
      if (concurrentNotKept > 0) merged.push(`+${concurrentNotKept}`);
      return `${task}(${merged.join(' ')})`;
    })
    .join(' ');
}

/** Adds failures: a capital is a root, the others are merged. */
function add(history: ExceptionHistory, names: string): ExceptionHistory {
  for (const name of names) history.add(entry(name), name === name.toUpperCase());
  return history;
}

describe('the exception history', () => {
  it.each([
    { failures: '', says: '' },
    { failures: 'A', says: 'A()' },
    { failures: 'AbcDe', says: 'A(b c) D(e)' },
    { failures: 'ABCD', says: 'B() C() D()' },
    { failures: 'AbcdeBCD', says: 'B() C() D()' },
    { failures: 'Abcde', says: 'A(b c +2)' },
    { failures: 'ab', says: 'a(b)' },
  ])('of three roots with two merged each, after "$failures": $says', ({ failures, says }) => {
    expect(told(add(new ExceptionHistory(3, 2), failures))).toBe(says);
  });

  it('a returned history does not change with later failures', () => {
    const history = add(new ExceptionHistory(3, 2), 'Ab');
    const before = history.entries();
    add(history, 'cdE');
    expect(before).toHaveLength(1);
    expect(before[0]?.concurrent).toHaveLength(1);
    expect(before[0]?.concurrentNotKept).toBe(0);
    expect(told(history)).toBe('A(b c +1) E()');
  });

  it('keeps cause, time and labels as given', () => {
    const given: ExceptionEntry = { atMs: 7, task: undefined, cause: new Error('x'), labels: { team: 'green' } };
    const history = new ExceptionHistory();
    history.add(given, true);
    expect(history.entries()).toEqual([{ ...given, concurrent: [], concurrentNotKept: 0 }]);
    expect(history.entries()[0]?.cause).toBe(given.cause);
  });

  it('is bounded in both directions, and counts every merged failure of its roots', () => {
    const sizes = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.nat(3));
    fc.assert(
      fc.property(sizes, fc.array(fc.boolean(), { maxLength: 40 }), ([size, concurrentSize], roots) => {
        const history = new ExceptionHistory(size, concurrentSize);
        const naive: number[][] = [];
        for (const [index, isRoot] of roots.entries()) {
          history.add({ ...entry(''), atMs: index }, isRoot);
          if (isRoot || naive.length === 0) naive.push([index]);
          else naive.at(-1)?.push(index);
        }
        const actual = history.entries();
        expect(actual.length).toBeLessThanOrEqual(size);
        expect(
          actual.map(({ atMs, concurrent, concurrentNotKept }) => [
            atMs,
            concurrent.map((one) => one.atMs),
            concurrentNotKept,
          ]),
        ).toEqual(
          naive
            .slice(-size)
            .map(([root, ...rest]) => [root, rest.slice(0, concurrentSize), Math.max(0, rest.length - concurrentSize)]),
        );
      }),
    );
  });

  it.each([
    [0, 1],
    [1.5, 1],
    [Number.NaN, 1],
    [1, -1],
    [1, 0.5],
  ])('refuses the sizes %s and %s', (size, concurrentSize) => {
    expect(() => new ExceptionHistory(size, concurrentSize)).toThrow(/Size: expected an integer/);
  });
});
