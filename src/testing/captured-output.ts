import type { StreamNode } from '../api/stream-graph.ts';
import type { AttemptNumber } from '../ids.ts';
import type { RuntimeContext } from '../operators/runtime-context.ts';
import type { DeadLetter } from '../operators/rejected/dead-letter.ts';
import { deadLetterSink, deadLettersOf } from '../operators/rejected/dead-letter-sinks.ts';
import type { ErrorHandling } from '../operators/rejected/on-error.ts';
import type { Source } from '../operators/source.ts';
import type { Sink, SinkWriter } from '../operators/sink.ts';
import { commitSlackMs, type Happened, type Hindrances, lateCommits } from './checkpoints/late-commits.ts';
import { declining } from './checkpoints/declining-source.ts';
import { Moments } from './checkpoints/moments.ts';
import { type Opener, SinkLedger } from './checkpoints/sink-ledger.ts';
import { DrawnAnswers } from './drawn-answers.ts';
import type { SeededRandom } from './seeded-random.ts';

/** How the stand-ins take part in checkpoints: by transactions, not at all, or by writing at once, in which case records repeat. */
export type CapturedSinks = 'transactional' | 'at the end' | 'at once';

interface CapturedOutputOptions extends Pick<Sink<unknown>, 'redo'> {
  /** Default: at the end. */
  readonly sinks?: CapturedSinks | undefined;
  readonly moments?: Moments | undefined;
}

/**
 * The output that the sinks of a run would have written: a stand-in for each sink stores committed records in memory.
 */
export class CapturedOutput {
  /** Committed records by sink, then by subtask. A subtask that runs again replaces its earlier records. */
  readonly #recordsBySink = new Map<string, Map<number, readonly unknown[]>>();
  /** The attempts that committed, in order. The latest committed them. */
  readonly #attemptsBySink = new Map<string, Map<number, AttemptNumber[]>>();
  /** Those that are dead letters. */
  readonly #deadLetters = new Set<string>();
  readonly #answers: SeededRandom | undefined;
  readonly #redo: Sink<unknown>['redo'];
  readonly #sinks: CapturedSinks;
  readonly #moments: Moments | undefined;
  readonly #ledgers = new Map<string, SinkLedger>();
  /** Attempts of one run after the other have different numbers. */
  #firstAttempt = 0;

  /**
   * @param answers draws when and how the stand-ins answer. Default: synchronously.
   * @param options what the stand-ins do when their tasks are done again
   */
  constructor(answers?: SeededRandom, { redo, sinks = 'at the end', moments }: CapturedOutputOptions = {}) {
    this.#answers = answers;
    this.#redo = redo;
    this.#sinks = sinks;
    this.#moments = moments;
  }

