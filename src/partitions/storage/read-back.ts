import { PartitionLostError } from '../../errors/result-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import type { ResultPartitionId } from '../../ids.ts';
import { freezeRecords } from '../records/freeze-records.ts';
import { type ElementPlace, decodeElement } from '../records/element-codec.ts';
import type { WrittenElement } from '../stream-element.ts';
import type { SpillFile } from './spill-store.ts';

/** Where an element was written. */
export interface WrittenPlace {
  readonly id: ResultPartitionId;
  readonly file: SpillFile;
  readonly offset: number;
  readonly bytes: number;
  readonly place: ElementPlace;
  /** Whether to freeze its records, as they were. */
  readonly freeze: boolean;
}

/** Reads an element back. What does not come back as it was written is a lost partition: its producer runs again. */
export function readBack(
  { id, file, offset, bytes, place, freeze }: WrittenPlace,
  done: (error: PartitionLostError | undefined, element: WrittenElement | undefined) => void,
): void {
  const lose = (cause: unknown): void => {
    done(new PartitionLostError(id, toError(cause).message, { cause, location: file.locate(offset) }), undefined);
  };
  file.read(offset, bytes, (error, frame) => {
    if (error !== undefined) {
      lose(error);
      return;
    }
    let element: WrittenElement;
    try {
      element = decodeElement(frame, place);
    } catch (cause) {
      lose(cause);
      return;
    }
    if (freeze && element.kind === 'records') {
      freezeRecords(element.records);
      Object.freeze(element.records);
    }
    done(undefined, element);
  });
}
