import { RecordNotSerializableError } from '../../errors/result-errors.ts';
import { IllegalStateError, InvalidArgumentError } from '../../errors/usage-errors.ts';
import type { CheckpointId } from '../../ids.ts';
import { packData, unpackData } from '../../partitions/records/packed-data.ts';
import { type Barrier, type Batch, isOfSavepoint, type Mark } from '../../partitions/stream-element.ts';
import type { OutputBlame, TaskOutput } from '../../partitions/task-io.ts';
import { callAndWait, isThenable, type Returned } from '../../user-code.ts';
import type { SinkTail } from '../../partitions/loop-ends.ts';
import type { Sink, SinkWriter } from '../sink.ts';
import { absent, refuseState, type StateSnapshot } from '../state/state-snapshot.ts';
import type { OutputState, PreparedOutput, SinkState } from '../state/task-state.ts';
import type { CommitGate } from './commit-gate.ts';

/** What a sink promises, and how it commits what its writers prepared. */
type SinkKind = Pick<Sink<never>, 'commitPrepared' | 'guarantee'>;

interface SinkOutputOptions {
  /** The sink itself; default: it commits only when its task finishes. */
  readonly about?: SinkKind | undefined;
  /** It passes this gate before it commits; undefined for none. */
  readonly gate?: CommitGate | undefined;
}

type WriterOfOne = SinkWriter<unknown> & SinkTail['writer'];

/**
 * A sink as an output of a task: writes, then one commit or abort.
 *
 * Invariants:
 * - SO1 Its writer is asked one thing at a time. Who writes while it is not writable is a bug of the engine, and fails the
 *   task: otherwise its next call would begin too early.
 * - SO2 What was prepared for a complete checkpoint is in its state until it is committed: a later checkpoint may be complete
 *   before that, and whoever continues from it commits what this attempt could not.
 */
export class SinkOutput implements TaskOutput {
  readonly isNeeded = true;
  /** undefined unless the writer takes single records. */
  readonly tail: SinkTail | undefined;
  readonly #writer: SinkWriter<unknown>;
  readonly #sink: string;
  readonly #gate: CommitGate | undefined;
  #listener: (() => void) | undefined;
  #failure: Error | undefined;
  #isBusy = false;
  /** The batch being written, and the number of records before it. */
  #batch: Batch = [];
  #before = 0;
  /** Whether the batch is one record that a loop put. */
  #isSingle = false;
  /** Number of records so far. */
  #written = 0;
  /** Records that a loop put while it was busy: fewer than a loop takes at once. */
  #held: unknown[] = [];
  /** Runs when the sink is no longer busy. */
  readonly #afterwards: (() => void)[] = [];
  #phase: 'open' | 'preparing' | 'committing' | 'aborted' = 'open';
  readonly #about: SinkKind;
  /** What was prepared for checkpoints that are not known to be safe, oldest first. */
  #prepared: readonly PreparedOutput[] = [];
  /** Those whose checkpoints are safe, and that are not known to be committed. SO2 */
  #due: readonly PreparedOutput[] = [];

  /**
   * @param sink its name, for messages
   */
  constructor(
    writer: SinkWriter<unknown>,
    sink: string,
    { about = { guarantee: 'exactly-once' }, gate }: SinkOutputOptions = {},
  ) {
    this.#writer = writer;
    this.#sink = sink;
    this.#about = about;
    this.#gate = gate;
    gate?.expect();
    this.tail = typeof writer.writeOne !== 'function' ? undefined : this.#tailOf(writer as WriterOfOne);
  }

