import { toError } from '../../errors/thrown-value.ts';
import { concernsEveryRecord } from '../../failover/unrecoverable-reason.ts';
import type { FailurePlace } from '../../failure-place.ts';
import type { AttemptNumber } from '../../ids.ts';
import type { TaskInput } from '../../partitions/task-io.ts';
import { type DeadLetter, letterError } from './dead-letter.ts';
import type { DeadLetterOutput, SideOutput } from './dead-letter-output.ts';
import type { ErrorTallies, ErrorTally } from './error-tallies.ts';
import type { ErrorHandling } from './on-error.ts';
import type { VertexProgram } from '../operator-description.ts';
import { isThenable, refusePromise } from '../../user-code.ts';
import { pictureOf } from '../record-picture.ts';

/** In place of a result: the record was rejected, and nothing takes its place. */
export const skipped: unique symbol = Symbol('skipped');

/** A record at which a function failed. */
export interface FailedRecord {
  /** Index of the operator in the task's chain. */
  readonly operator: number;
  readonly error: unknown;
  readonly record: unknown;
  /** Number of the record in the input of whoever asks, from 0; undefined if unknown. */
  readonly number: number | undefined;
  /** How often the function was called for it. */
  readonly calls: number;
  /** Whether whoever asks can wait for an answer that comes later. */
  readonly mayWait?: boolean | undefined;
}

/** Decides about the records at which functions of a stage fail. */
export interface RecordRejections {
  /** By operator of the task's chain: the records that it was given, if `countsRecords` says that it counts them. */
  readonly seen: number[];
  /** Whether an operator must count its records in `seen`, because its errors are limited. */
  countsRecords(operator: number): boolean;
  /** Counts a record in `seen`. */
  noteRecord(operator: number): void;
  /**
   * What takes the place of the failed function's result, or a promise of it if the asker may wait; {@link skipped} for
   * nothing.
   * @throws the error, if it fails the task
   */
  reject(failed: FailedRecord): unknown;
  /** Leaves out the results of a key at the end of the input. @throws the error, if it fails the task */
  rejectKey(operator: number, error: unknown, key: unknown): void;
}

/** What became of a rejected record. */
export type RejectionOutcome = 'skipped' | 'deadLetter' | 'replaced';

/** How many records of an operator were rejected. Plain data. */
export interface RejectedRecords {
  /** The uid of the operator or source. */
  readonly operator: string;
  readonly skipped: number;
  /** Records that were written as dead letters. */
  readonly deadLetters: number;
  /** Records for which the function of `onError` answered. */
  readonly replaced: number;
  /** How many it was given; known if its errors are limited. */
  readonly records?: number;
}

/** The first record that an operator rejects in an attempt. */
export interface FirstRejection {
  readonly outcome: RejectionOutcome;
  readonly cause: Error;
  readonly place: FailurePlace;
}

export interface RejectionsOptions {
  readonly program: Pick<VertexProgram, 'source' | 'operators'>;
  /** Names of its source, if it has one, and of the operators of its chain. */
  readonly uids: { readonly source: string | undefined; readonly operators: readonly string[] };
  readonly subtask: number;
  readonly attempt: AttemptNumber;
  readonly tallies: ErrorTallies;
  /** Called for the first record that an operator rejects. */
  readonly first: (rejection: FirstRejection) => void;
}

/** An operator, or the source, that rejects records, and what it did so far. */
interface Desk {
  readonly uid: string;
  readonly handling: ErrorHandling;
  readonly counts: { skipped: number; deadLetters: number; replaced: number };
  hasRejected: boolean;
  readonly tally: ErrorTally | undefined;
  /** How many records it was given. */
  readonly records: () => number;
}

/** Whether a task rejects records: an operator or the source of its program has `errors`. */
export function rejectsRecords({ source, operators }: RejectionsOptions['program']): boolean {
  return source?.errors !== undefined || operators.some(({ errors }) => errors !== undefined);
}

/**
 * The records that one attempt of a task rejects, because a function failed at them and `onError` says what becomes of
 * them. Without a rejected record it costs nothing.
 *
 * Invariants:
 * - RJ1 A rejected record is counted once, by what became of it.
 * - RJ2 An error that concerns every record, and one beyond `maxErrors`, fails the task.
 * - RJ3 A dead letter of the source comes when the answer is passed on that it was rejected with: a checkpoint that begins before
 *   has the source read it again.
 */
export class Rejections implements RecordRejections {
  readonly seen: number[];
  readonly #options: RejectionsOptions;
  readonly #desks: readonly (Desk | undefined)[];
  readonly #source: Desk | undefined;
  #input: Pick<TaskInput, 'placeOf' | 'locate'> | undefined;
  #outputs: ReadonlyMap<string, DeadLetterOutput> = new Map();
  /** Records of the source, rejected ones included. */
  #read = 0;
  /** RJ3. */
  #unread: (() => void)[] = [];

