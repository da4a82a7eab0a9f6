import { putRecordHeader, type RecordFormat, recordHeaderBytes } from './record-header.ts';

const leastBytes = 1 << 12;

/** A buffer larger than this is not kept for the next records. */
const mostKeptBytes = 1 << 20;

/**
 * Records that are written with one write, made in place: in a buffer that is used again, because a buffer per record
 * would cost more than the record.
 */
export class RecordBuffer {
  #bytes = Buffer.allocUnsafeSlow(leastBytes);
  #length = 0;
  /** Where the headers of the records belong. */
  #starts: number[] = [];

  /** The buffer, until the next {@link reserve}. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Bytes of the records. */
  get length(): number {
    return this.#length;
  }

  clear(): void {
    if (this.#bytes.length > mostKeptBytes) this.#bytes = Buffer.allocUnsafeSlow(leastBytes);
    this.#length = 0;
    this.#starts = [];
  }

  /** Makes room for the payload of the next record. Returns where it begins. */
  reserve(mostBytes: number): number {
    const payload = this.#length + recordHeaderBytes;
    if (payload + mostBytes > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#bytes.length, payload + mostBytes));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    return payload;
  }

  /** Adds a record whose payload was written to the room {@link reserve}d, and takes this many bytes of it. */
  add(payloadBytes: number): void {
    this.#starts.push(this.#length);
    this.#length += recordHeaderBytes + payloadBytes;
  }

  /** Adds a record with this payload. */
  addCopy(payload: Uint8Array): void {
    const at = this.reserve(payload.length);
    this.#bytes.set(payload, at);
    this.add(payload.length);
  }

  /** The records as they lie from `offset` of a file on: a view, until the next change. */
  recordsAt(format: RecordFormat, offset: number): Uint8Array {
    for (let index = 0; index < this.#starts.length; index++) {
      const start = this.#starts[index] as number;
      const end = this.#starts[index + 1] ?? this.#length;
      putRecordHeader(format, this.#bytes, start, end - start - recordHeaderBytes, offset + start);
    }
    // Not a part of the buffer, whose `slice` does not copy.
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset, this.#length);
  }
}
