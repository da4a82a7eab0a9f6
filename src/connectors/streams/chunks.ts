import type { RuntimeContext } from '../../operators/runtime-context.ts';
import { isThenable, refusePromise } from '../../user-code.ts';
import { type RecordContext, recordContext } from '../record-position.ts';

/** Makes of a record what is written to a stream. */
export type ToChunk<In, Chunk = unknown> = (record: In, context: RecordContext) => Chunk;

/** The chunks that the stream of a subtask gets: what `toChunk` makes of the records, or the records. */
export class Chunks<In> {
  readonly #toChunk: ToChunk<In> | undefined;
  readonly #context: RecordContext;
  /** Number of records in the batches before the current one. */
  #before: number;
  #batchLength = 0;
  /** Index in the batch of the record that is with `toChunk`. */
  #index: number | undefined;

  /** @param from what `count` was at the checkpoint from which the subtask continues; undefined: from the start */
  constructor(toChunk: ToChunk<In> | undefined, context: RuntimeContext, from: unknown) {
    this.#toChunk = toChunk;
    this.#before = (from as number | undefined) ?? 0;
    this.#context = recordContext(context, () => this.#before + (this.#index ?? 0));
  }

  /** Number of records so far, since the start of the subtask's first attempt. */
  get count(): number {
    return this.#before + this.#batchLength;
  }

  /** The next batch begins. */
  begin(records: readonly In[]): void {
    this.#before += this.#batchLength;
    this.#batchLength = records.length;
  }

  /** @throws the error of `toChunk` */
  of(record: In, index: number): unknown {
    if (this.#toChunk === undefined) return record;
    this.#index = index;
    const chunk = this.#toChunk.call(undefined, record, this.#context);
    if (isThenable(chunk)) refusePromise('result of toChunk', chunk, 'a chunk');
    this.#index = undefined;
    return chunk;
  }

  /** Index of the record at which `toChunk` failed. */
  readonly failedAt = (): number | undefined => this.#index;
}
