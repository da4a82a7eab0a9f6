import { PartitionLostError } from '../../errors/result-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import type { ResultPartitionId } from '../../ids.ts';
import { freezeRecords } from '../records/freeze-records.ts';
import { LateRecords } from '../late-records.ts';
import { decodeVerified, type ElementPlace, verifyFrame } from '../records/element-codec.ts';
import type { Records, WrittenElement } from '../stream-element.ts';
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

/** The frame of an element that was read back. */
export class ReadFrame {
  readonly #from: WrittenPlace;
  readonly #bytes: Uint8Array;

  constructor(from: WrittenPlace, bytes: Uint8Array) {
    this.#from = from;
    this.#bytes = bytes;
  }

  /**
   * Its element; records are decoded later, which may throw the same.
   * @throws PartitionLostError if it is not as it was written, so that its producer runs again
   */
  element(): WrittenElement {
    const kind = this.#orLost(() => verifyFrame(this.#bytes, this.#from.place));
    return kind === 'mark' ? this.#decode() : new LateRecords(() => (this.#decode() as Records).records);
  }

  #decode(): WrittenElement {
    const element = this.#orLost(() => decodeVerified(this.#bytes));
    if (this.#from.freeze && element.kind === 'records') {
      freezeRecords(element.records);
      Object.freeze(element.records);
    }
    return element;
  }

  #orLost<Result>(read: () => Result): Result {
    try {
      return read();
    } catch (cause) {
      throw lost(this.#from, cause);
    }
  }
}

/** Reads an element back. If it cannot be read, the partition is lost and its producer runs again. */
export function readBack(
  from: WrittenPlace,
  done: (error: PartitionLostError | undefined, frame: ReadFrame | undefined) => void,
): void {
  const { file, offset, bytes, copy } = from;
  if (copy !== undefined) {
    done(undefined, new ReadFrame(from, copy));
    return;
  }
  file.read(offset, bytes, (error, frame) => {
    if (error !== undefined) done(lost(from, error), undefined);
    else done(undefined, new ReadFrame(from, frame));
  });
}

function lost({ id, file, offset }: WrittenPlace, cause: unknown): PartitionLostError {
  return new PartitionLostError(id, toError(cause).message, { cause, location: file.locate(offset) });
}
