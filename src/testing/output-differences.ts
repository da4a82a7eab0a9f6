import { inspect } from 'node:util';

interface DifferencesOptions {
  /** Whether a sink may lack records, because not all of its tasks have finished. */
  readonly mayLack?: (sink: string) => boolean;
  /** Whether what is expected may be there more often. */
  readonly mayRepeat?: boolean;
}

/**
 * The differences between two outputs as multisets, sink by sink.
 * @param outcome what of the records of a sink is compared
 */
export function differences(
  expected: ReadonlyMap<string, readonly unknown[]>,
  actual: ReadonlyMap<string, readonly unknown[]>,
  outcome: (records: readonly unknown[], sink: string) => readonly unknown[] = (records) => records,
  { mayLack = () => false, mayRepeat = false }: DifferencesOptions = {},
): string[] {
  return [...expected].flatMap(([sink, records]) => {
    const counts = new Map<string, number>();
    const known = new Set<string>();
    const count = (record: unknown, by: number): void => {
      const key = shown(record);
      if (by > 0) known.add(key);
      counts.set(key, (counts.get(key) ?? 0) + by);
    };
    for (const record of outcome(records, sink)) count(record, 1);
    for (const record of outcome(actual.get(sink) ?? [], sink)) count(record, -1);
    const isPartial = mayLack(sink);
    const wrong = [...counts].filter(([key, count]) =>
      count < 0 ? !(mayRepeat && known.has(key)) : count > 0 && !isPartial,
    );
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
