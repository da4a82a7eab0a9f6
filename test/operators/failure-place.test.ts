import fc from 'fast-check';
import { map as rxMap } from 'rxjs';
import type { LoopOperator } from '../../src/operators/fused/loops/loop.ts';
import { createOperatorChain } from '../../src/operators/task/operator-chain.ts';
import type { OperatorDescription } from '../../src/operators/operator-description.ts';
import type { Blame, OperatorStage } from '../../src/operators/operator-stage.ts';
import { pictureOf } from '../../src/operators/record-picture.ts';
import { describePlace } from '../../src/failure-place.ts';
import { loopKinds } from './loop-kinds.ts';
import { inBatches, StageHarness } from './stage-driver.ts';

type Fn = (n: number) => unknown;

const failing =
  (at: number, fn: Fn = (n) => n): Fn =>
  (n) => {
    if (n === at) throw new Error(`no ${n}`);
    return fn(n);
  };

const map = (fn: Fn): OperatorDescription => ({ kind: 'map', fn }) as OperatorDescription;
const evenOnly: OperatorDescription = { kind: 'filter', predicate: (n: number) => n % 2 === 0 } as OperatorDescription;
const twice: OperatorDescription = { kind: 'flatMap', fn: (n: number) => [n, n + 0.01] } as OperatorDescription;
const asyncMap = (fn: Fn, ordered = true): OperatorDescription =>
  ({ kind: 'asyncMap', fn, options: { concurrency: 3, ordered } }) as OperatorDescription;
const pipe = (fn: Fn): OperatorDescription => ({ kind: 'pipe', operator: rxMap(fn) }) as unknown as OperatorDescription;
const fold = (step: Partial<Record<'keyOf' | 'add' | 'result', Fn>>, emit = 'final'): OperatorDescription =>
  ({
    kind: 'aggregate',
    keyOf: (n: number) => n % 3,
    create: (n: number) => n,
    add: (_: number, n: number) => n,
    result: (n: number) => n,
    emit,
    ...step,
  }) as OperatorDescription;
const processing = (onRecord: (n: number, emit: (out: unknown) => void) => void): OperatorDescription =>
  ({
    kind: 'process',
    keyOf: (n: number) => n,
    onRecord: (n: number, _: unknown, emit: never) => onRecord(n, emit),
  }) as never;

/** Runs the numbers from 0 to 19 through a chain until it throws; returns the blame. */
async function blamed(operators: readonly OperatorDescription[], batchSize = 4): Promise<Blame | undefined> {
  const harness = new StageHarness(batchSize);
  const chain: OperatorStage = createOperatorChain(operators, harness.runtime, harness);
  const numbers = Array.from({ length: 20 }, (_, n) => n);
  await expect(harness.run(chain, inBatches(numbers, batchSize))).rejects.toThrow(/^no /);
  return chain.blame;
}

