import type { DrawnFault } from './drawn-run.ts';
import type { FaultPlace, FaultPlan } from './fault-plan.ts';

/** Arms the drawn faults; the returned function counts those that fired. */
export function armFaults(
  faults: FaultPlan,
  drawn: readonly DrawnFault[],
  files: ReadonlyMap<string, Uint8Array[]> & { clear(): void },
  loseExecutor: (vertex: string, subtask: number) => void,
): () => number {
  const armed = drawn.map(({ point, vertex, subtask, skip, effect }) => {
    const trigger = {
      skip,
      when: (place: FaultPlace) =>
        place['vertex'] === undefined || (place['vertex'] === vertex && place['subtask'] === subtask),
    };
    switch (effect) {
      case 'throws':
        return faults.fail(point, trigger);
      case 'files vanish':
        return faults.call(point, () => files.clear(), trigger);
      case 'bytes rot':
        return faults.call(point, () => rot(files), trigger);
      case 'files are cut':
        return faults.call(point, () => cut(files), trigger);
      case 'executor is lost':
        return faults.call(point, () => loseExecutor(vertex as string, subtask as number), trigger);
    }
  });
  return () => armed.filter(({ fired }) => fired > 0).length;
}

/** Changes the last byte of every file. */
function rot(files: ReadonlyMap<string, Uint8Array[]>): void {
  for (const chunks of files.values()) {
    for (const chunk of chunks) chunk[chunk.length - 1] = (chunk.at(-1) ?? 0) ^ 0xff;
  }
}

/** Cuts the second half of the last write from each file. */
function cut(files: ReadonlyMap<string, Uint8Array[]>): void {
  for (const chunks of files.values()) {
    const last = chunks.pop();
    if (last !== undefined) chunks.push(last.subarray(0, last.length >> 1));
  }
}
