import type { CheckpointId } from '../../src/ids.ts';
import type { ResultPartition } from '../../src/partitions/result-partition.ts';
import { elementOf, type Mark, type StreamElement } from '../../src/partitions/stream-element.ts';

export const barrier = (checkpoint: number): Mark => ({ kind: 'barrier', checkpoint: checkpoint as CheckpointId });
export const watermark = (timestampMs: number): Mark => ({ kind: 'watermark', timestampMs });
export const idle: Mark = { kind: 'idleness', isIdle: true };

/** A step of an attempt in a subpartition: a batch of this many records, numbered from 0, or a mark. */
export type Step = number | Mark;

/** A record, or the notation of a mark. */
export type Spelled = number | string;

/** The output of steps, record by record, independent of batches. */
export function spelledSteps(steps: readonly Step[], from = 0): Spelled[] {
  let count = 0;
  return steps.flatMap((step): Spelled[] => {
    if (typeof step !== 'number') return count >= from ? [spelledMark(step)] : [];
    const records = Array.from({ length: step }, () => count++);
    return records.filter((record) => record >= from);
  });
}

/** What a reader from a record gets of earlier steps that are written after it was opened: the barriers. */
export function spelledEarly(steps: readonly Step[], from: number): Spelled[] {
  let count = 0;
  return steps.flatMap((step): Spelled[] => {
    if (typeof step === 'number') count += step;
    else if (step.kind === 'barrier' && count < from) return [spelledMark({ ...step, isEarly: true })];
    return [];
  });
}

/** Elements record by record, without the end. Records are `{ record: number }`. */
export function spelled(elements: readonly StreamElement[]): Spelled[] {
  return elements.flatMap((element): Spelled[] => {
    if (element.kind === 'end') return [];
    if (element.kind !== 'records') return [spelledMark(element)];
    return element.records.map((record) => (record as { readonly record: number }).record);
  });
}

function spelledMark(mark: Mark): string {
  switch (mark.kind) {
    case 'barrier':
      return `${mark.isEarly === true ? 'early ' : ''}barrier ${mark.checkpoint}`;
    case 'watermark':
      return `watermark ${mark.timestampMs}`;
    case 'idleness':
      return mark.isIdle ? 'idle' : 'active';
  }
}

/** Writes steps to a subpartition; `settle` lets pending work run. */
export function writeSteps(
  partition: ResultPartition,
  steps: readonly Step[],
  settle: () => void,
  subpartition = 0,
): void {
  let count = 0;
  for (const step of steps) {
    if (!partition.isWritable) settle();
    const element =
      typeof step === 'number' ? elementOf(Array.from({ length: step }, () => ({ record: count++ }))) : step;
    partition.write(subpartition, element);
  }
}

/** Writes steps and finishes; returns the error. */
export function produce(partition: ResultPartition, steps: readonly Step[], settle: () => void): unknown {
  try {
    writeSteps(partition, steps, settle);
  } catch (error) {
    return error;
  }
  const ends: (Error | undefined)[] = [];
  partition.finish((error) => ends.push(error));
  settle();
  expect(ends).toHaveLength(1);
  return ends[0];
}
