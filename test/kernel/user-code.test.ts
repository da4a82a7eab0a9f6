import {
  callAndForget,
  callAndWait,
  callNow,
  isThenable,
  refusePromise,
  type Returned,
  swallowRejection,
} from '../../src/user-code.ts';
import { errorWithout, revokedProxy, thenable, trappingProxy, withThen } from '../support/rude-values.ts';

const boom = new Error('boom');
const fail = (thrown: unknown) => (): never => {
  throw thrown;
};

/** Awaitable values, and their outcomes. */
const promises: readonly [string, () => PromiseLike<unknown>, string][] = [
  ['a promise', () => Promise.resolve(1), 'value 1'],
  ['a promise that rejects', () => Promise.reject(boom), 'error boom'],
  ['a thenable that answers at once', () => thenable((yes) => yes(1)), 'value 1'],
  ['a thenable that answers later', () => thenable((yes) => setImmediate(yes, 1)), 'value 1'],
  ['a thenable that answers with another', () => thenable((yes) => yes(thenable((inner) => inner(2)))), 'value 2'],
  ['a thenable that answers twice', () => thenable((yes, no) => (yes(1), no(boom), yes(2))), 'value 1'],
  ['a thenable that rejects', () => thenable((_, no) => no('text')), 'error A non-error was thrown: "text"'],
  ['a thenable whose then throws', () => thenable(fail(boom)), 'error boom'],
  ['a thenable that answers and throws', () => thenable((yes) => (yes(1), fail(boom)())), 'value 1'],
  [
    'a function that is thenable',
    () =>
      withThen(
        () => 0,
        (yes: (value: unknown) => void) => yes(1),
      ) as unknown as PromiseLike<unknown>,
    'value 1',
  ],
  ['a promise whose own then throws', () => withThen(Promise.resolve(1), fail(boom)), 'value 1'],
];

/** Calls that return synchronously. */
const values: readonly [string, () => unknown, string][] = [
  ['a value', () => 1, 'value 1'],
  ['nothing', () => undefined, 'value undefined'],
  ['an object with data called then', () => withThen({}, 1), 'value [object Object]'],
  ['an error that is thrown', fail(boom), 'error boom'],
  ['a thrown undefined', fail(undefined), 'error A non-error was thrown: undefined'],
  ['a revoked proxy', () => revokedProxy(), "error Cannot perform 'get' on a proxy that has been revoked"],
  ['a proxy that throws', () => trappingProxy(), 'error trap'],
  ['a revoked proxy that is thrown', fail(revokedProxy()), 'error A non-error was thrown: a value that cannot be read'],
  [
    'an error without a message',
    fail(errorWithout('message')),
    'error A non-error was thrown: an error that cannot be read',
  ],
];

function said(returned: Returned<unknown> | undefined): string {
  if (returned === undefined) return 'later';
  return returned.kind === 'value' ? `value ${String(returned.value)}` : `error ${returned.error.message}`;
}

const settled = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

const unhandled = jest.fn();
beforeAll(() => process.on('unhandledRejection', unhandled));
afterAll(() => process.off('unhandledRejection', unhandled));
afterEach(async () => {
  await settled();
  expect(unhandled).not.toHaveBeenCalled();
});

describe('awaitable values', () => {
  it.each(promises)('%s', (_, make) => {
    const promise = make();
    expect(isThenable(promise)).toBe(true);
    swallowRejection(promise);
  });

  it.each([undefined, null, 1, 'text', {}, withThen({}, 1), () => 1])('not %p', (value) => {
    expect(isThenable(value)).toBe(false);
  });
});

describe('a call that must answer synchronously', () => {
  it.each(values)('returns %s', (_, call, expected) => {
    expect(said(callNow('rule', call))).toBe(expected);
  });

  it.each(promises)('refuses %s, and ignores its outcome', async (_, call) => {
    expect(said(callNow('rule', call))).toMatch(/^error rule: expected a synchronous answer, got /);
    await settled();
  });
});

describe('a call that may answer asynchronously', () => {
  it.each(values)('returns synchronously: %s', async (_, call, expected) => {
    const later = jest.fn();
    expect(said(callAndWait(call, later))).toBe(expected);
    await settled();
    expect(later).not.toHaveBeenCalled();
  });

  it.each(promises)('gets later, once, the outcome of %s', async (_, call, expected) => {
    const later: string[] = [];
    expect(callAndWait(call, (returned) => later.push(said(returned)))).toBeUndefined();
    expect(later).toEqual([]);
    await settled();
    expect(later).toEqual([expected]);
  });
});

describe('a call whose answer is ignored', () => {
  it.each([...values, ...promises])('reports failures: %s', async (_, call, expected) => {
    const failures: string[] = [];
    callAndForget(call, (error) => failures.push(`error ${error.message}`));
    await settled();
    expect(failures).toEqual(expected.startsWith('error') ? [expected] : []);
  });
});

it('a promise is refused with a remedy', async () => {
  expect(() => refusePromise('map', Promise.reject(boom), 'a record: use mapAsync')).toThrow(
    expect.objectContaining({
      code: 'INVALID_ARGUMENT',
      message: 'map: expected a record: use mapAsync, got [object Promise]',
    }),
  );
  await settled();
});
