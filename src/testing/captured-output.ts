import type { StreamNode } from '../api/stream-graph.ts';
import type { AttemptNumber } from '../ids.ts';
import type { RuntimeContext } from '../operators/runtime-context.ts';
import type { DeadLetter } from '../operators/rejected/dead-letter.ts';
import { deadLetterSink, deadLettersOf } from '../operators/rejected/dead-letter-sinks.ts';
import type { ErrorHandling } from '../operators/rejected/on-error.ts';
import type { Sink, SinkWriter } from '../operators/sink.ts';
import { DrawnAnswers } from './drawn-answers.ts';
import type { SeededRandom } from './seeded-random.ts';

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

  /**
   * @param answers draws when and how the stand-ins answer. Default: synchronously.
   * @param options what the stand-ins do when their tasks are done again
   */
  constructor(answers?: SeededRandom, { redo }: Pick<Sink<unknown>, 'redo'> = {}) {
    this.#answers = answers;
    this.#redo = redo;
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
        return { kind: 'source', source: this.#inPlaceOfDeadLetters(uid, step.source) };
      case 'operator':
        return { kind: 'operator', operator: this.#inPlaceOfDeadLetters(uid, step.operator) };
    }
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

  /** A stand-in for the sink `name`. */
  sink(name: string): Sink<unknown> {
    const committed = new Map<number, readonly unknown[]>();
    const attempts = new Map<number, AttemptNumber[]>();
    this.#recordsBySink.set(name, committed);
    this.#attemptsBySink.set(name, attempts);
    return {
      name: `${name} (captured)`,
      guarantee: 'exactly-once',
      redo: this.#redo,
      takesSecondAttempts: true,
      open: ({ subtask, attempt, environment }: RuntimeContext) => {
        const records: unknown[] = [];
        const writer: SinkWriter<unknown> = {
          write: (batch) => {
            for (const record of batch) records.push(record);
          },
          prepare: () => ({ records: records.length }),
          commit: () => {
            committed.set(subtask, records);
            attempts.set(subtask, [...(attempts.get(subtask) ?? []), attempt]);
          },
          abort: () => {},
        };
        if (this.#answers === undefined) return writer;
        const answers = new DrawnAnswers(this.#answers, environment.clock);
        return answers.give<SinkWriter<unknown>>(() => ({
          write: (batch) => answers.give<unknown>(() => writer.write(batch)) as PromiseLike<unknown>,
          prepare: () => answers.give<unknown>(() => writer.prepare?.()),
          commit: () => answers.give<unknown>(() => writer.commit()) as PromiseLike<unknown>,
          abort: () => answers.give<unknown>(() => writer.abort()) as PromiseLike<unknown>,
        }));
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
        [...bySubtask].sort(([a], [b]) => a - b).flatMap(([, records]) => [...records]),
      ]),
    );
  }
}
