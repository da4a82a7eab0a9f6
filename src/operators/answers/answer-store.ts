import type { Logger } from '../../environment.ts';
import { JournalAccessError } from '../../errors/journal-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { IllegalStateError } from '../../errors/usage-errors.ts';
import type { JournalStorage } from '../../journal/journal-storage.ts';
import type { Answers, ArrivedAnswer, BeginningCall } from './answers.ts';
import { rewriteSegments, wastefulSegments } from './files/answer-compaction.ts';
import { AnswerFiles, segmentTime } from './files/answer-files.ts';
import { AnswerOutput, type AnswerOutputOptions, type Written } from './files/answer-output.ts';
import type { AnswerOrigin, NewAnswer } from './files/answer-record.ts';
import type { AnswerWriter, WrittenAnswer } from './files/answer-writer.ts';
import type { CallHash } from './files/call-hash.ts';
import type { FoundAnswer } from './files/found-answer.ts';

/** The largest file, and the smallest limit for one. */
const largestSegmentBytes = 1 << 28;
const leastSegmentBytes = 1 << 16;

/** How often answers of other runs are looked for. */
const refreshMs = 1_000;

/** How long an answer may wait for its sync. */
const syncDelayMs = 50;

export interface AnswerStoreOptions extends AnswerOutputOptions {
  readonly logger: Logger;
  /** The oldest answers are dropped past this. */
  readonly maxBytes: number;
  readonly ttlMsOf: (origin: AnswerOrigin) => number;
  /** Whether an answer of this origin is passed on only once it is synced. Absent: none is. */
  readonly isSynced?: ((origin: AnswerOrigin) => boolean) | undefined;
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
 * - AS6 Answers that arrive in one turn of the event loop are written at its end, or as soon as no call is in flight, with one
 *   write, which also marks the calls that are to begin. They begin right after it, and before anybody hears the answers.
 * - AS7 An answer whose origin asks for it is found, and its asker told, only once it is synced, whoever has written it.
 */
export class AnswerStore implements Answers {
  readonly openedMs: number;
  readonly #options: AnswerStoreOptions;
  readonly #files: AnswerFiles;
  readonly #output: AnswerOutput;
  readonly #segmentBytes: number;
  /** AS6: answers that are not written yet. */
  #arrived: ArrivedAnswer[] = [];
  #answers: NewAnswer[] = [];
  /** Calls that wait for their mark, which all of them get with one write. */
  #beginning: BeginningCall[] = [];
  #begun: CallHash[] = [];
  /** Calls that ended without an answer. Their marks wait for another write. */
  #ended: CallHash[] = [];
  /** Until then, answers of other runs are not looked for; undefined once they may be. */
  #refreshTimer: unknown;
  /** AS7: while answers of other runs are synced. */
  #refreshing: Promise<void> | undefined;
  #syncTimer: unknown;
  /** Whether something waits for the end of the turn. */
  #isTurnEnding = false;
  #isClosed = false;

  private constructor(options: AnswerStoreOptions) {
    const { storage, processes, clock, logger, maxBytes, ttlMsOf } = options;
    this.#options = options;
    this.openedMs = clock.epochMs();
    this.#segmentBytes = Math.min(largestSegmentBytes, Math.max(leastSegmentBytes, maxBytes / 4));
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
    this.#output = new AnswerOutput(options, this.#files, (error) => this.#warn(error));
  }

