import type { Clock, Logger } from '../../environment.ts';
import { JournalAccessError } from '../../errors/journal-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { JournalStorage } from '../../journal/journal-storage.ts';
import { encodeOwner, ownerOf } from '../../partitions/claims/owner-note.ts';
import type { ProcessTable } from '../../partitions/claims/process-table.ts';
import type { Answers, ArrivedAnswer, BeginningCall, FoundAnswer } from './answers.ts';
import { rewriteSegments, wastefulSegments } from './files/answer-compaction.ts';
import { AnswerFiles, freeSegmentName, segmentTime } from './files/answer-files.ts';
import type { AnswerOrigin, NewAnswer } from './files/answer-record.ts';
import { AnswerWriter, type WrittenAnswer } from './files/answer-writer.ts';
import type { CallHash } from './files/call-hash.ts';

/** The largest file, and the smallest limit for one. */
const largestSegmentBytes = 1 << 28;
const leastSegmentBytes = 1 << 16;

/** How often answers of other runs are looked for. */
const refreshMs = 1_000;

/** How long an answer may wait for its sync. */
const syncDelayMs = 50;

export interface AnswerStoreOptions {
  readonly storage: JournalStorage;
  readonly processes: ProcessTable;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Unique among the writers of the directory. */
  readonly writer: string;
  /** The oldest answers are dropped past this. */
  readonly maxBytes: number;
  readonly ttlMsOf: (origin: AnswerOrigin) => number;
}

/** The file that a store writes to, and its number among the files. */
interface OwnFile {
  readonly writer: AnswerWriter;
  readonly segment: number;
}

/** Where answers were written, or why they were not. */
type Written =
  | { readonly segment: number; readonly places: readonly WrittenAnswer[]; readonly error?: undefined }
  | { readonly error: Error; readonly segment?: undefined; readonly places?: undefined };

/**
 * The answers in one directory, for one run, which may not be the only one that uses it.
 *
 * Invariants:
 * - AS1 When `remember` returns, or `rememberSoon` tells, the operating system has the answer.
 * - AS2 What was written is synced within 50 ms, and when the store closes.
 * - AS3 It writes to files of its own alone, and deletes only files that grow no more.
 * - AS4 An answer that is damaged, too old or dropped is not found; it is never a wrong one.
 * - AS5 A call is made once the operating system knows that it is about to be made, so that after the process has died the
 *   next one knows all calls that may be paid again.
 * - AS6 Answers that arrive in one turn of the event loop are written at its end, with one write, which also marks the calls
 *   that are to begin. They begin right after it, and before anybody hears the answers.
 */
export class AnswerStore implements Answers {
  readonly openedMs: number;
  readonly #options: AnswerStoreOptions;
  readonly #files: AnswerFiles;
  readonly #segmentBytes: number;
  #writer: OwnFile | undefined;
  /** AS6: answers that are not written yet. */
  #arrived: ArrivedAnswer[] = [];
  #answers: NewAnswer[] = [];
  /** Calls that wait for their mark, which all of them get with one write. */
  #beginning: BeginningCall[] = [];
  #begun: CallHash[] = [];
  /** Calls that ended without an answer. Their marks wait for another write. */
  #ended: CallHash[] = [];
  /** Files that it has begun. */
  #writers = 0;
  #refreshedMs: number;
  #syncTimer: unknown;
  /** Whether something waits for the end of the turn. */
  #isTurnEnding = false;
  #isClosed = false;