  get isWritable(): boolean {
    return !this.#isBusy;
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  /** The record at which a write failed, if the sink knows it. */
  get blame(): OutputBlame | undefined {
    const index = this.#phase === 'open' && this.#failure !== undefined ? this.#failedAt() : undefined;
    if (index === undefined || !(index in this.#batch)) return undefined;
    return { uid: undefined, record: { value: this.#batch[index], number: this.#before + index } };
  }

  /** A sink's write has no time limit. */
  waitForRoom(): void {}

  onWritable(listener: () => void): void {
    this.#listener = listener;
  }

  write(records: Batch): void {
    this.#throwFailure();
    this.#before = this.#written;
    this.#written += records.length;
    this.#batch = records;
    this.#isSingle = false;
    this.#call('write', () => this.#writer.write(records));
    this.#throwFailure();
  }

  /** A barrier: prepares what was written since the last one. A sink has no readers for other marks. */
  mark(mark: Mark): void {
    if (mark.kind !== 'barrier' || this.#writer.prepareCheckpoint === undefined) return;
    this.#whenIdle(() => {
      if (this.#failure === undefined && this.#phase === 'open') this.#prepareFor(mark);
    });
  }

  whenMarked(done: () => void): void {
    this.#whenIdle(() => {
      if (this.#failure === undefined && this.#phase === 'open') done();
    });
  }

  snapshot(): StateSnapshot<SinkState> {
    if (this.#writer.prepareCheckpoint === undefined && this.#about.guarantee === 'exactly-once') {
      return absent(
        `the sink "${this.#sink}" commits only when its task finishes. Give its writer \`prepareCheckpoint\` and the sink \`commitPrepared\`, or run without \`checkpoints\``,
      );
    }
    return { kind: 'taken', state: { kind: 'sink', prepared: [...this.#due, ...this.#prepared] } };
  }

  /** What the state had prepared was committed before the writer was opened. */
  restore(state: OutputState): void {
    if (state.kind !== 'sink') refuseState(`the sink "${this.#sink}"`, `a ${state.kind}`);
  }

  completed(checkpoint: CheckpointId): void {
    const due = this.#prepared.filter((prepared) => prepared.checkpoint <= checkpoint);
    this.#prepared = this.#prepared.filter((prepared) => prepared.checkpoint > checkpoint);
    this.#due = [...this.#due, ...due];
    for (const prepared of due) {
      this.#whenIdle(() => {
        if (this.#failure === undefined) this.#commitPrepared(prepared);
      });
    }
  }

  flush(): void {}

  finish(done: (error?: Error) => void): void {
    this.#whenIdle(() => {
      if (this.#failure !== undefined || this.#phase !== 'open') {
        done(this.#failure);
        return;
      }
      const last = this.#prepared.at(-1);
      if (last !== undefined) this.completed(last.checkpoint);
      this.#whenIdle(() => this.#prepare(done));
    });
  }

  #prepare(done: (error?: Error) => void): void {
    if (this.#failure !== undefined || this.#phase !== 'open') {
      done(this.#failure);
      return;
    }
    this.#phase = 'preparing';
    if (this.#writer.prepare !== undefined) this.#call('prepare', () => this.#writer.prepare?.());
    this.#whenIdle(() => this.#pass(done));
  }

  curtail(done: (error?: Error) => void): void {
    this.finish(done);
  }

  abort(done: () => void): void {
    const isTooLate = this.#phase === 'committing' || this.#phase === 'aborted';
    // It was aborted meanwhile, so the prepared output is not committed.
    if (!isTooLate) this.#phase = 'aborted';
    this.#whenIdle(() => {
      if (isTooLate) {
        done();
        return;
      }
      this.#call('abort', () => this.#writer.abort());
      this.#whenIdle(done);
    });
  }

  #tailOf(writer: WriterOfOne): SinkTail {
    const isWritable = (): boolean => !this.#isBusy;
    return {
      kind: 'sink',
      writer,
      batchesHanded: 0,
      get isWritable() {
        return isWritable();
      },
      hold: (record) => {
        this.#held.push(record);
      },
      notePut: (count) => {
        this.#written += count;
      },
      answered: (answer, record, before) => {
        this.#before = this.#written + before;
        this.#batch = [record];
        this.#isSingle = true;
        this.#call('writeOne', () => answer);
        this.#throwFailure();
        return this.#isBusy;
      },
    };
  }

  #prepareFor(barrier: Barrier): void {
    const { checkpoint } = barrier;
    const isSavepoint = isOfSavepoint(barrier);
    const prepared = (value: unknown): void => {
      try {
        this.#prepared = [...this.#prepared, { checkpoint, data: packData([value]) }];
      } catch (error) {
        throw error instanceof RecordNotSerializableError ? notPlain(this.#sink, error) : error;
      }
    };
    this.#call('prepareCheckpoint', () => {
      const returned = this.#writer.prepareCheckpoint?.({ isSavepoint });
      if (!isThenable(returned)) return prepared(returned);
      // What `then` of a user's thenable returns is not to be relied on.
      return Promise.resolve(returned).then(prepared);
    });
  }

  #commitPrepared(prepared: PreparedOutput): void {
    const committed = (): void => {
      this.#due = this.#due.filter((due) => due !== prepared);
    };
    this.#call('commitPrepared', () => {
      const returned: unknown = this.#about.commitPrepared?.(unpackData(prepared.data)[0]);
      if (isThenable(returned)) return Promise.resolve(returned).then(committed);
      committed();
      return returned;
    });
  }

  /** It is prepared. */
  #pass(done: (error?: Error) => void): void {
    const isAtGate = this.#gate !== undefined && this.#failure === undefined && this.#phase === 'preparing';
    if (isAtGate) this.#gate?.arrive(() => this.#commit(done));
    else this.#commit(done);
  }

  #commit(done: (error?: Error) => void): void {
    if (this.#failure !== undefined || this.#phase !== 'preparing') {
      done(this.#failure);
      return;
    }
    this.#phase = 'committing';
    this.#call('commit', () => this.#writer.commit());
    this.#whenIdle(() => done(this.#failure));
  }

  #failedAt(): number | undefined {
    if (this.#isSingle) return 0;
    try {
      return this.#writer.failedAt?.();
    } catch {
      return undefined;
    }
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #call(method: keyof SinkWriter<unknown> | 'commitPrepared', action: () => unknown): void {
    if (this.#isBusy) {
      this.#failure ??= new IllegalStateError(
        `The sink "${this.#sink}" got "${method}" before its last call was answered`,
      );
      return;
    }
    const returned = callAndWait(action, (later) => {
      this.#isBusy = false;
      this.#note(later);
      this.#writeHeld();
      this.#listener?.();
      while (!this.#isBusy && this.#afterwards.length > 0) this.#afterwards.shift()?.();
    });
    if (returned === undefined) {
      this.#isBusy = true;
      return;
    }
    this.#note(returned);
    // Any other value is an error, because it would be ignored: an Observable without a subscriber writes nothing.
    if (returned.kind === 'value' && returned.value !== undefined && method !== 'prepare') {
      const what = `${method} of sink "${this.#sink}"`;
      this.#failure ??= new InvalidArgumentError(what, returned.value, 'nothing, or a promise');
    }
  }

  /** Those that came while a single record was written, which is now the batch. */
  #writeHeld(): void {
    const held = this.#held;
    if (held.length === 0) return;
    this.#held = [];
    if (this.#failure !== undefined || this.#phase === 'aborted') return;
    this.#before++;
    this.#batch = held;
    this.#isSingle = false;
    this.#call('write', () => this.#writer.write(held));
  }

  #note(returned: Returned<unknown>): void {
    if (returned.kind === 'error') this.#failure ??= returned.error;
  }

  #whenIdle(action: () => void): void {
    if (this.#isBusy) this.#afterwards.push(action);
    else action();
  }
}

function notPlain(sink: string, { path, found }: RecordNotSerializableError): IllegalStateError {
  return new IllegalStateError(
    `prepareCheckpoint of the sink "${sink}" returned what is not plain data: ${path} is ${found}. Return plain data by which \`commitPrepared\` finds what was prepared, such as the name of a transaction`,
  );
}
