import type { ResultPartitionId } from '../../ids.ts';
import type { PlainError } from '../../plain-error.ts';
import type { LentFile } from '../storage/result-index.ts';
import type { Mark } from '../stream-element.ts';
import type { WireRecords } from './wire-records.ts';
import type { DataPort } from './data-port.ts';

/** Number of a reader among all that ever used its connection. */
export type ReaderNumber = number;

/** What a reader is to read. */
export interface ReaderPlace {
  readonly id: ResultPartitionId;
  readonly subpartition: number;
  /** The first record. */
  readonly fromRecord: number;
}

/** From the executor that reads to the owner of the results. */
export type ReaderMessage =
  /** Opens a reader, as `read` of a result does; it has so many credits. */
  | (ReaderPlace & { readonly type: 'reader.open'; readonly reader: ReaderNumber; readonly credits: number })
  | { readonly type: 'reader.request'; readonly reader: ReaderNumber; readonly credits: number }
  | { readonly type: 'reader.dismiss'; readonly reader: ReaderNumber }
  /** The reader has gone away and may come back as another one. */
  | { readonly type: 'reader.leave'; readonly reader: ReaderNumber };

/** An element on its way to another executor. */
export type WireElement = WireRecords | Mark | { readonly kind: 'end' };

/** From the owner of the results to the executor that reads. */
export type OwnerMessage =
  /** The reader is to read this file by itself, and the owner has no more to do with it. */
  | { readonly type: 'reader.file'; readonly reader: ReaderNumber; readonly file: LentFile }
  | { readonly type: 'reader.element'; readonly reader: ReaderNumber; readonly element: WireElement }
  /** The reader gets nothing more. */
  | { readonly type: 'reader.failed'; readonly reader: ReaderNumber; readonly cause: PlainError };

/** The end of the executor that reads. */
export type ReadingPort = DataPort<ReaderMessage, OwnerMessage>;

/** The end of the owner of the results. */
export type ServingPort = DataPort<OwnerMessage, ReaderMessage>;
