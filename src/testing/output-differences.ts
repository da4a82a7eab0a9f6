import { inspect } from 'node:util';

/**
 * The differences between two outputs as multisets, sink by sink.
 * @param mayLack whether a sink may lack records, because not all of its tasks have finished
 */
export function differences(
  expected: ReadonlyMap<string, readonly unknown[]>,
  actual: ReadonlyMap<string, readonly unknown[]>,
  outcome: (records: readonly unknown[], sink: string) => readonly unknown[] = (records) => records,
  mayLack: (sink: string) => boolean = () => false,
): string[] {
  return [...expected].flatMap(([sink, records]) => {
    const counts = new Map<string, number>();
    const count = (record: unknown, by: number): void => {
      const key = shown(record);
      counts.set(key, (counts.get(key) ?? 0) + by);
    };
    for (const record of outcome(records, sink)) count(record, 1);
    for (const record of outcome(actual.get(sink) ?? [], sink)) count(record, -1);
    const isPartial = mayLack(sink);
    const wrong = [...counts].filter(([, count]) => count < 0 || (count > 0 && !isPartial));
    return wrong
      .slice(0, 5)
      .map(([record, count]) =>
        count > 0 ? `sink "${sink}" lacks ${count} × ${record}` : `sink "${sink}" has ${-count} × too many ${record}`,
      );
  });
}

function shown(record: unknown): string {
  // A fast path for numbers and strings.
  if (typeof record === 'number' && record !== 0) return String(record);
  if (typeof record === 'string') return JSON.stringify(record);
  const depth = Number.POSITIVE_INFINITY;
  return inspect(record, { depth, maxArrayLength: null, maxStringLength: null, sorted: true });
}
