import { Subject } from 'rxjs';
import { eventIterator } from '../../src/run/event-iterator.ts';

describe('a stream as an async iterator', () => {
  const done = { done: true, value: undefined };
  const value = (given: number) => ({ done: false, value: given });
  const started = () => {
    const source = new Subject<number>();
    return { source, iterator: eventIterator(source) };
  };

  it('buffers unconsumed items, in order', async () => {
    const { source, iterator } = started();
    const expected = Array.from({ length: 3_000 }, (_, n) => n);
    for (const n of expected) source.next(n);
    source.complete();
    const taken: number[] = [];
    for await (const n of iterator) taken.push(n);
    expect(taken).toEqual(expected);
  });

  it('answers each pending next(), in order', async () => {
    const { source, iterator } = started();
    const pending = [iterator.next(), iterator.next(), iterator.next()];
    for (const n of [1, 2, 3]) source.next(n);
    expect(await Promise.all(pending)).toEqual([value(1), value(2), value(3)]);
  });

  it.each<[string, (it: ReturnType<typeof started>) => unknown]>([
    ['the end of the stream', ({ source }) => source.complete()],
    ['an error of the stream', ({ source }) => source.error(new Error('no'))],
    ['return()', ({ iterator }) => iterator.return?.()],
  ])('%s answers every pending next(), and all later ones', async (_, end) => {
    const it = started();
    const pending = [it.iterator.next(), it.iterator.next()];
    it.source.next(1);
    end(it);
    expect(await Promise.all([...pending, it.iterator.next()])).toEqual([value(1), done, done]);
    expect(it.source.observed).toBe(false);
  });

  it('return() drops unconsumed items', async () => {
    const { source, iterator } = started();
    source.next(1);
    expect(await iterator.return?.()).toEqual(done);
    expect(await iterator.next()).toEqual(done);
  });
});
