import { resolve } from 'node:path';
import { type Environment, systemEnvironment } from '../../environment.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { checkOptions } from '../../options.ts';
import { encodeOwner, ownerOf } from '../../partitions/claims/owner-note.ts';
import { systemProcesses } from '../../partitions/claims/process-table.ts';
import { FileJournalStorage } from '../../partitions/storage/file-journal-storage.ts';
import { type KeptAnswer, rewriteSegments, unknownOrigin } from './files/answer-compaction.ts';
import { AnswersInUseError } from './answer-errors.ts';
import { AnswerFiles, freeSegmentName, segmentTime } from './files/answer-files.ts';
import type { AnswerHead, AnswerOrigin } from './files/answer-record.ts';
import { AnswerWriter } from './files/answer-writer.ts';
import { answerInPayload, outcomeOf } from './files/found-answer.ts';

/** Which remembered answers are meant: those to which all that is given applies. Default: all. */
export interface AnswerFilter {
  /** The uid of their operator. */
  readonly operator?: string | undefined;
  /** The version of their operator, as {@link RememberedAnswers.list} shows it. */
  readonly version?: string | undefined;
  /** The key that `remember.key` gave. Answers whose key is the record itself have none. */
  readonly key?: string | undefined;
  /** They were remembered before this time, in ms since 1970. */
  readonly beforeMs?: number | undefined;
}

/** The answers of one operator in one version. */
export interface RememberedOperator extends AnswerOrigin {
  readonly answers: number;
  /** Bytes on disk. */
  readonly bytes: number;
  /** When the first and the last of them were remembered, in ms since 1970. */
  readonly oldestMs: number;
  readonly newestMs: number;
}

/** One remembered answer. */
export interface RememberedAnswer extends AnswerOrigin {
  /** The key that `remember.key` gave; undefined if the key is the record itself. */
  readonly key: string | undefined;
  readonly rememberedAtMs: number;
  /** What the call was answered with; undefined if `error` is given. */
  readonly answer: unknown;
  /** What the calls failed with, if that was to be remembered. */
  readonly error: Error | undefined;
}

/** The answers that `mapAsync` remembers in one directory. Every call reads the directory anew; runs may be using it. */
export interface RememberedAnswers {
  /** Operators and versions with answers there. Those that the job no longer has can be dropped. */
  list(): Promise<readonly RememberedOperator[]>;
  /** Number of answers. */
  count(filter?: AnswerFilter): Promise<number>;
  /** The answers, oldest files first; read from disk as they are asked for. */
  export(filter?: AnswerFilter): AsyncIterable<RememberedAnswer>;
  /**
   * Deletes answers, and frees their space on disk; returns their number. If the process dies meanwhile, some or all of
   * them are still there.
   *
   * @throws AnswersInUseError (as a rejection) if a run has written to the directory and has not ended
   */
  drop(filter?: AnswerFilter): Promise<number>;
}

/**
 * The remembered answers in a directory: the `directory` of `remember`, or `answers` in a state directory.
 *
 * @throws InvalidArgumentError unless `directory` is a path
 */
export function rememberedAnswers(
  directory: string,
  { environment = systemEnvironment() }: { readonly environment?: Environment | undefined } = {},
): RememberedAnswers {
  if (typeof directory !== 'string' || directory === '') {
    throw new InvalidArgumentError('directory of rememberedAnswers', directory, 'the path of a directory');
  }
  return new AnswersOnDisk(resolve(directory), environment);
}

class AnswersOnDisk implements RememberedAnswers {
  readonly #directory: string;
  readonly #environment: Environment;
  readonly #processes = systemProcesses();

  constructor(directory: string, environment: Environment) {
    this.#directory = directory;
    this.#environment = environment;
  }