  private constructor(options: AnswerStoreOptions) {
    const { storage, processes, clock, logger, maxBytes, ttlMsOf } = options;
    this.#options = options;
    this.openedMs = clock.epochMs();
    this.#segmentBytes = Math.min(largestSegmentBytes, Math.max(leastSegmentBytes, maxBytes / 4));
    this.#refreshedMs = clock.now();
    this.#files = new AnswerFiles({
      storage,
      processes,
      isExpired: (origin, atMs) => {
        const ttlMs = origin === undefined ? Number.POSITIVE_INFINITY : ttlMsOf(origin);
        return ttlMs !== Number.POSITIVE_INFINITY && clock.epochMs() - atMs > ttlMs;
      },
      lost: ({ file, offset, end, problem }) =>
        logger.warn(
          `Remembered answers are damaged: ${problem} (${file}, bytes ${offset} to ${end}); they are paid again`,
        ),
    });
  }

  /** Reads what is in the directory, and tidies it up. @throws JournalFormatError, JournalAccessError */
  static async open(options: AnswerStoreOptions): Promise<AnswerStore> {
    const store = new AnswerStore(options);
    const turn = (): Promise<void> => new Promise((resolve) => options.clock.setImmediate(resolve));
    try {
      for (const _ of store.#files.scanNew()) await turn();
      await store.#tidyUp(turn);
    } catch (error) {
      store.#files.close();
      throw journalError(options.storage, error);
    }
    return store;
  }

  /** Number of calls with an answer. */
  get count(): number {
    return this.#files.indexed;
  }

  /** Bytes of memory that the index takes. */
  get indexBytes(): number {
    return this.#files.indexBytes;
  }

  find(hash: CallHash): FoundAnswer | undefined {
    return this.#files.find(hash) ?? (this.#refresh() ? this.#files.find(hash) : undefined);
  }

  /** Whether there may be an answer of a call; {@link find} may find none. */
  mayKnow(hash: CallHash): boolean {
    return this.#files.has(hash) || (this.#refresh() && this.#files.has(hash));
  }

  /** Grows whenever an answer is added or replaced. */
  get changes(): number {
    return this.#files.changes;
  }

  /** AS1. @throws JournalAccessError, such as on a full disk; IllegalStateError after `close` */
  remember(answer: NewAnswer): void {
    const written = this.#write([answer], []);
    if (written.error !== undefined) throw written.error;
    this.#noteWritten([answer], written);
  }

  /** AS1, AS6: it hears at the end of this turn that it is written. */
  rememberSoon(answer: ArrivedAnswer): void {
    this.#arrived.push(answer);
    this.#answers.push(answer.answer);
    this.#expectEndOfTurn();
  }

  /** AS5: it begins at the end of this turn. After an error, as on a full disk, it must not be made. */
  begin(call: BeginningCall): void {
    this.#beginning.push(call);
    this.#begun.push(call.identity);
    this.#expectEndOfTurn();
  }

  ended(hash: CallHash): void {
    if (this.#isClosed) return;
    this.#ended.push(hash);
    this.#syncSoon();
  }

  /** Its mark stays without an end. */
  abandoned(): void {}

  takeLost(hash: CallHash): boolean {
    return this.#files.takeLost(hash);
  }

  /** Syncs what was written, and closes all files. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#options.clock.clearTimeout(this.#syncTimer);
    const writer = this.#writer?.writer;
    this.#writer = undefined;
    try {
      writer?.append([], [{ kind: 'ended', hashes: this.#ended }]);
      writer?.end();
      await writer?.sync();
    } catch (error) {
      this.#warn(error);
    }
    await writer?.close();
    this.#files.close();
  }

  #expectEndOfTurn(): void {
    if (this.#isTurnEnding) return;
    this.#isTurnEnding = true;
    this.#options.clock.setImmediate(() => this.#endTurn());
  }

  /** AS6. */
  #endTurn(): void {
    const [arrived, answers, beginning, begun] = [this.#arrived, this.#answers, this.#beginning, this.#begun];
    this.#arrived = [];
    this.#answers = [];
    this.#beginning = [];
    this.#begun = [];
    this.#isTurnEnding = false;
    const written = this.#write(answers, begun);
    for (const call of beginning) call.begin(written.error);
    this.#noteWritten(answers, written);
    for (const answer of arrived) answer.written(written.error);
  }

  /** One write for answers, calls that begin, and those that have ended since the last one. */
  #write(answers: readonly NewAnswer[], begun: readonly CallHash[]): Written {
    if (this.#isClosed) return { error: new IllegalStateError('The run is over, and remembers no more answers') };
    try {
      const { writer, segment } = (this.#writer ??= this.#newWriter());
      const places = writer.append(answers, [
        { kind: 'ended', hashes: this.#ended },
        { kind: 'begun', hashes: begun },
      ]);
      this.#ended = [];
      this.#syncSoon();
      return { segment, places };
    } catch (error) {
      // What is written next goes to another file.
      this.#dropWriter();
      return { error: toError(error) };
    }
  }

  /** From now on, these answers are found. */
  #noteWritten(answers: readonly NewAnswer[], { segment, places = [] }: Written): void {
    for (let index = 0; index < places.length; index++) {
      const { offset, length } = places[index] as WrittenAnswer;
      this.#files.set((answers[index] as NewAnswer).identity, segment as number, offset, length);
    }
    if (this.#writer !== undefined && this.#writer.writer.size >= this.#segmentBytes) this.#rotate();
  }

  /** AS2. */
  #syncSoon(): void {
    this.#syncTimer ??= this.#options.clock.setTimeout(() => this.#sync(), syncDelayMs);
  }

  #sync(): void {
    this.#syncTimer = undefined;
    const failed = (error: unknown): void => {
      this.#warn(error);
      this.#dropWriter();
    };
    if (this.#ended.length > 0) {
      const { error } = this.#write([], []);
      if (error !== undefined) this.#warn(error);
    }
    this.#writer?.writer.sync().catch(failed);
  }

  /** A full file is followed by a new one. */
  #rotate(): void {
    const { writer, segment } = this.#writer as OwnFile;
    this.#writer = undefined;
    writer.end();
    this.#files.endOwn(segment);
    void writer
      .sync()
      .catch((error: unknown) => this.#warn(error))
      .then(() => writer.close());
    this.#dropOldest();
  }

  /** After a failure, the next answers go to another file. */
  #dropWriter(): void {
    const writer = this.#writer?.writer;
    this.#writer = undefined;
    void writer?.close();
  }

  #newWriter(): OwnFile {
    const writer = this.#create(this.#options.clock.epochMs());
    return { writer, segment: this.#files.addOwn(writer.name) };
  }

  #create(atMs: number): AnswerWriter {
    const { storage, processes, writer } = this.#options;
    // AS3.
    const name = freeSegmentName(storage, atMs, `${writer}-${processes.pid}`, this.#writers++);
    try {
      return new AnswerWriter(storage, name, encodeOwner(ownerOf(processes)));
    } catch (error) {
      storage.remove(name);
      throw error;
    }
  }

  async #tidyUp(turn: () => Promise<void>): Promise<void> {
    this.#dropOldest();
    const segments = wastefulSegments(this.#files, this.#segmentBytes / 4);
    const newest = segments.at(-1);
    if (newest === undefined) return;
    const create = (): AnswerWriter => this.#create(segmentTime(newest.name));
    for await (const _ of rewriteSegments(this.#files, segments, create)) await turn();
  }

  #dropOldest(): void {
    const { segments } = this.#files;
    let bytes = segments.reduce((sum, segment) => sum + segment.size(), 0);
    for (const segment of segments) {
      if (bytes <= this.#options.maxBytes) return;
      if (!this.#files.isFinished(segment)) continue;
      bytes -= segment.size();
      this.#files.remove(segment);
    }
  }

  /** Looks for answers of other runs, now and then. */
  #refresh(): boolean {
    const nowMs = this.#options.clock.now();
    if (nowMs - this.#refreshedMs < refreshMs) return false;
    this.#refreshedMs = nowMs;
    try {
      for (const _ of this.#files.scanNew());
    } catch (error) {
      // Files of a newer version, or a directory that cannot be read for now: what is known is still good.
      this.#warn(error);
    }
    return true;
  }

  #warn(error: unknown): void {
    this.#options.logger.warn(`Remembered answers: ${toError(error).message}`);
  }
}

function journalError(storage: JournalStorage, error: unknown): Error {
  const { code } = error as { readonly code?: unknown };
  const isOurs = code === 'JOURNAL_FORMAT' || code === 'JOURNAL_ACCESS';
  return isOurs ? (error as Error) : new JournalAccessError(storage.pathOf(''), 'read', error);
}