describe('the blame of a chain when a function throws', () => {
  const at = (operator: number, number: number | undefined, value: unknown): Blame => ({
    operator,
    record: { value, number },
  });

  it.each<[string, readonly OperatorDescription[], Blame]>([
    ['the first of a loop', [map(failing(9)), map((n) => n)], at(0, 9, 9)],
    [
      'the second of a loop, with the record that the loop was given',
      [map((n) => n * 10), map(failing(90))],
      at(1, 9, 9),
    ],
    ['behind a filter', [evenOnly, map(failing(6))], at(1, 6, 6)],
    ['a filter', [map((n) => n), { kind: 'filter', predicate: failing(7) } as never], at(1, 7, 7)],
    ['inside a flatMap', [twice, map(failing(6.01))], at(1, 6, 6)],
    [
      'a flatMap whose iterable throws, after a record that went through',
      [
        {
          kind: 'flatMap',
          fn: function* (n: number) {
            yield n;
            if (n === 8) throw new Error('no 8');
          },
        } as never,
        evenOnly,
        map((n) => n),
      ],
      at(0, 8, 8),
    ],
    ['an update', [map((n) => n), fold({ result: failing(11) }, 'updates')], at(1, 11, 11)],
    ['a key', [fold({ keyOf: failing(5) })], at(0, 5, 5)],
    ['a process', [evenOnly, processing((n, emit) => emit(failing(12)(n)))], at(1, undefined, 12)],
    ['a call', [asyncMap(failing(13))], at(0, 13, 13)],
    ['a call behind a filter', [evenOnly, asyncMap(failing(14))], at(1, 14, 14)],
    ['behind a call', [asyncMap((n) => n + 100), map(failing(115))], at(1, 15, 115)],
    ['behind unordered calls', [asyncMap((n) => n + 100, false), map(failing(115))], at(1, 15, 115)],
    [
      'behind two calls, a filter and a flatMap',
      [asyncMap((n) => n), evenOnly, asyncMap((n) => n), twice, map(failing(16.01))],
      at(4, 16, 16),
    ],
    [
      'behind a process and a call',
      [
        processing((n, emit) => {
          emit(n);
          emit(n);
        }),
        asyncMap((n) => n),
        map(failing(17)),
      ],
      at(2, 17, 17),
    ],
    ['a pipe', [map((n) => n), pipe(failing(18))], at(1, 18, 18)],
    ['after a pipe, whose lineage is unknown', [pipe((n) => n), map(failing(19))], at(1, undefined, 19)],
  ])('%s', async (_, operators, blame) => {
    expect(await blamed(operators)).toEqual(blame);
    expect(await blamed(operators, 1)).toEqual(blame);
  });

  it.each<[string, readonly OperatorDescription[], Blame]>([
    [
      'a result at the end names its key',
      [evenOnly, fold({ keyOf: (n) => n % 5, result: failing(18) })],
      { operator: 1, key: { value: 3 } },
    ],
    ['what follows a result at the end knows of no record before', [fold({}), map(failing(19))], at(1, undefined, 19)],
  ])('%s', async (_, operators, blame) => {
    expect(await blamed(operators)).toEqual(blame);
  });

  it('is undefined until something throws', () => {
    const harness = new StageHarness();
    const chain = createOperatorChain([map((n) => n), asyncMap((n) => n)], harness.runtime, harness);
    chain.push([1, 2]);
    expect(chain.blame).toBeUndefined();
  });

  it('property: origins of results are right in any chain, generated or not', async () => {
    const step = fc.constantFrom(
      map((n) => n),
      evenOnly,
      twice,
      asyncMap((n) => n),
      asyncMap((n) => n, false),
      fold({ keyOf: (n) => n }, 'updates'),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 7 }),
        async (steps, batchSize) => {
          const harness = new StageHarness(batchSize);
          // A separate last stage, so that every stage before it is asked.
          const operators = [...steps, asyncMap((n) => n)];
          const chain = createOperatorChain(operators, harness.runtime, harness);
          const numbers = Array.from({ length: 20 }, (_, n) => n);
          const whole = await harness.run(
            createOperatorChain(operators, harness.runtime, harness),
            inBatches(numbers, batchSize),
          );
          const target = whole.flat().at(-1);
          if (target === undefined) return;
          const failingLast = [...steps, asyncMap(failing(target as number))];
          const blame = await (async () => {
            const again = createOperatorChain(failingLast, harness.runtime, harness);
            await expect(harness.run(again, inBatches(numbers, batchSize))).rejects.toThrow(/^no /);
            return again.blame;
          })();
          expect(blame).toEqual({
            operator: steps.length,
            record: { value: target, number: Math.floor(target as number) },
          });
          expect(chain.blame).toBeUndefined();
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each(loopKinds)('a loop of %s tracks the origins of its results', (_, compile) => {
    const { run } = compile([evenOnly, twice, map((n) => n)] as LoopOperator[], [], { tracksOrigins: true });
    const [out, origins]: [unknown[], number[]] = [[], []];
    run([1, 2, 3, 4], out, { origins, failedAt: () => {}, failedWith: () => {}, passed: () => {}, reject: () => {} });
    expect({ out, origins }).toEqual({ out: [2, 2.01, 4, 4.01], origins: [1, 1, 3, 3] });
  });
});

describe('the picture of a record', () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  it.each<[string, unknown, string]>([
    ['plain', { id: 17, ok: true, none: null }, '{"id":17,"ok":true,"none":null}'],
    ['a long text is cut', { text: 'x'.repeat(1_000) }, `{"text":"${'x'.repeat(24)}"… (1000 characters)}`],
    [
      'secrets are left out',
      { user: 'ann', apiKey: 'sk-1', accessToken: 't', password: 'p' },
      '{"user":"ann","apiKey":(left out),"accessToken":(left out),"password":(left out)}',
    ],
    [
      'many fields',
      Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`f${n}`, n])),
      '{"f0":0,"f1":1,"f2":2,"f3":3,"f4":4,"f5":5,"f6":6,"f7":7,… 30 fields}',
    ],
    ['a long list', Array.from({ length: 100 }, (_, n) => n), '[0,1,2,3,4,5,6,7,… 100 in all]'],
    ['deep', { a: { b: { c: { d: 1 } } } }, '{"a":{"b":{"c":{…}}}}'],
    ['bigint', 12n, '12n'],
    ['a date', new Date(0), '1970-01-01T00:00:00.000Z'],
    ['a secret in a text', { a: 'Bearer xyz' }, '{"a":"Bearer (left out)"}'],
    ['a secret whose end is not shown', `x://u:${'p'.repeat(90)}@h`, '"x://u:(left out)@h"… (98 characters)'],
    ['bytes', new Uint8Array(3), 'Uint8Array(3 bytes)'],
    ['a map', new Map([[1, 2]]), 'Map(1)'],
    ['undefined', undefined, 'undefined'],
    ['a symbol', Symbol('s'), 'Symbol(s)'],
    [
      'what throws when looked at',
      {
        get bad() {
          throw new Error('no');
        },
        good: 1,
      },
      '{"bad":(cannot be read),"good":1}',
    ],
    ['a revoked proxy', proxy, '(cannot be read)'],
  ])('%s', (_, record, picture) => {
    expect(pictureOf(record)).toBe(picture);
  });

  it('is never long', () => {
    const wide = Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`${n}`.repeat(50), 'y'.repeat(24)]));
    expect(pictureOf(wide).length).toBeLessThanOrEqual(160);
  });
});

describe('a place as text', () => {
  it.each([
    [{ operator: 'rate', record: undefined }, 'in "rate"'],
    [{ operator: 'rate', record: { position: 'a.jsonl:18', picture: '{"n":1}' } }, 'in "rate", at a.jsonl:18: {"n":1}'],
    [{ operator: 'rate', record: { position: undefined, picture: '{"n":1}' } }, 'in "rate", at {"n":1}'],
    [{ operator: 'sum', record: { position: 'key "JFK"', picture: undefined } }, 'in "sum", at key "JFK"'],
  ])('%j', (place, words) => {
    expect(describePlace(place)).toBe(words);
  });
});
