import type { Subscription } from 'rxjs';
import { PartitionLostError, RecordNotSerializableError } from '../../errors/result-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import type { ExecutorId, ResultPartitionId } from '../../ids.ts';
import { toPlainError } from '../../plain-error.ts';
import type { ResultPartition, SubpartitionView } from '../result-partition.ts';
import type { LentFile } from '../storage/result-index.ts';
import type { StreamElement } from '../stream-element.ts';
import type { ReaderMessage, ReaderNumber, ReaderPlace, ServingPort } from './exchange-messages.ts';
import { isLendable } from './borrowed-result.ts';
import { buffersOf, WireEncoder } from './wire-records.ts';

/** The results of an executor, as its peers need them. */
export interface ServedResults {
  /** The readable result; undefined before it is registered and once it is gone. */
  find(id: ResultPartitionId): Pick<ResultPartition, 'read'> | undefined;
  readonly arrivals: {
    /** Whether a result is still to be registered. */
    isToCome(id: ResultPartitionId): boolean;
    /** Settles when it is registered, or a later attempt's; rejects if the signal is aborted first. */
    until(id: ResultPartitionId, signal: AbortSignal): Promise<void>;
  };
}

/** Serves the results of one executor to the others, each over a connection of its own. */
export class ResultServer {
  readonly #results: ServedResults;
  readonly #peers = new Map<ExecutorId, ServedPeer>();

  constructor(results: ServedResults) {
    this.#results = results;
  }

  /** From now on `reader` reads over `port`. */
  serve(reader: ExecutorId, port: ServingPort): void {
    this.#peers.get(reader)?.close('another connection has replaced it');
    this.#peers.set(reader, new ServedPeer(port, this.#results));
  }

  /** A peer is gone: its readers have gone away, and need what they have not read. */
  lost(reader: ExecutorId): void {
    this.#peers.get(reader)?.close('the reader is lost');
    this.#peers.delete(reader);
  }

  /** Ends all connections. */
  close(): void {
    for (const reader of [...this.#peers.keys()]) this.lost(reader);
  }
}

/** The readers of one peer. */
class ServedPeer {
  readonly #port: ServingPort;
  readonly #results: ServedResults;
  readonly #readers = new Map<ReaderNumber, ServedReader>();

  constructor(port: ServingPort, results: ServedResults) {
    this.#port = port;
    this.#results = results;
    port.onMessage((message) => this.#receive(message));
  }

  close(why: string): void {
    const readers = [...this.#readers.values()];
    this.#readers.clear();
    this.#port.close(why);
    for (const reader of readers) reader.leave();
  }

  #receive(message: ReaderMessage): void {
    if (message.type === 'reader.open') {
      this.#open(message);
      return;
    }
    const reader = this.#readers.get(message.reader);
    // It has failed, or has read everything.
    if (reader === undefined) return;
    if (message.type === 'reader.request') {
      reader.request(message.credits);
      return;
    }
    this.#readers.delete(message.reader);
    if (message.type === 'reader.dismiss') reader.dismiss();
    else reader.leave();
  }

  #open({ reader: number, credits, ...place }: Extract<ReaderMessage, { type: 'reader.open' }>): void {
    const port = this.#port;
    const encoder = new WireEncoder();
    const reader = new ServedReader({
      emit: (element) => {
        if (element.kind === 'records') {
          const records = encoder.encode(element.records);
          port.post({ type: 'reader.element', reader: number, element: records }, buffersOf(records));
          return;
        }
        if (element.kind === 'end') this.#readers.delete(number);
        port.post({ type: 'reader.element', reader: number, element });
      },
      lend: (file) => {
        this.#readers.delete(number);
        port.post({ type: 'reader.file', reader: number, file });
      },
      fail: (error) => {
        this.#readers.delete(number);
        port.post({ type: 'reader.failed', reader: number, cause: toPlainError(error) });
      },
    });
    this.#readers.set(number, reader);
    reader.request(credits);
    reader.open(place, this.#results);
  }
}

/** Where the elements of a reader go. */
interface ReaderTarget {
  /** It is to read this file by itself. */
  lend(file: LentFile): void;
  /** @throws RecordNotSerializableError */
  emit(element: StreamElement): void;
  fail(error: Error): void;
}

/** A reader in another executor, on this side: waits for the result, reads it, and sends what it gets. */
class ServedReader {
  readonly #target: ReaderTarget;
  readonly #gone = new AbortController();
  #view: SubpartitionView | undefined;
  #subscription: Subscription | undefined;
  /** Granted before the result was there. */
  #credits = 0;
  #isDismissed = false;

  constructor(target: ReaderTarget) {
    this.#target = target;
  }

  open(place: ReaderPlace, results: ServedResults): void {
    const { id } = place;
    const begin = (): void => {
      const source = results.find(id);
      if (source !== undefined) this.#begin(source, place);
      else this.#target.fail(new PartitionLostError(id, 'it is no longer available'));
    };
    const isThere = results.find(id) !== undefined || !results.arrivals.isToCome(id);
    if (isThere) begin();
    // It rejects only because the reader has gone.
    else results.arrivals.until(id, this.#gone.signal).then(begin, () => {});
  }

  request(credits: number): void {
    if (this.#view === undefined) this.#credits += credits;
    else this.#view.request(credits);
  }

  /** One that waits stays until the result is there, which is to know that its reader needs nothing of it. */
  dismiss(): void {
    this.#isDismissed = true;
    this.#view?.dismiss();
    this.#subscription?.unsubscribe();
  }

  leave(): void {
    this.#gone.abort();
    this.#subscription?.unsubscribe();
  }

  #begin(source: Pick<ResultPartition, 'read'>, { subpartition, fromRecord }: ReaderPlace): void {
    if (this.#gone.signal.aborted) return;
    try {
      // A complete result that nobody needs stays as it is, so the end of such a reader makes no difference.
      const file = isLendable(source) ? source.lend(subpartition) : undefined;
      if (file !== undefined) this.#target.lend(file);
      else this.#read(source.read(subpartition, fromRecord));
    } catch (error) {
      this.#target.fail(toError(error));
    }
  }

  #read(view: SubpartitionView): void {
    this.#view = view;
    if (this.#isDismissed) {
      view.dismiss();
      return;
    }
    this.#subscription = view.elements$.subscribe({
      next: (element) => this.#emit(element),
      error: (error: unknown) => this.#target.fail(toError(error)),
    });
    view.request(this.#credits);
  }

  #emit(element: StreamElement): void {
    try {
      this.#target.emit(element);
    } catch (error) {
      const { path, found } = error as RecordNotSerializableError;
      const isForeign = error instanceof RecordNotSerializableError;
      this.#target.fail(isForeign ? new RecordNotSerializableError(path, found, 'sent') : toError(error));
      this.leave();
    }
  }
}
