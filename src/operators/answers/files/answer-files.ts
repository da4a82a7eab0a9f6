import { recordBytes } from '../../../journal/journal-log.ts';
import type { JournalStorage } from '../../../journal/journal-storage.ts';
import type { LogLoss } from '../../../journal/log-scan.ts';
import type { ProcessTable } from '../../../partitions/claims/process-table.ts';
import { AnswerIndex } from './answer-index.ts';
import type { AnswerEntry, AnswerOrigin, CallMarks } from './answer-record.ts';
import type { CallHash } from './call-hash.ts';
import { type FoundAnswer, isAnswerTo } from './found-answer.ts';
import { AnswerSegment, type ScanListener, type ScannedAnswer } from './answer-segment.ts';
import { UnansweredCalls } from './unanswered-calls.ts';

/** The end of the name of a file with answers. */
const suffix = '.answers';

/** Records scanned before others get their turn. */
const recordsPerTurn = 2_048;

/** A live answer: one that no later one of the same call replaces. */
export interface LiveAnswer extends ScannedAnswer {
  readonly segment: AnswerSegment;
  readonly origin: AnswerOrigin | undefined;
}

/** Makes what hears of a file's contents, by its number. */
type ListenerOf = (segment: AnswerSegment, number: number) => ScanListener;

/** What the files of a directory are read with. */
export interface AnswerFilesOptions {
  readonly storage: JournalStorage;
  readonly processes: ProcessTable;
  /** Whether an answer of this origin and time is too old to be used. */
  readonly isExpired: (origin: AnswerOrigin | undefined, atMs: number) => boolean;
  /** Hears of damaged records, each once. */
  readonly lost: (loss: LogLoss) => void;
}

/**
 * The files of a directory with answers, for reading: an index in memory says where each answer lies; the answers stay
 * on disk. Each file has one writer, which may be in another process; a later file's answer to the same call replaces
 * an earlier one's.
 */
export class AnswerFiles {
  readonly #options: AnswerFilesOptions;
  readonly #index = new AnswerIndex((segment) => this.#segments[segment] === undefined);
  /** By number; undefined for those that were removed. */
  readonly #segments: (AnswerSegment | undefined)[] = [];
  readonly #numberByName = new Map<string, number>();
  /** Numbers of the files whose writer tells what is in them. */
  readonly #own = new Set<number>();
  /** Calls in the files of others. */
  readonly #unanswered = new UnansweredCalls();
  /** By number: bytes of live answers. */
  readonly #liveBytes: number[] = [];
  #changes = 0;

  constructor(options: AnswerFilesOptions) {
    this.#options = options;
  }

  /** The files, oldest first. */
  get segments(): readonly AnswerSegment[] {
    return this.#segments
      .filter((segment) => segment !== undefined)
      .sort(({ name: one }, { name: other }) => (one < other ? -1 : 1));
  }

  /** Number of calls with an answer, some of dropped files included. */
  get indexed(): number {
    return this.#index.count;
  }

  /** Grows whenever an answer is added or replaced. */
  get changes(): number {
    return this.#changes;
  }

  /** Bytes of memory that the index takes. */
  get indexBytes(): number {
    return this.#index.bytes;
  }

  /** Bytes of the live answers of a file. */
  liveBytesOf({ name }: AnswerSegment): number {
    return this.#liveBytes[this.#numberByName.get(name) as number] as number;
  }

