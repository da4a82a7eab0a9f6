import { bufferCount, concatMap, delay, interval, map, mergeMap, NEVER, Observable, of, startWith, take } from 'rxjs';
import type { OperatorDescription } from '../../src/operators/operator-description.ts';
import { PipeStage } from '../../src/operators/pipe-stage.ts';
import { inBatches, StageHarness } from './stage-driver.ts';

type Pipe = Extract<OperatorDescription, { kind: 'pipe' }>;
type Operator = (source: Observable<number>) => Observable<unknown>;

const stageOf = (operator: Operator, harness: StageHarness): PipeStage =>
  new PipeStage({ kind: 'pipe', operator } as unknown as Pipe, harness);

const virtualDelay =
  (harness: StageHarness, ms: number): Operator =>
  (source) =>
    source.pipe(delay(ms, harness.environment.scheduler));

describe('through', () => {
  it.each<[string, Operator, number[], unknown[]]>([
    ['one for one', map((n) => n * 2), [1, 2, 3], [2, 4, 6]],
    ['records that it held back come at the end', bufferCount(2), [1, 2, 3], [[1, 2], [3]]],
    ['results before the first record', startWith(0), [1], [0, 1]],
    ['many for one', mergeMap((n) => of(n, n, n)), [1, 2], [1, 1, 1, 2, 2, 2]],
    ['no results', (source) => source.pipe(concatMap(() => of())), [1, 2], []],
    ['an end before the input ends', take(2), [1, 2, 3, 4, 5, 6, 7], [1, 2]],
    ['an end without any input', () => of(7), [1, 2], [7]],
  ])('%s', async (_name, operator, input, expected) => {
    const harness = new StageHarness(2);
    const batches = await harness.run(stageOf(operator, harness), inBatches(input, 2));
    expect(batches.flat()).toEqual(expected);
    for (const batch of batches) expect(batch.length).toBeLessThanOrEqual(2);
  });

  it('a record that becomes many, or large ones, goes in before the next: waiting results are bounded', () => {
    const harness = new StageHarness(50, undefined, 1_000);
    let made = 0;
    const many: Operator = mergeMap((n) => Array.from({ length: 40 }, () => (made++, `${n}${'x'.repeat(500)}`)));
    const stage = stageOf(many, harness);
    let taken = 0;
    stage.push(Array.from({ length: 30 }, (_, n) => n));
    for (let batch = stage.poll(); batch !== undefined; batch = stage.poll()) {
      taken += batch.length;
      expect([batch.length, made - taken < 60]).toEqual([1, true]);
    }
    expect([taken, stage.isAccepting]).toEqual([30 * 40, true]);
  });

  it('calls the function once, when it is opened: a restart builds the pipe again', () => {
    let calls = 0;
    const operator: Operator = (source) => {
      calls++;
      return source;
    };
    const harness = new StageHarness();
    const stage = stageOf(operator, harness);
    stage.push([1]);
    stage.push([2]);
    expect(calls).toBe(1);
  });

  it.each<[returned: string, operator: () => unknown, message: string]>([
    ['a number', () => 5, 'result of through: expected an observable, as RxJS operators return, got 5'],
    ['nothing', () => undefined, 'result of through: expected an observable, as RxJS operators return, got undefined'],
    ['a promise', async () => of(1), 'result of through: expected a synchronous answer, got [object Promise]'],
    [
      'a promise that rejects',
      () => Promise.reject(new Error('late')),
      'result of through: expected a synchronous answer, got [object Promise]',
    ],
    [
      'an error',
      () => {
        throw new Error('cannot be built');
      },
      'cannot be built',
    ],
  ])('a function that returns %s fails like an error in the pipe, and names the operator', (_, operator, message) => {
    const stage = stageOf(operator as Operator, new StageHarness());
    expect(() => stage.poll()).toThrow(message);
    expect(stage.blame).toEqual({ operator: 0 });
  });

  it('wakes for late results, and not for synchronous ones', () => {
    const harness = new StageHarness();
    const stage = stageOf(
      (source) =>
        source.pipe(
          startWith(0),
          mergeMap((n) => of(n).pipe(delayIf(n, harness))),
        ),
      harness,
    );
    stage.push([1, 2, 3]);
    expect([harness.wakes, stage.poll()]).toEqual([0, [0, 1, 3]]);
    harness.environment.advance(49);
    expect([harness.wakes, stage.poll()]).toEqual([0, undefined]);
    harness.environment.advance(1);
    expect([harness.wakes, stage.poll()]).toEqual([1, [2]]);
  });

  const delayIf = (n: number, harness: StageHarness): Operator => (n === 2 ? virtualDelay(harness, 50) : (s) => s);

  it('is done when the result completes, not when the input ends', () => {
    const harness = new StageHarness();
    const stage = stageOf(virtualDelay(harness, 10), harness);
    stage.push([1]);
    stage.end();
    expect([stage.poll(), stage.isDone]).toEqual([undefined, false]);
    harness.environment.advance(10);
    expect(harness.wakes).toBeGreaterThan(0);
    expect([stage.isDone, stage.poll(), stage.isDone]).toEqual([false, [1], true]);
  });

  it('accepts nothing while results wait', () => {
    const stage = stageOf((source) => source, new StageHarness());
    stage.push([1]);
    expect(stage.isAccepting).toBe(false);
    stage.poll();
    expect(stage.isAccepting).toBe(true);
  });

  it('PS1: is done when it completed early, and the source is dismissed', () => {
    let unsubscribed = 0;
    const watched: Operator = (source) =>
      new Observable<number>((subscriber) => {
        const subscription = source.subscribe(subscriber);
        return () => {
          unsubscribed++;
          subscription.unsubscribe();
        };
      }).pipe(take(2));
    const harness = new StageHarness();
    const stage = stageOf(watched, harness);
    stage.push([1, 2, 3]);
    expect([unsubscribed, stage.isDone]).toEqual([1, false]);
    expect([stage.poll(), stage.isDone]).toEqual([[1, 2], true]);
    stage.push([4]);
    expect([stage.poll(), stage.isDone]).toEqual([undefined, true]);
  });

  it.each<[string, unknown, RegExp]>([
    ['an error', new Error('bad pipe'), /bad pipe/],
    ['something else', 'a string', /non-error was thrown: "a string"/],
  ])('throws %s of the pipe from push', (_name, thrown, message) => {
    const seen: number[] = [];
    const failing = map((n: number) => {
      seen.push(n);
      if (n === 2) throw thrown;
      return n;
    });
    const stage = stageOf(failing, new StageHarness());
    expect(() => stage.push([1, 2, 3])).toThrow(message);
    expect(() => stage.poll()).toThrow(message);
    expect(seen).toEqual([1, 2]);
  });

  it('throws a late error from poll, after a wake', () => {
    const harness = new StageHarness();
    const operator: Operator = (source) =>
      virtualDelay(
        harness,
        5,
      )(source).pipe(
        map(() => {
          throw new Error('late');
        }),
      );
    const stage = stageOf(operator, harness);
    stage.push([1]);
    expect(stage.poll()).toBeUndefined();
    harness.environment.advance(5);
    expect(harness.wakes).toBe(1);
    expect(() => stage.poll()).toThrow('late');
  });

  it('throws an error at the completion from poll', () => {
    const operator: Operator = (source) =>
      new Observable((subscriber) => source.subscribe({ complete: () => subscriber.error(new Error('not enough')) }));
    const stage = stageOf(operator, new StageHarness());
    stage.end();
    expect(() => stage.poll()).toThrow('not enough');
    expect(stage.isDone).toBe(false);
  });

  it('PS3: is not done if it completes after a failure: the next poll throws', () => {
    const operator: Operator = (source) =>
      new Observable((subscriber) =>
        source.subscribe({
          complete: () => {
            subscriber.next(Promise.resolve(1));
            subscriber.complete();
          },
        }),
      );
    const stage = stageOf(operator, new StageHarness());
    stage.end();
    expect(stage.isDone).toBe(false);
    expect(() => stage.poll()).toThrow('a promise of one');
    expect(stage.isDone).toBe(false);
  });

  it('PS2: unsubscribes on close, and drops its results', () => {
    const harness = new StageHarness();
    const stage = stageOf(() => interval(10, harness.environment.scheduler), harness);
    harness.environment.advance(20);
    stage.close();
    stage.close();
    const { wakes } = harness;
    expect(harness.environment.clock.timerCount).toBe(0);
    harness.environment.advance(100);
    expect([harness.wakes, stage.poll()]).toEqual([wakes, undefined]);
  });

  it('is not done while a pipe does not complete', () => {
    const stage = stageOf(() => NEVER, new StageHarness());
    stage.push([1]);
    stage.end();
    expect([stage.poll(), stage.isDone]).toEqual([undefined, false]);
    stage.close();
  });

  it('emits all results of one batch, in slices', async () => {
    const harness = new StageHarness(10);
    const stage = stageOf(
      mergeMap(() => Array.from({ length: 100_000 }, (_, i) => i)),
      harness,
    );
    const batches = await harness.run(stage, [[1]]);
    expect(batches).toHaveLength(10_000);
    expect(batches.flat()).toEqual(Array.from({ length: 100_000 }, (_, i) => i));
  });
});
