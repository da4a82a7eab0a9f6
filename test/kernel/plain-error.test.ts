import { fromPlainError, toPlainError } from '../../src/plain-error.ts';
import { errorWithout, revokedProxy, trappingProxy } from '../support/rude-values.ts';

/** An error as it arrives on the other side of a wall. */
const carried = (error: Error): Error => fromPlainError(structuredClone(toPlainError(error)));

class CityError extends Error {
  override readonly name = 'CityError';
  readonly city: string;
  readonly visits = new Map([['Ys', 2n]]);

  constructor(city: string, options?: ErrorOptions) {
    super(`no ${city}`, options);
    this.city = city;
  }
}

describe('an error as plain data', () => {
  it('is the original error on its own thread', () => {
    const error = new CityError('Ys');
    expect(fromPlainError(toPlainError(error))).toBe(error);
  });

  it('keeps name, message, stack and data on the other side', () => {
    const error = new CityError('Ys');
    const there = carried(error);
    expect(there).toBeInstanceOf(Error);
    expect(there).toMatchObject({ name: 'CityError', message: 'no Ys', city: 'Ys', visits: new Map([['Ys', 2n]]) });
    expect(there.stack).toBe(error.stack);
    expect(`${there}`).toBe('CityError: no Ys');
  });

  it.each([TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError])(
    'is a $name again on the other side',
    (errorClass) => {
      expect(carried(new errorClass('x'))).toBeInstanceOf(errorClass);
    },
  );

  it('keeps the causes of causes', () => {
    const there = carried(
      new CityError('Ys', { cause: new TypeError('inner', { cause: new RangeError('innermost') }) }),
    );
    expect(there.cause).toBeInstanceOf(TypeError);
    expect((there.cause as Error).cause).toEqual(new RangeError('innermost'));
  });

  it.each([
    ['a text', 'text', 'text'],
    ['null', null, null],
    ['data', { a: [1n] }, { a: [1n] }],
    ['what cannot be cloned, as a text', () => 1, expect.any(String)],
  ])('keeps a cause that is not an error: %s', (_, cause, expected) => {
    expect(carried(new Error('x', { cause })).cause).toEqual(expected);
  });

  it('has no cause if the original had none', () => {
    expect(Object.hasOwn(carried(new Error('x')), 'cause')).toBe(false);
  });

  it('keeps the errors of an AggregateError, including values that are not errors', () => {
    const there = carried(new AggregateError([new TypeError('a'), 'b'], 'both')) as AggregateError;
    expect(there).toBeInstanceOf(AggregateError);
    expect(there.errors).toMatchObject([
      { name: 'TypeError', message: 'a' },
      { message: expect.stringContaining('b') },
    ]);
    expect(there.errors[0]).toBeInstanceOf(TypeError);
  });

  it('renders data that cannot be cloned as text', () => {
    const error = Object.assign(new Error('x'), { retry: () => 1, secret: Symbol('s'), at: 3 });
    expect(carried(error)).toMatchObject({ retry: expect.any(String), secret: expect.any(String), at: 3 });
  });

  it('terminates for circular causes', () => {
    const first = new Error('first');
    const second = new Error('second', { cause: first });
    first.cause = second;
    const messages: string[] = [];
    for (let error: unknown = carried(first); error instanceof Error; error = error.cause) messages.push(error.message);
    expect(messages.slice(0, 3)).toEqual(['first', 'second', 'first']);
    expect(messages.length).toBeLessThan(100);
  });

  it('stays small for an AggregateError that contains itself many times', () => {
    const error = new AggregateError([], 'all of me');
    error.errors = Array.from({ length: 64 }, () => error);
    error.cause = error;
    expect(JSON.stringify(toPlainError(error), ['errors', 'cause', 'message']).length).toBeLessThan(10_000);
  });

  it.each([
    ['a name that throws', () => errorWithout('name')],
    ['a message that throws', () => errorWithout('message')],
    ['a stack that throws', () => errorWithout('stack')],
    ['a cause that throws', () => errorWithout('cause')],
    ['a code that throws', () => errorWithout('code')],
    ['a proxy that was revoked', () => revokedProxy() as Error],
    ['a proxy that traps everything', () => trappingProxy() as Error],
    ['a cause that was revoked', () => new Error('x', { cause: revokedProxy() })],
    ['data that traps everything', () => Object.assign(new Error('x'), { data: trappingProxy() })],
    ['errors that were revoked', () => Object.assign(new Error('x'), { errors: revokedProxy() })],
    ['errors that trap everything', () => new AggregateError([trappingProxy(), revokedProxy()])],
    [
      'a property called __proto__',
      () => Object.defineProperty(new Error('x'), '__proto__', { value: { a: 1 }, enumerable: true }),
    ],
  ])('is converted, whatever it is: %s', (_, make) => {
    const there = carried(make());
    expect(there).toBeInstanceOf(Error);
    expect(typeof there.message).toBe('string');
  });
});