  /** The steps of a job, with a stand-in for each sink, also for those of dead letters. */
  inPlaceOfSinks(steps: readonly StreamNode[]): StreamNode[] {
    const byStep = new Map<StreamNode, StreamNode>();
    for (const node of steps) {
      const inputs = node.inputs.map((input) => ({ ...input, from: byStep.get(input.from) as StreamNode }));
      byStep.set(node, { ...node, inputs, step: this.#inPlaceOfSink(node) });
    }
    return [...byStep.values()];
  }

  #inPlaceOfSink({ uid, step }: StreamNode): StreamNode['step'] {
    switch (step.kind) {
      case 'sink':
        return { kind: 'sink', sink: this.sink(uid) };
      case 'source':
        return { kind: 'source', source: this.#inPlaceOfDeadLetters(uid, this.#inPlaceOfSource(step.source)) };
      case 'operator':
        return { kind: 'operator', operator: this.#inPlaceOfDeadLetters(uid, step.operator) };
    }
  }

  #inPlaceOfSource(source: Source<unknown>): Source<unknown> {
    return this.#moments === undefined ? source : declining(source, this.#moments);
  }

  #inPlaceOfDeadLetters<Step extends { readonly errors?: ErrorHandling | undefined }>(uid: string, step: Step): Step {
    const letters = deadLetterSink(uid, step.errors);
    if (letters === undefined) return step;
    this.#deadLetters.add(letters.vertex);
    return { ...step, errors: { ...step.errors, reaction: { kind: 'deadLetter', sink: this.sink(letters.vertex) } } };
  }

  /** The records of a sink, without what depends on parallelism and batches: the places of dead letters. */
  comparable(records: readonly unknown[], sink: string): readonly unknown[] {
    if (!this.#deadLetters.has(sink)) return records;
    return (records as readonly DeadLetter[]).map(({ record, key, operator, error, calls }) => {
      return { record, key, operator, error: error.message, calls };
    });
  }

  /** Another run continues. Its stand-ins have what those of earlier ones have got. */
  nextRun(): void {
    this.#firstAttempt += 1_000_000;
    for (const { noted } of this.#ledgers.values()) noted.length = 0;
  }

  /** What transactional sinks have when the process dies, for stand-ins of the next one. */
  copy(moments: Moments): CapturedOutput {
    const copy = new CapturedOutput(this.#answers, { redo: this.#redo, sinks: this.#sinks, moments });
    for (const [name, ledger] of this.#ledgers) copy.#ledgers.set(name, ledger.copy(moments));
    copy.#firstAttempt = this.#firstAttempt;
    copy.nextRun();
    return copy;
  }

  /** A stand-in for the sink `name`. */
  sink(name: string): Sink<unknown> {
    const committed = new Map<number, readonly unknown[]>();
    const attempts = new Map<number, AttemptNumber[]>();
    this.#recordsBySink.set(name, committed);
    this.#attemptsBySink.set(name, attempts);
    const ledger = this.#ledgers.get(name) ?? new SinkLedger(name, this.#moments ?? new Moments());
    if (this.#sinks === 'transactional') this.#ledgers.set(name, ledger);
    const first = this.#firstAttempt;
    const writerOf = (context: RuntimeContext, from: unknown): SinkWriter<unknown> => {
      if (this.#sinks === 'transactional') return ledger.open(openerOf(context, first), from);
      const { subtask } = context;
      if (this.#sinks === 'at once') return writingAtOnce(committed, subtask);
      const records: unknown[] = [];
      return {
        write: (batch) => {
          for (const record of batch) records.push(record);
        },
        prepare: () => ({ records: records.length }),
        commit: () => void committed.set(subtask, records),
        abort: () => {},
      };
    };
    let answers: DrawnAnswers | undefined;
    return {
      name: `${name} (captured)`,
      guarantee: this.#sinks === 'at once' ? 'at-least-once' : 'exactly-once',
      redo: this.#redo,
      takesSecondAttempts: this.#sinks === 'at the end',
      ...(this.#sinks === 'transactional' && {
        redistribute: (latest: readonly unknown[], parallelism: number) =>
          ledger.redistribute(latest as never, parallelism),
        exportPrepared: (prepared: unknown) => ledger.exportPrepared(prepared as never),
        importPrepared: (exported: unknown) => ledger.importPrepared(exported as never),
        commitPrepared: (prepared: unknown) => {
          const commit = (): void => ledger.commitPrepared(prepared as never);
          return answers === undefined ? commit() : answers.give<void>(commit);
        },
      }),
      open: (context: RuntimeContext, from?: unknown) => {
        const { subtask, attempt, environment } = context;
        const open = (): SinkWriter<unknown> => {
          const writer = writerOf(context, from);
          const commit = (): void => {
            void writer.commit();
            attempts.set(subtask, [...(attempts.get(subtask) ?? []), attempt]);
          };
          return { ...writer, commit };
        };
        if (this.#answers === undefined) return open();
        const given = new DrawnAnswers(this.#answers, environment.clock);
        answers = given;
        return given.give<SinkWriter<unknown>>(() => answering(open(), given));
      },
    };
  }

  /** By subtask of a sink that has committed: the latest attempt that did. */
  committedBy(sink: string): ReadonlyMap<number, AttemptNumber> {
    const attempts = this.#attemptsBySink.get(sink) ?? [];
    return new Map(Array.from(attempts, ([subtask, all]) => [subtask, all.at(-1) as AttemptNumber]));
  }

  /** The sinks of a chain with these uids to which more than one of these attempts of a subtask has committed. */
  committedTwice(uids: readonly string[], subtask: number, attempts: readonly AttemptNumber[]): string[] {
    return [...this.#attemptsBySink].flatMap(([sink, bySubtask]) => {
      const isOfChain = uids.some((uid) => sink === uid || sink === deadLettersOf(uid));
      const committed = isOfChain ? (bySubtask.get(subtask) ?? []).filter((one) => attempts.includes(one)) : [];
      return committed.length > 1 ? [sink] : [];
    });
  }

  /** The committed records of each sink, in subtask order. */
  records(): ReadonlyMap<string, readonly unknown[]> {
    return new Map(
      [...this.#recordsBySink].map(([name, bySubtask]) => [
        name,
        [...(this.#ledgers.get(name)?.committed ?? bySubtask).entries()]
          .sort(([a], [b]) => Number.parseInt(`${a}`, 10) - Number.parseInt(`${b}`, 10))
          .flatMap(([, records]) => [...records]),
      ]),
    );
  }

  /** What transactional sinks were told too late. */
  lateCommits(happened: Happened, drawn: Hindrances): string[] {
    const noted = [...this.#ledgers.values()].flatMap((ledger) => ledger.noted);
    return lateCommits(noted, happened, commitSlackMs(drawn));
  }

  /** What transactional sinks were told wrongly. */
  problems(hasFinished: boolean): string[] {
    return [...this.#ledgers.values()].flatMap((ledger) => ledger.problems(hasFinished));
  }
}

function openerOf({ vertex, subtask, attempt, environment }: RuntimeContext, first: number): Opener {
  return {
    task: `${vertex}[${subtask}]`,
    subtask,
    attempt: (first + attempt) as AttemptNumber,
    attemptOfRun: attempt,
    nowMs: () => environment.clock.now(),
  };
}

/** Nothing is undone: a task that restarts writes again what it wrote after its checkpoint. */
function writingAtOnce(written: Map<number, readonly unknown[]>, subtask: number): SinkWriter<unknown> {
  return {
    write: (batch) => void written.set(subtask, [...(written.get(subtask) ?? []), ...batch]),
    commit: () => {},
    abort: () => {},
  };
}

/** A writer that answers in drawn manners. */
function answering(writer: SinkWriter<unknown>, answers: DrawnAnswers): SinkWriter<unknown> {
  return {
    write: (batch) => answers.give<unknown>(() => writer.write(batch)) as PromiseLike<unknown>,
    prepare: () => answers.give<unknown>(() => writer.prepare?.()),
    ...(writer.prepareCheckpoint && {
      prepareCheckpoint: () => answers.give<unknown>(() => writer.prepareCheckpoint?.()),
    }),
    commit: () => answers.give<unknown>(() => writer.commit()) as PromiseLike<unknown>,
    abort: () => answers.give<unknown>(() => writer.abort()) as PromiseLike<unknown>,
  };
}
