import type { Subscription } from 'rxjs';
import { PartitionLostError } from '../../errors/result-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { fromPlainError } from '../../plain-error.ts';
import type { SubpartitionView } from '../result-partition.ts';
import type { FilePool } from '../storage/file-pool.ts';
import type { LentFile } from '../storage/result-index.ts';
import type { StreamElement } from '../stream-element.ts';
import { BorrowedResult } from './borrowed-result.ts';
import type { OwnerMessage, ReaderMessage, ReaderNumber, ReaderPlace, WireElement } from './exchange-messages.ts';
import { type ReaderHost, RemoteView } from './remote-view.ts';

/** Credits of a new reader, while the size of its elements is unknown. */
const firstCredits = 2;

/** A message of one reader. */
type Told<Message> = Message extends { readonly reader: ReaderNumber } ? Omit<Message, 'reader'> : never;

/** A reader's way to the owner. */
export interface ReaderLine {
  post(message: Told<ReaderMessage>): void;
  /** It needs the owner no more. */
  over(): void;
  readonly aheadBytes: number;
}

/** One reader: its view, fed by the owner, or by the file that the owner has lent. */
export class RemoteReader implements ReaderHost {
  readonly view: RemoteView;
  readonly freeze: boolean;
  readonly #place: ReaderPlace;
  readonly #line: ReaderLine;
  /** Credits granted so far. */
  #granted = firstCredits;
  #borrowed:
    | { readonly result: BorrowedResult; readonly view: SubpartitionView; subscription?: Subscription }
    | undefined;

  constructor(place: ReaderPlace, freeze: boolean, line: ReaderLine) {
    this.#place = place;
    this.freeze = freeze;
    this.#line = line;
    this.view = new RemoteView(place.id, this, firstCredits);
  }

  get aheadBytes(): number {
    return this.#line.aheadBytes;
  }

  open(): void {
    this.#line.post({ type: 'reader.open', ...this.#place, credits: this.#granted });
  }

  request(credits: number): void {
    this.#granted += credits;
    if (this.#borrowed === undefined) this.#line.post({ type: 'reader.request', credits });
    else this.#borrowed.view.request(credits);
  }

  dismiss(): void {
    this.#end('reader.dismiss');
  }

  leave(): void {
    this.#end('reader.leave');
  }

  receive(message: OwnerMessage, files: FilePool): void {
    switch (message.type) {
      case 'reader.element':
        this.#take(message.element);
        return;
      case 'reader.file':
        this.#borrow(message.file, files);
        return;
      case 'reader.failed':
        this.#fail(fromPlainError(message.cause));
    }
  }

  /** RV3. */
  lose(why: string, cause: Error | undefined): void {
    this.#close();
    this.view.lose(new PartitionLostError(this.#place.id, why, { cause }));
  }

  #take(element: WireElement | StreamElement): void {
    // RV3.
    if (element.kind === 'end') this.#line.over();
    this.view.take(element);
  }

  #fail(error: Error): void {
    this.#line.over();
    this.#close();
    this.view.lose(error);
  }

  #borrow(file: LentFile, files: FilePool): void {
    const { id, subpartition, fromRecord } = this.#place;
    const result = new BorrowedResult(id, file, files, this.freeze);
    try {
      const view = result.read(subpartition, fromRecord);
      this.#borrowed = { result, view };
      this.#borrowed.subscription = view.elements$.subscribe({
        next: (element) => this.#take(element),
        error: (error: unknown) => this.#fail(toError(error)),
        complete: () => this.#close(),
      });
      view.request(this.#granted);
    } catch (error) {
      this.#fail(toError(error));
    }
  }

  #end(type: 'reader.dismiss' | 'reader.leave'): void {
    this.#line.over();
    if (this.#borrowed === undefined) this.#line.post({ type });
    this.#close();
  }

  #close(): void {
    this.#borrowed?.subscription?.unsubscribe();
    this.#borrowed?.result.close();
  }
}
