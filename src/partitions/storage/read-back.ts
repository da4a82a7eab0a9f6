import { PartitionLostError } from '../../errors/result-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import type { ResultPartitionId } from '../../ids.ts';
import { freezeRecords } from '../records/freeze-records.ts';
import { type ElementPlace, decodeElement } from '../records/element-codec.ts';
import type { WrittenElement } from '../stream-element.ts';
import type { SpillFile } from './spill-store.ts';

/** The place of an element in the file. */
export interface WrittenPlace {
  readonly id: ResultPartitionId;
  readonly file: SpillFile;
  readonly offset: number;
  readonly bytes: number;
  /** Its frame, if that is in memory too. */
  readonly copy: Uint8Array | undefined;
  readonly place: ElementPlace;
  /** Whether to freeze its records, as the written ones were. */
  readonly freeze: boolean;
}

/** Reads an element back. If it is not as it was written, the partition is lost and its producer runs again. */
export function readBack(
  { id, file, offset, bytes, copy, place, freeze }: WrittenPlace,
  done: (error: PartitionLostError | undefined, element: WrittenElement | undefined) => void,
): void {
  const lose = (cause: unknown): void => {
    done(new PartitionLostError(id, toError(cause).message, { cause, location: file.locate(offset) }), undefined);
  };
  const decode = (frame: Uint8Array): void => {
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
  };
  if (copy !== undefined) decode(copy);
  else
    file.read(offset, bytes, (error, frame) => {
      if (error !== undefined) lose(error);
      else decode(frame);
    });
}
