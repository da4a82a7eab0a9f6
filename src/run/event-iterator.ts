import type { Observable } from 'rxjs';

/**
 * A stream as an async iterator that buffers events not yet consumed. Several `next()` may be pending at once; they are
 * answered in order, at the latest by `return()` or the end of the stream.
 */
export function eventIterator<Item>(source: Observable<Item>): AsyncIterableIterator<Item> {
  const waiting: Item[] = [];
  let taken = 0;
  let pending: ((result: IteratorResult<Item>) => void)[] = [];
  let isOver = false;
  const end = (): void => {
    isOver = true;
    const unanswered = pending;
    pending = [];
    for (const answer of unanswered) answer({ done: true, value: undefined });
  };
  const subscription = source.subscribe({
    next: (value) => {
      const answer = pending.shift();
      if (answer === undefined) waiting.push(value);
      else answer({ done: false, value });
    },
    error: end,
    complete: end,
  });
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next() {
      if (taken < waiting.length) {
        const value = waiting[taken++] as Item;
        if (taken === waiting.length || taken >= 1_024) {
          waiting.splice(0, taken);
          taken = 0;
        }
        return Promise.resolve({ done: false, value });
      }
      if (isOver) return Promise.resolve({ done: true, value: undefined });
      return new Promise((resolve) => pending.push(resolve));
    },
    return() {
      subscription.unsubscribe();
      waiting.length = taken = 0;
      end();
      return Promise.resolve({ done: true, value: undefined });
    },
  };
}
