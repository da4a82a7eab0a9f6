import type { RuntimeContext } from '../operators/runtime-context.ts';
import type { Sink } from '../operators/sink.ts';
import { checkFunction } from '../options.ts';
import { isThenable } from '../user-code.ts';

/**
 * Hands every record to `fn`, one after the other; a promise it returns is awaited before the next record.
 *
 * At least once: a restarted subtask calls `fn` again for records it was called for before.
 */
export function forEach<In>(fn: (record: In, context: RuntimeContext) => unknown): Sink<In> {
  checkFunction('forEach', fn);
  return {
    name: fn.name || 'forEach',
    guarantee: 'at-least-once',
    open: (context) => ({
      write: (records) => {
        for (let index = 0; index < records.length; index++) {
          const result = fn(records[index] as In, context);
          if (isThenable(result)) return callOn(fn, context, records, index + 1, result);
        }
      },
      commit: () => {},
      abort: () => {},
    }),
  };
}

async function callOn<In>(
  fn: (record: In, context: RuntimeContext) => unknown,
  context: RuntimeContext,
  records: readonly In[],
  from: number,
  first: PromiseLike<unknown>,
): Promise<void> {
  await first;
  for (let index = from; index < records.length && !context.signal.aborted; index++) {
    const result = fn(records[index] as In, context);
    if (isThenable(result)) await result;
  }
}