  constructor(options: RejectionsOptions) {
    this.#options = options;
    const { program, uids } = options;
    this.seen = program.operators.map(() => 0);
    this.#desks = program.operators.map(({ errors }, index) =>
      this.#deskOf(uids.operators[index] as string, errors, () => this.seen[index] as number),
    );
    this.#source = this.#deskOf(uids.source ?? '', program.source?.errors, () => this.#read);
  }

  /** Where the dead letters go, and who judges the errors elsewhere: they end with the task. */
  get outputs(): readonly SideOutput[] {
    return [...this.#outputs.values(), ...this.#all().flatMap(({ tally }) => tally?.output ?? [])];
  }

  /** How many records were rejected, by operator: those with any, and those whose errors are limited. */
  get counts(): readonly RejectedRecords[] {
    return this.#all().flatMap(({ uid, counts, handling, records }) => {
      if (handling.limit !== undefined) return [{ operator: uid, ...counts, records: records() }];
      const { skipped: left, deadLetters, replaced } = counts;
      return left + deadLetters + replaced === 0 ? [] : [{ operator: uid, ...counts }];
    });
  }

  /**
   * @param input of the task, which says where records came from
   * @param outputs of dead letters, by uid
   */
  connect(input: Pick<TaskInput, 'placeOf' | 'locate'>, outputs: ReadonlyMap<string, DeadLetterOutput>): void {
    this.#input = input;
    this.#outputs = outputs;
  }

  countsRecords(operator: number): boolean {
    return this.#desks[operator]?.tally !== undefined;
  }

  noteRecord(operator: number): void {
    this.seen[operator] = (this.seen[operator] ?? 0) + 1;
  }

  reject({ operator, error, record, number, calls, mayWait }: FailedRecord): unknown {
    const position = number === undefined ? undefined : this.#input?.placeOf(number);
    return this.#reject(this.#desks[operator], toError(error), { record, position, number, calls, mayWait });
  }

  rejectKey(operator: number, error: unknown, key: unknown): void {
    this.#reject(this.#desks[operator], toError(error), { key, calls: 1 });
  }

  /**
   * The source cannot make a record of `raw`.
   * @returns what takes its place; {@link skipped} for nothing
   * @throws the error, if it fails the task
   */
  rejectRaw(error: Error, raw: unknown, position: string | undefined): unknown {
    if (this.#source?.handling.reaction.kind !== 'replace') this.#read++;
    return this.#reject(this.#source, error, { record: raw, position, calls: 1 });
  }

  /** The source passes an answer on, with so many records: notes that, and takes the dead letters before them. */
  noteRead(records: number): void {
    this.#read += records;
    for (const take of this.#unread.splice(0)) take();
  }

  #all(): readonly Desk[] {
    return [this.#source, ...this.#desks].filter((desk) => desk !== undefined);
  }

  #deskOf(uid: string, handling: ErrorHandling | undefined, records: () => number): Desk | undefined {
    if (handling === undefined) return undefined;
    const { subtask, attempt, tallies } = this.#options;
    const tally = handling.limit && tallies.open({ operator: uid, subtask, attempt }, handling.limit, records);
    return { uid, handling, tally, records, counts: { skipped: 0, deadLetters: 0, replaced: 0 }, hasRejected: false };
  }

  #reject(desk: Desk | undefined, error: Error, failed: Failed): unknown {
    // RJ2.
    if (desk === undefined || concernsEveryRecord(error)) throw error;
    const place = placeOf(desk.uid, failed);
    const tooMany = desk.tally?.add(error, place);
    if (tooMany !== undefined) throw tooMany;
    const { outcome, answer } = this.#react(desk, error, failed);
    if (!desk.hasRejected) this.#options.first({ outcome, cause: error, place });
    desk.hasRejected = true;
    return answer;
  }

  #react(desk: Desk, error: Error, failed: Failed): { readonly outcome: RejectionOutcome; readonly answer: unknown } {
    const { subtask } = this.#options;
    const {
      uid,
      handling: { reaction },
      counts,
    } = desk;
    const { number, position, calls } = failed;
    switch (reaction.kind) {
      case 'skip':
        counts.skipped++;
        return { outcome: 'skipped', answer: skipped };
      case 'deadLetter': {
        const what = 'record' in failed ? { record: failed.record } : { key: failed.key as DeadLetter['key'] };
        const where = position === undefined ? {} : { position };
        const letter = { ...what, operator: uid, subtask, ...where, error: letterError(error), calls };
        const take = (): void => {
          this.#outputs.get(uid)?.add(letter, number);
          counts.deadLetters++;
        };
        if (desk === this.#source) this.#unread.push(take);
        else take();
        return { outcome: 'deadLetter', answer: skipped };
      }
      case 'replace': {
        if (!('record' in failed)) throw error;
        const answer = reaction.fn(error, failed.record, { operator: uid, subtask, position });
        if (isThenable(answer) && failed.mayWait !== true)
          refusePromise(`result of onError of "${uid}"`, answer, 'what the function would return');
        counts.replaced++;
        return { outcome: 'replaced', answer };
      }
    }
  }
}

interface Failed {
  readonly record?: unknown;
  readonly key?: unknown;
  readonly position?: string | undefined;
  readonly number?: number | undefined;
  readonly calls: number;
  readonly mayWait?: boolean | undefined;
}

function placeOf(operator: string, failed: Failed): FailurePlace {
  const { position } = failed;
  if ('record' in failed) return { operator, record: { position, picture: pictureOf(failed.record) } };
  return { operator, record: { position: `key ${pictureOf(failed.key)}`, picture: undefined } };
}