  list(): Promise<readonly RememberedOperator[]> {
    return this.#with(async (files) => {
      const byOrigin = new Map<string, RememberedOperator>();
      for (const { origin = unknownOrigin, head, payload } of files.live()) {
        const key = JSON.stringify([origin.operator, origin.version]);
        const known = byOrigin.get(key);
        byOrigin.set(key, {
          ...origin,
          answers: (known?.answers ?? 0) + 1,
          bytes: (known?.bytes ?? 0) + payload.length,
          oldestMs: Math.min(known?.oldestMs ?? head.atMs, head.atMs),
          newestMs: Math.max(known?.newestMs ?? head.atMs, head.atMs),
        });
      }
      return [...byOrigin.values()];
    });
  }

  async count(filter: AnswerFilter = {}): Promise<number> {
    const fits = filterOf(filter);
    return this.#with(async (files) => {
      let count = 0;
      for (const { origin, head } of files.live()) if (fits(origin, head)) count++;
      return count;
    });
  }

  async *export(filter: AnswerFilter = {}): AsyncGenerator<RememberedAnswer> {
    const fits = filterOf(filter);
    const files = await this.#open();
    try {
      for (const { origin = unknownOrigin, head, payload } of files.live()) {
        if (!fits(origin, head)) continue;
        const outcome = outcomeOf(answerInPayload(payload));
        const [answer, error] = outcome.kind === 'answered' ? [outcome.answer, undefined] : [undefined, outcome.error];
        yield { ...origin, key: head.key, rememberedAtMs: head.atMs, answer, error };
      }
    } finally {
      files.close();
    }
  }

  async drop(filter: AnswerFilter = {}): Promise<number> {
    const fits = filterOf(filter);
    return this.#with(async (files) => {
      for (const segment of files.segments) {
        const { owner } = segment;
        if (owner !== undefined && !files.isFinished(segment)) throw new AnswersInUseError(this.#directory, owner);
      }
      // Earlier answers to the same calls go too, so that none comes to light again.
      const segments = files.segments.filter((segment) => {
        for (const { head } of segment.answers()) if (fits(segment.originOf(head), head)) return true;
        return false;
      });
      const newest = segments.at(-1);
      if (newest === undefined) return 0;
      const storage = this.#storage;
      const create = (): AnswerWriter =>
        new AnswerWriter(
          storage,
          freeSegmentName(storage, segmentTime(newest.name), `drop-${this.#processes.pid}`),
          encodeOwner(ownerOf(this.#processes)),
        );
      const keeps = ({ origin, identity: { key }, atMs }: KeptAnswer): boolean => !fits(origin, { key, atMs });
      const rewriting = rewriteSegments(files, segments, create, keeps);
      for (;;) {
        const step = await rewriting.next();
        if (step.done === true) return step.value;
        await this.#turn();
      }
    });
  }

  get #storage(): FileJournalStorage {
    return new FileJournalStorage(this.#directory);
  }

  async #with<Result>(work: (files: AnswerFiles) => Promise<Result>): Promise<Result> {
    const files = await this.#open();
    try {
      return await work(files);
    } finally {
      files.close();
    }
  }

  async #open(): Promise<AnswerFiles> {
    const files = new AnswerFiles({
      storage: this.#storage,
      processes: this.#processes,
      isExpired: () => false,
      lost: () => {},
    });
    try {
      for (const _ of files.scanNew()) await this.#turn();
    } catch (error) {
      files.close();
      throw error;
    }
    return files;
  }

  #turn(): Promise<void> {
    return new Promise((next) => this.#environment.clock.setImmediate(() => next()));
  }
}

type Fits = (origin: AnswerOrigin | undefined, head: Pick<AnswerHead, 'key' | 'atMs'>) => boolean;

/** @throws InvalidArgumentError for a filter that does not exist */
function filterOf(filter: AnswerFilter): Fits {
  checkOptions('filter of answers', filter, { operator: true, version: true, key: true, beforeMs: true });
  const { operator, version, key, beforeMs } = filter;
  return (origin = unknownOrigin, head) =>
    (operator === undefined || origin.operator === operator) &&
    (version === undefined || origin.version === version) &&
    (key === undefined || head.key === key) &&
    (beforeMs === undefined || head.atMs < beforeMs);
}
