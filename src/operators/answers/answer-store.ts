import type { Clock, Logger } from '../../environment.ts';
import { JournalAccessError } from '../../errors/journal-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { JournalStorage } from '../../journal/journal-storage.ts';
import { encodeOwner, ownerOf } from '../../partitions/claims/owner-note.ts';
import type { ProcessTable } from '../../partitions/claims/process-table.ts';
import { rewriteSegments, wastefulSegments } from './answer-compaction.ts';
import { AnswerFiles, freeSegmentName, segmentTime } from './answer-files.ts';
import type { AnswerHead, AnswerOrigin } from './answer-record.ts';
import { AnswerWriter, type NewAnswer } from './answer-writer.ts';

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

/** A call that is about to be made. */
interface BeginningCall {
  readonly hash: Uint8Array;
  /** Makes it; with an error, it must not be made. */
  readonly begin: (error?: Error) => void;
}

/** An answer that is not written yet, and who hears when it is. */
interface ArrivedAnswer {
  readonly answer: NewAnswer;
  readonly done: (error: Error | undefined) => void;
}

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
 * - AS6 Answers that arrive in one turn of the event loop are written at its end, with one write.
 */
export class AnswerStore {
  readonly #options: AnswerStoreOptions;
  readonly #files: AnswerFiles;
  readonly #segmentBytes: number;
  #writer: OwnFile | undefined;
  /** AS6: answers that are not written yet. */
  #arrived: ArrivedAnswer[] = [];
  /** Calls that wait for their mark, which all of them get with one write. */
  #beginning: BeginningCall[] = [];
  /** Calls that ended without an answer. Their marks wait for another write. */
  #ended: Uint8Array[] = [];
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

  /** The answer of a call, with its whole payload; undefined if it is not known. */
  find(hash: Uint8Array): { readonly head: AnswerHead; readonly payload: Uint8Array } | undefined {
    return this.#files.find(hash) ?? (this.#refresh() ? this.#files.find(hash) : undefined);
  }

  /** AS1. @throws JournalAccessError, such as on a full disk; IllegalStateError after `close` */
  remember(answer: NewAnswer): void {
    const error = this.#errorOf(() => this.#append([answer]));
    if (error !== undefined) throw error;
  }

  /** AS1, AS6: `done` is called at the end of this turn; with the error, if the answer could not be written. */
  rememberSoon(answer: NewAnswer, done: ArrivedAnswer['done']): void {
    this.#arrived.push({ answer, done });
    this.#expectEndOfTurn();
  }

  /** AS5: `begin` is called at the end of this turn. After an error, as on a full disk, the call must not be made. */
  begin(hash: Uint8Array, begin: BeginningCall['begin']): void {
    this.#beginning.push({ hash, begin });
    this.#expectEndOfTurn();
  }

  /** A call has ended, and there is nothing to remember. */
  ended(hash: Uint8Array): void {
    if (this.#isClosed) return;
    this.#ended.push(hash);
    this.#syncSoon();
  }

  /** Whether a call was in flight when an earlier run of it ended or its process died; true once per call. */
  takeLost(hash: Uint8Array): boolean {
    return this.#files.takeLost(hash);
  }

  /** Syncs what was written, and closes all files. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#options.clock.clearTimeout(this.#syncTimer);
    const writer = this.#writer?.writer;
    this.#writer = undefined;
    try {
      writer?.mark([{ kind: 'ended', hashes: this.#ended }]);
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

  /** Answers go first, because whoever hears one may begin another call. */
  #endTurn(): void {
    const arrived = this.#arrived;
    this.#arrived = [];
    const unwritten = this.#errorOf(() => this.#append(arrived.map(({ answer }) => answer)));
    for (const { done } of arrived) done(unwritten);
    const calls = this.#beginning;
    this.#beginning = [];
    this.#isTurnEnding = false;
    if (calls.length === 0) return;
    const unmarked = this.#errorOf(() => this.#mark(calls.map(({ hash }) => hash)));
    for (const { begin } of calls) begin(unmarked);
  }

  /** After an error, what is written next goes to another file. */
  #errorOf(write: () => void): Error | undefined {
    if (this.#isClosed) return new IllegalStateError('The run is over, and remembers no more answers');
    try {
      write();
      return undefined;
    } catch (error) {
      this.#dropWriter();
      return toError(error);
    }
  }

  #append(answers: readonly NewAnswer[]): void {
    if (answers.length === 0) return;
    const { writer, segment } = (this.#writer ??= this.#newWriter());
    for (const [index, place] of writer.append(answers).entries()) {
      this.#files.set((answers[index] as NewAnswer).identity.hash, { segment, ...place });
    }
    this.#syncSoon();
    if (writer.size >= this.#segmentBytes) this.#rotate();
  }

  /** One write for the calls that begin, and those that have ended since the last one. */
  #mark(begun: readonly Uint8Array[]): void {
    const { writer } = (this.#writer ??= this.#newWriter());
    writer.mark([
      { kind: 'ended', hashes: this.#ended },
      { kind: 'begun', hashes: begun },
    ]);
    this.#ended = [];
    this.#syncSoon();
    if (writer.size >= this.#segmentBytes) this.#rotate();
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
    try {
      if (this.#ended.length > 0) this.#mark([]);
    } catch (error) {
      failed(error);
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