  /** Whether a file certainly grows no more. */
  isFinished(segment: AnswerSegment): boolean {
    return segment.isFinished(this.#options.processes);
  }

  /** Reads what is new in the directory; yields now and then, so that others get their turn. */
  scanNew(): Generator<undefined> {
    return this.#scan((segment, number) => this.#listener(segment, number));
  }

  /** Reads what is new in the directory, and syncs it before it is found. */
  async scanSynced(): Promise<void> {
    const names = new Set<string>();
    const found: (() => void)[] = [];
    const scan = this.#scan((segment, number) => {
      const listener = this.#listener(segment, number);
      const later = (take: () => void): void => {
        names.add(segment.name);
        found.push(take);
      };
      return {
        answered: (...answer) => later(() => listener.answered(...answer)),
        marked: (marks) => later(() => listener.marked(marks)),
        damaged: (bytes) => later(() => listener.damaged(bytes)),
      };
    });
    for (const _ of scan);
    await this.sync(names);
    for (const take of found) take();
  }

  /** Settles when what was read of these files survives a power loss, whoever wrote it. */
  async sync(names: Iterable<string> = this.#numberByName.keys()): Promise<void> {
    const { storage } = this.#options;
    const syncs = Array.from(names, (name) => storage.syncFile(name));
    if (syncs.length > 0) await Promise.all([...syncs, storage.syncDirectory()]);
  }

  *#scan(listenerOf: ListenerOf): Generator<undefined> {
    while (yield* this.#scanListed(listenerOf));
  }

  /** Returns whether a file was gone: another run may have written its answers anew, to a file that was not listed yet. */
  *#scanListed(listenerOf: ListenerOf): Generator<undefined, boolean> {
    let isGone = false;
    const names = this.#options.storage.list().filter((name) => name.endsWith(suffix));
    for (const name of names.sort()) {
      const number = this.#numberByName.get(name) ?? this.#add(name);
      if (number === undefined) {
        isGone = true;
        continue;
      }
      const segment = this.#segments[number];
      if (segment === undefined || this.#own.has(number)) continue;
      const listener = listenerOf(segment, number);
      const before = this.#index.count;
      for (let turn = 0; segment.scanNew(listener, recordsPerTurn); turn++) {
        if (turn === 0) this.#expectMore(this.#index.count - before, segment);
        yield;
      }
    }
    return isGone;
  }

  /** The rest of a file is likely to be as its beginning. */
  #expectMore(answers: number, segment: AnswerSegment): void {
    const { scanned, left } = segment.progress;
    this.#index.expect(Math.ceil((answers * left) / scanned));
  }

  #listener(segment: AnswerSegment, number: number): ScanListener {
    return {
      answered: (entry, offset, length) => this.#take(segment, number, entry, offset, length),
      marked: (marks) => this.#mark(number, marks),
      damaged: (bytes) => this.#unanswered.namedAgain(bytes, number),
    };
  }

  /** Adds a file whose writer tells where its answers lie: it is not scanned. Returns its number. */
  addOwn(name: string): number {
    const number = this.#add(name) as number;
    this.#own.add(number);
    return number;
  }

  /** Its writer appends no more to it. */
  endOwn(number: number): void {
    this.#segments[number]?.end();
  }

  /** Notes where the answer of a call lies now. */
  set(hash: CallHash, segment: number, offset: number, length: number): void {
    this.#changes++;
    const before = this.#index.set(hash, segment, offset, length);
    if (before !== undefined) (this.#liveBytes[before.segment] as number) -= recordBytes(before.length);
    (this.#liveBytes[segment] as number) += recordBytes(length);
  }

  /** Whether the index names a place for the answer of a call. */
  has(hash: CallHash): boolean {
    return this.#index.has(hash);
  }

  /** The answer of a call, however old; undefined if there is none that can be read. */
  find(hash: CallHash): FoundAnswer | undefined {
    const place = this.#index.find(hash);
    const found = place && this.#segments[place.segment]?.find(place.offset, place.length);
    return found !== undefined && isAnswerTo(found, hash) ? found : undefined;
  }

  /** Whether a call was in flight when its process died, or at the end of its run; true once per call. */
  takeLost(hash: CallHash): boolean {
    const begunIn = this.#unanswered.segmentsOf(hash);
    if (begunIn.length === 0) return false;
    const lost = begunIn.filter((number) => {
      const segment = this.#segments[number];
      // A file that was removed grew no more.
      return segment === undefined || this.isFinished(segment);
    });
    for (const number of lost) this.#unanswered.ended(hash, number);
    return lost.length > 0;
  }

  /** The calls of some files that never ended. */
  unansweredIn(segments: readonly AnswerSegment[]): CallHash[] {
    return [...this.#unanswered.of(new Set(segments.map(({ name }) => this.#numberByName.get(name) as number)))];
  }

  /** Notes in which file such a call is named now. */
  setUnanswered(hash: CallHash, segment: number): void {
    this.#unanswered.begun(hash, segment);
  }

  /** The live answers of some files, in the order of the files. */
  *live(segments: readonly AnswerSegment[] = this.segments): Generator<LiveAnswer> {
    for (const segment of segments) {
      const number = this.#numberByName.get(segment.name);
      for (const answer of segment.answers()) {
        const place = this.#index.find(answer.head.hash);
        if (place?.segment !== number || place?.offset !== answer.offset) continue;
        const origin = segment.originOf(answer.head);
        if (!this.#options.isExpired(origin, answer.head.atMs)) yield { ...answer, segment, origin };
      }
    }
  }

  /** Deletes a file. Its answers are gone, but for those that were written elsewhere. */
  remove(segment: AnswerSegment): void {
    this.#options.storage.remove(segment.name);
    this.#segments[this.#numberByName.get(segment.name) as number] = undefined;
    segment.close();
  }

  close(): void {
    for (const segment of this.#segments) segment?.close();
  }

  #take(segment: AnswerSegment, number: number, entry: AnswerEntry, offset: number, length: number): void {
    this.#unanswered.answered(entry.hash);
    if (this.#options.isExpired(segment.originOf(entry), entry.atMs)) return;
    this.set(entry.hash, number, offset, length);
  }

  #mark(number: number, { kind, hashes }: CallMarks): void {
    for (const hash of hashes) {
      if (kind === 'begun') this.#unanswered.begun(hash, number);
      else this.#unanswered.ended(hash, number);
    }
  }

  /** Adds a file that is not scanned yet; undefined if it is gone. */
  #add(name: string): number | undefined {
    const file = this.#options.storage.openToRead(name);
    if (file === undefined) return undefined;
    const number = this.#segments.push(new AnswerSegment(name, file, this.#options.lost)) - 1;
    this.#numberByName.set(name, number);
    this.#liveBytes.push(0);
    return number;
  }
}

/**
 * A name for the `number`th file of a writer, or a later one: such a file does not exist. Ids of runs may be drawn from
 * equal seeds. Names are in the order of their times, and those of one writer in that of their numbers.
 */
export function freeSegmentName(storage: JournalStorage, atMs: number, writer: string, number = 0): string {
  const taken = new Set(storage.list());
  for (let next = number; ; next++) {
    const name = `${timeIn(atMs)}-${writer}-${String(next).padStart(6, '0')}${suffix}`;
    if (!taken.has(name)) return name;
  }
}

/** The time in the name of a file. */
export function segmentTime(name: string): number {
  return Number.parseInt(name, 36);
}

function timeIn(atMs: number): string {
  return Math.max(0, Math.floor(atMs)).toString(36).padStart(9, '0');
}
