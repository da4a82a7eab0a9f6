import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { DividedExchange } from '../../actors/job-event.ts';
import type { Environment } from '../../environment.ts';
import { SpillError } from '../../errors/result-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { type AttemptNumber, drawRunId, type PartitionId } from '../../ids.ts';
import type { EdgeIdentity, PartitioningIdentity } from '../../journal/identity/job-identity.ts';
import type { StoredResult } from '../../journal/stored-result.ts';
import type { Partitioning } from '../../operators/operator-description.ts';
import { selectionOf } from '../../operators/task/channel-selection.ts';
import { RecordWriter } from '../../operators/task/record-writer.ts';
import { ByteBudget } from '../../partitions/byte-budget.ts';
import type { BatchLimits } from '../../partitions/records/batch-cutter.ts';
import { RetainedResultPartition } from '../../partitions/retained/retained-result-partition.ts';
import { DurableStore } from '../../partitions/storage/durable-store.ts';
import { type ShareOrder, writtenOrder } from '../../partitions/divided/written-order.ts';
import type { JobShape } from '../folds/job-shape.ts';
import type { JobPlan } from '../job-plan.ts';
import type { ResumeDecision } from './resume-decision.ts';

/** A result that an earlier run divided among another number of consumers. */
export interface MisdividedResult {
  readonly partition: PartitionId;
  readonly stored: StoredResult;
  /** What it is a result of, in the earlier job. */
  readonly before: EdgeIdentity;
  /** In the job as it is now. */
  readonly now: EdgeIdentity;
}

export interface ResultDivisionOptions extends BatchLimits {
  readonly plan: JobPlan;
  readonly shape: JobShape;
  /** The directory of results. */
  readonly directory: string;
  readonly environment: Pick<Environment, 'random' | 'faults' | 'freezeRecords'>;
  /** Aborted when the run ends. */
  readonly signal: AbortSignal;
}

/** What came of a division: the new files, or why there can be none. */
export type Divided = { readonly stored: StoredResult } | { readonly problem: string };

/** The results that a run would take over, and has to divide anew. */
export function misdivided({ graph }: JobShape, decision: ResumeDecision): readonly MisdividedResult[] {
  const { comparison, earlier, identity, restored } = decision;
  return [...restored.values()].flatMap((results) =>
    [...results].flatMap(([partition, stored]): MisdividedResult[] => {
      const edge = graph.edgeIndexOfPartition(partition);
      const compared = comparison?.edges[edge];
      if (compared?.kind !== 'other-shares') return [];
      const before = earlier?.identity.edges[compared.before] as EdgeIdentity;
      return [{ partition, stored, before, now: identity.edges[edge] as EdgeIdentity }];
    }),
  );
}

/** The same by exchange. */
export function dividedExchanges(results: readonly MisdividedResult[]): readonly DividedExchange[] {
  const sums = new Map<EdgeIdentity, { results: number; records: number }>();
  for (const { before, now, stored } of results) {
    const sum = sums.get(now) ?? { results: 0, records: 0 };
    sums.set(now, sum);
    sum.results++;
    // Each consumer of a broadcast has all of them.
    sum.records += before.partitioning.kind === 'broadcast' ? stored.records / before.consumers : stored.records;
  }
  return [...sums].map(([{ source, target, consumers }, sum]) => ({ source, target, consumers, ...sum }));
}

/**
 * Divides results of an earlier run among the consumers that there are now, as their producers would: it writes the same
 * records by the same rule.
 *
 * - DV1 A result is written into new files; those of the earlier run stay as they are.
 * - DV2 It has the records that its producer would write now, in the same order; or, if they were divided by key, with
 *   those of each key in the same order.
 * - DV3 A disk that cannot be written costs no result.
 */
export class ResultDivision {
  readonly #options: ResultDivisionOptions;
  #store: DurableStore | undefined;

  constructor(options: ResultDivisionOptions) {
    this.#options = options;
  }

  /** @throws SpillError | the reason of the signal (as a rejection) */
  async divide({ partition, stored, before }: MisdividedResult): Promise<Divided> {
    const store = (this.#store ??= this.#openStore());
    const result = this.#resultOf(partition, store);
    try {
      const { file, index } = store.adopt(stored);
      const writer = this.#writerOf(partition, result);
      const order = orderOf(before.partitioning, this.#subtaskOf(partition));
      for await (const element of writtenOrder({ id: stored, file, index }, order)) {
        this.#options.signal.throwIfAborted();
        if (!writer.isWritable) await writable(writer);
        if (element.kind === 'records') writer.write(element.records);
        else writer.mark(element);
      }
      await new Promise<void>((resolve, reject) => writer.finish((error) => (error ? reject(error) : resolve())));
      return { stored: result.stored() as StoredResult };
    } catch (error) {
      result.release();
      if (error instanceof SpillError || this.#options.signal.aborted) throw error;
      return { problem: toError(error).message };
    }
  }

  /** Settles when the files are closed; they stay. */
  async close(): Promise<void> {
    this.#store?.end(false);
    await this.#store?.dispose();
  }

  /** For results under a run id of their own: what this run writes itself has other names. */
  #openStore(): DurableStore {
    const { directory, environment } = this.#options;
    const { random, faults } = environment;
    let run = drawRunId(random);
    while (existsSync(join(directory, run))) run = drawRunId(random);
    return new DurableStore({ directory, run, faults });
  }

  #resultOf(partition: PartitionId, spillStore: DurableStore): RetainedResultPartition {
    const { graph } = this.#options.shape;
    const output = graph.outputsOf(graph.producerOf(partition)).find((one) => one.partition === partition);
    const { exchange, subpartitionCount } = output as NonNullable<typeof output>;
    return new RetainedResultPartition({
      id: { partition, attempt: 0 as AttemptNumber },
      ...{ exchange, subpartitionCount },
      retention: 'disk',
      sync: 'checkpoint',
      budget: new ByteBudget(0),
      spillStore,
      keepsAll: true,
    });
  }

  #writerOf(partition: PartitionId, result: RetainedResultPartition): RecordWriter {
    const { plan, shape, batchSize, batchBytes, environment } = this.#options;
    const edge = shape.graph.edgeIndexOfPartition(partition);
    const outputs = plan.programs.flatMap((program) => program.outputs);
    const { partitioning } = outputs.find((output) => output.edge === edge) as { readonly partitioning: Partitioning };
    return new RecordWriter({
      ...{ partition: result, batchSize, batchBytes, freeze: environment.freezeRecords },
      selection: selectionOf(partitioning),
      reader: plan.jobGraph.edges[edge]?.target as string,
      subtask: this.#subtaskOf(partition),
    });
  }

  #subtaskOf(partition: PartitionId): number {
    const { graph } = this.#options.shape;
    return graph.subtaskOf(graph.producerOf(partition));
  }
}

/** How a producer had chosen the shares of a result. */
function orderOf({ kind }: PartitioningIdentity, subtask: number): ShareOrder {
  switch (kind) {
    case 'broadcast':
      return { kind: 'all' };
    case 'hash':
      return { kind: 'any' };
    default:
      return { kind: 'in turn', first: subtask };
  }
}

function writable(writer: RecordWriter): Promise<void> {
  return new Promise((resolve) => writer.onWritable(resolve));
}
