import type { Source } from '../../src/index.ts';

/** The numbers up to `count`, so many of them at a time, each millisecond: a source that can continue at a number. */
export function tickingSource(count: number, atOnce = 8, everyMs = (_subtask: number): number => 1): Source<number> {
  return {
    name: 'ticking',
    maxParallelism: Number.POSITIVE_INFINITY,
    open({ subtask, parallelism, environment: { clock } }, _plan, from) {
      let next = (from as number | undefined) ?? subtask;
      return {
        position: () => next,
        close: () => {},
        read: () =>
          new Promise((resolve) => {
            clock.setTimeout(() => {
              if (next >= count) return resolve(null);
              const batch: number[] = [];
              for (; batch.length < atOnce && next < count; next += parallelism) batch.push(next);
              resolve(batch);
            }, everyMs(subtask));
          }),
      };
    },
  };
}
