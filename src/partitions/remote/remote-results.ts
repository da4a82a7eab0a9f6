import { ExecutorLostError } from '../../errors/executor-errors.ts';
import { PartitionLostError } from '../../errors/result-errors.ts';
import type { ExecutorId, ResultPartitionId } from '../../ids.ts';
import type { ResultPartition, SubpartitionView } from '../result-partition.ts';
import { FilePool } from '../storage/file-pool.ts';
import type { OwnerMessage, ReaderNumber, ReadingPort } from './exchange-messages.ts';
import { RemoteReader } from './remote-reader.ts';

export interface RemoteResultsOptions {
  /** Whether records that arrive are frozen, as the written ones were. */
  readonly freeze: boolean;
}

/** About how many bytes one reader, and all together, may hold ahead of their consumers. */
const aheadBytes = { each: 1_024 * 1_024, all: 64 * 1_024 * 1_024 } as const;

/** The results of other executors, read over a connection to the owner of each. */
export class RemoteResults {
  readonly #options: RemoteResultsOptions;
  readonly #owners = new Map<ExecutorId, RemoteOwner>();
  /** Of the files that owners have lent. */
  readonly #files = new FilePool();

  constructor(options: RemoteResultsOptions) {
    this.#options = options;
  }

  /** From now on the results of `owner` are read over `port`. */
  connect(owner: ExecutorId, port: ReadingPort): void {
    this.#owners.get(owner)?.close('another connection has replaced it');
    this.#owners.set(owner, new RemoteOwner(port, this.#options, this.#files));
  }

  /** An owner is gone with its results: the open readers of its results fail at once. */
  lost(owner: ExecutorId, why: string): void {
    const lost = this.#owners.get(owner);
    this.#owners.delete(owner);
    lost?.close(`executor ${owner}, which held it, is lost (${why})`, new ExecutorLostError(owner, why));
  }

  /** A result in another executor. If it is not registered there yet, its readers wait for it. */
  source(id: ResultPartitionId, owner: ExecutorId): Pick<ResultPartition, 'read'> {
    return {
      read: (subpartition, fromRecord = 0) => {
        const connection = this.#owners.get(owner);
        if (connection !== undefined) return connection.open(id, subpartition, fromRecord);
        const cause = new ExecutorLostError(owner, 'there is no connection to it');
        throw new PartitionLostError(id, `there is no connection to executor ${owner}, which held it`, { cause });
      },
    };
  }

  /** Ends all connections. Open readers fail. */
  close(): void {
    for (const owner of [...this.#owners.keys()]) this.lost(owner, 'this executor has stopped');
  }
}

/** The connection to one owner, and the readers of its results. */
class RemoteOwner {
  readonly #port: ReadingPort;
  readonly #options: RemoteResultsOptions;
  readonly #files: FilePool;
  readonly #readers = new Map<ReaderNumber, RemoteReader>();
  #count = 0;

  constructor(port: ReadingPort, options: RemoteResultsOptions, files: FilePool) {
    this.#port = port;
    this.#options = options;
    this.#files = files;
    port.onMessage((message) => this.#receive(message));
  }

  open(id: ResultPartitionId, subpartition: number, fromRecord: number): SubpartitionView {
    const number = this.#count++;
    const readers = this.#readers;
    const reader = new RemoteReader({ id, subpartition, fromRecord }, this.#options.freeze, {
      post: (message) => this.#port.post({ ...message, reader: number }),
      over: () => readers.delete(number),
      get aheadBytes() {
        return Math.min(aheadBytes.each, aheadBytes.all / readers.size);
      },
    });
    readers.set(number, reader);
    reader.open();
    return reader.view;
  }

  /** @param cause the loss of the owner, if that is why */
  close(why: string, cause?: ExecutorLostError): void {
    const readers = [...this.#readers.values()];
    this.#readers.clear();
    this.#port.close(why);
    for (const reader of readers) reader.lose(why, cause);
  }

  #receive(message: OwnerMessage): void {
    // Otherwise its reader is over.
    this.#readers.get(message.reader)?.receive(message, this.#files);
  }
}