  /** Reads what is in the directory, and tidies it up. @throws JournalFormatError, JournalAccessError */
  static async open(options: AnswerStoreOptions): Promise<AnswerStore> {
    const store = new AnswerStore(options);
    const turn = (): Promise<void> => new Promise((resolve) => options.clock.setImmediate(resolve));
    try {
      for (const _ of store.#files.scanNew()) await turn();
      // AS7: a run that was killed may not have come to its sync.
      if (options.isSynced !== undefined) await store.#files.sync();
      await store.#tidyUp(turn);
      store.#refreshLater();
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
    this.#index([{ answer }], written);
    this.#rotateIfFull();
  }

  /** AS1, AS6: it hears at the end of this turn that it is written. */
  rememberSoon(answer: ArrivedAnswer, isLast = false): void {
    this.#arrived.push(answer);
    this.#answers.push(answer.answer);
    if (!isLast) return this.#expectEndOfTurn();
    this.#isTurnEnding = true;
    // The calls that begin in its stead are asked for by then.
    void Promise.resolve().then(() => this.#endTurn());
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
    this.#options.clock.clearTimeout(this.#refreshTimer);
    await this.#output.close([{ kind: 'ended', hashes: this.#ended }]);
    await this.#refreshing;
    this.#files.close();
  }

  #expectEndOfTurn(): void {
    if (this.#isTurnEnding) return;
    this.#isTurnEnding = true;
    this.#options.clock.setImmediate(() => this.#endTurn());
  }

  /** AS6. Once all is written, it does nothing. */
  #endTurn(): void {
    this.#isTurnEnding = false;
    if (this.#arrived.length === 0 && this.#beginning.length === 0) return;
    const [arrived, answers, beginning, begun] = [this.#arrived, this.#answers, this.#beginning, this.#begun];
    this.#arrived = [];
    this.#answers = [];
    this.#beginning = [];
    this.#begun = [];
    const written = this.#write(answers, begun);
    const { isSynced } = this.#options;
    const waits = isSynced === undefined ? [] : answers.map(({ origin }) => isSynced(origin));
    // AS7: of the file that they are in. Calls that begin may fill it, or fail to write to it.
    const synced = written.error === undefined && waits.includes(true) ? this.#output.sync() : undefined;
    for (const call of beginning) call.begin(written.error);
    if (synced === undefined) this.#passOn(arrived, written);
    else this.#passOnSynced(arrived, written, waits, synced);
    this.#rotateIfFull();
  }

  /** One write for answers, calls that begin, and those that have ended since the last one. */
  #write(answers: readonly NewAnswer[], begun: readonly CallHash[]): Written {
    if (this.#isClosed) return { error: new IllegalStateError('The run is over, and remembers no more answers') };
    const written = this.#output.write(answers, [
      { kind: 'ended', hashes: this.#ended },
      { kind: 'begun', hashes: begun },
    ]);
    if (written.error !== undefined) return written;
    this.#ended = [];
    this.#syncSoon();
    return written;
  }

  /** AS7. @param waits which of them are passed on only then */
  #passOnSynced(
    arrived: readonly ArrivedAnswer[],
    written: Written,
    waits: readonly boolean[],
    synced: Promise<void>,
  ): void {
    const those = <Item>(items: readonly Item[], wait: boolean): Item[] => items.filter((_, at) => waits[at] === wait);
    const passOn = (wait: boolean): void =>
      this.#passOn(those(arrived, wait), { ...written, places: those(written.places ?? [], wait) } as Written);
    synced.then(
      () => passOn(true),
      (error: unknown) => this.#passOn(those(arrived, true), { error: toError(error) }),
    );
    passOn(false);
  }

  /** Written answers are found from now on, and who waits for them hears it. */
  #passOn(arrived: readonly ArrivedAnswer[], written: Written): void {
    this.#index(arrived, written);
    for (const answer of arrived) answer.written(written.error);
  }

  #index(written: readonly Pick<ArrivedAnswer, 'answer'>[], { segment, places = [] }: Written): void {
    for (let index = 0; index < places.length; index++) {
      const { offset, length } = places[index] as WrittenAnswer;
      this.#files.set((written[index] as ArrivedAnswer).answer.identity, segment as number, offset, length);
    }
  }

  /** AS2. */
  #syncSoon(): void {
    this.#syncTimer ??= this.#options.clock.setTimeout(() => this.#sync(), syncDelayMs);
  }

  #sync(): void {
    this.#syncTimer = undefined;
    if (this.#ended.length > 0) {
      const { error } = this.#write([], []);
      if (error !== undefined) this.#warn(error);
    }
    this.#output.sync().catch((error: unknown) => this.#warn(error));
  }

  /** A full file is followed by a new one. */
  #rotateIfFull(): void {
    if (this.#output.size < this.#segmentBytes) return;
    this.#output.endFile();
    this.#dropOldest();
  }

  async #tidyUp(turn: () => Promise<void>): Promise<void> {
    this.#dropOldest();
    const segments = wastefulSegments(this.#files, this.#segmentBytes / 4);
    const newest = segments.at(-1);
    if (newest === undefined) return;
    const create = (): AnswerWriter => this.#output.create(segmentTime(newest.name));
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
    // A timer costs less than to ask for the time at each look.
    if (this.#refreshTimer !== undefined || this.#isClosed) return false;
    this.#refreshLater();
    if (this.#options.isSynced !== undefined) {
      this.#refreshSynced();
      return false;
    }
    try {
      for (const _ of this.#files.scanNew());
    } catch (error) {
      // Files of a newer version, or a directory that cannot be read for now: what is known is still good.
      this.#warn(error);
    }
    return true;
  }

  #refreshLater(): void {
    const due = (): void => {
      this.#refreshTimer = undefined;
    };
    this.#refreshTimer = this.#options.clock.setTimeout(due, refreshMs, 'background');
  }

  /** AS7. */
  #refreshSynced(): void {
    this.#refreshing ??= this.#files
      .scanSynced()
      .catch((error: unknown) => this.#warn(error))
      .then(() => {
        this.#refreshing = undefined;
      });
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
