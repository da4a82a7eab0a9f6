import { PartitionLostError } from '../../errors/result-errors.ts';
import type { ExecutorId, ResultPartitionId } from '../../ids.ts';
import { fromPlainError } from '../../plain-error.ts';
import type { ResultPartition, SubpartitionView } from '../result-partition.ts';
import type { OwnerMessage, ReaderNumber, ReadingPort } from './exchange-messages.ts';
import { RemoteView } from './remote-view.ts';

export interface RemoteResultsOptions {
  /** Whether records that arrive are frozen, as the written ones were. */
  readonly freeze: boolean;
}

/** About how many bytes one reader, and all together, may hold ahead of their consumers. */
const aheadBytes = { each: 512 * 1_024, all: 64 * 1_024 * 1_024 } as const;

/** Credits of a new reader, while the size of its elements is unknown. */
const firstCredits = 2;

/** The results of other executors, read over a connection to the owner of each. */
export class RemoteResults {
  readonly #options: RemoteResultsOptions;
  readonly #owners = new Map<ExecutorId, RemoteOwner>();

  constructor(options: RemoteResultsOptions) {
    this.#options = options;
  }

  /** From now on the results of `owner` are read over `port`. */
  connect(owner: ExecutorId, port: ReadingPort): void {
    this.#owners.get(owner)?.close('another connection has replaced it');
    this.#owners.set(owner, new RemoteOwner(port, this.#options));
  }

  /** An owner is gone with its results: the open readers of its results fail at once. */
  lost(owner: ExecutorId, why: string): void {
    const lost = this.#owners.get(owner);
    this.#owners.delete(owner);
    lost?.close(`executor ${owner}, which held it, is lost (${why})`);
  }

  /** A result in another executor. If it is not registered there yet, its readers wait for it. */
  source(id: ResultPartitionId, owner: ExecutorId): Pick<ResultPartition, 'read'> {
    return {
      read: (subpartition, fromRecord = 0) => {
        const connection = this.#owners.get(owner);
        if (connection !== undefined) return connection.open(id, subpartition, fromRecord);
        throw new PartitionLostError(id, `there is no connection to executor ${owner}, which held it`);
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
  readonly #readers = new Map<ReaderNumber, { readonly id: ResultPartitionId; readonly view: RemoteView }>();
  #count = 0;

  constructor(port: ReadingPort, options: RemoteResultsOptions) {
    this.#port = port;
    this.#options = options;
    port.onMessage((message) => this.#receive(message));
  }

  open(id: ResultPartitionId, subpartition: number, fromRecord: number): SubpartitionView {
    const [port, readers, { freeze }] = [this.#port, this.#readers, this.#options];
    const reader = this.#count++;
    const tell = (type: 'reader.dismiss' | 'reader.leave') => (): void => {
      readers.delete(reader);
      port.post({ type, reader });
    };
    const host = {
      request: (credits: number) => port.post({ type: 'reader.request', reader, credits }),
      dismiss: tell('reader.dismiss'),
      leave: tell('reader.leave'),
      get aheadBytes() {
        return Math.min(aheadBytes.each, aheadBytes.all / readers.size);
      },
      freeze,
    };
    const view = new RemoteView(id, host, firstCredits);
    readers.set(reader, { id, view });
    port.post({ type: 'reader.open', reader, id, subpartition, fromRecord, credits: firstCredits });
    return view;
  }

  close(why: string): void {
    const readers = [...this.#readers.values()];
    this.#readers.clear();
    this.#port.close(why);
    for (const { id, view } of readers) view.lose(new PartitionLostError(id, why));
  }

  #receive(message: OwnerMessage): void {
    const known = this.#readers.get(message.reader);
    // Of a reader that is over.
    if (known === undefined) return;
    switch (message.type) {
      case 'reader.element':
        // RV3.
        if (message.element.kind === 'end') this.#readers.delete(message.reader);
        known.view.take(message.element);
        return;
      case 'reader.failed':
        this.#readers.delete(message.reader);
        known.view.lose(fromPlainError(message.cause));
    }
  }
}
