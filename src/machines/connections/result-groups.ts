import type { PlacedRegistration } from '../../actors/executor-gateway.ts';
import type { ResultPartitionId } from '../../ids.ts';

/** Values by key, in order. */
export function grouped<Key, Value>(
  values: readonly Value[],
  keyOf: (value: Value) => Key,
): Map<Key, readonly Value[]> {
  const groups = new Map<Key, Value[]>();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return groups;
}

/** The intersection of two lists of results. */
export function both(results: readonly ResultPartitionId[], others: readonly ResultPartitionId[]): ResultPartitionId[] {
  if (others.length === 0) return [];
  const partitions = new Set(others.map(({ partition }) => partition));
  return results.filter(({ partition }) => partitions.has(partition));
}

/** The results that are written for the first time. */
export function newOnes(placed: readonly PlacedRegistration[]): ResultPartitionId[] {
  return placed.flatMap(({ registration: { origin, id } }) => (origin === 'again' ? [] : [id]));
}
