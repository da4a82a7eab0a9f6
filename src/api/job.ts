import { InvalidArgumentError } from '../errors/usage-errors.ts';
import type { VersionOptions } from '../operators/identity/step-declaration.ts';
import type { Source } from '../operators/source.ts';
import { checkOptions, type OptionNames } from '../options.ts';
import { DataStream } from './data-stream.ts';
import { StreamEnd } from './stream-end.ts';
import { declareSource } from './step-declarations.ts';
import { originOf } from './job-origin.ts';
import { planJob } from './job-planner.ts';
import { checkNotLoading } from './worker/loading-job.ts';
import type { JobRun } from '../run/job-run.ts';
import { recordToFile } from '../inspector/recorder/flight-recorder.ts';
import { insideOf } from '../run/run-inside.ts';
import { runJob } from '../run/run-job.ts';
import type { JobRunOptions } from '../run/run-options.ts';
import { type JobDefinition, type SlotOptions, StreamGraph, type StreamNode } from './stream-graph.ts';
import type { JobMode } from '../run/job-plan.ts';

/** Options of a job. */
export interface JobOptions {
  /** Default: `batch`. */
  readonly mode?: JobMode | undefined;
  /**
   * Parallelism of sources, and of operators after a shuffle, that do not set their own; limited to the maximum of a
   * source or sink. Default 1.
   */
  readonly parallelism?: number | undefined;
  /**
   * Whether operators without a declaration are declared deterministic (see `deterministic` of an operator). Sources
   * declare it themselves. Default false.
   */
  readonly deterministic?: boolean | undefined;
  /**
   * The slot sharing group of operators that name none and whose inputs have none. With one for the whole job, it needs as
   * many slots as its greatest parallelism. Default: none; each task takes a slot of its own.
   */
  readonly slotSharingGroup?: string | undefined;
}

/** Options of a source. */
export interface SourceOptions extends SlotOptions, VersionOptions {
  /** Parallelism. Default: that of the job, limited to the source's maximum. */
  readonly parallelism?: number | undefined;
  /** Whether reading again yields the same records in the same order. Default: the source's declaration. */
  readonly deterministic?: boolean | undefined;
  /**
   * Whether the source can be read again from the start; false for live data, where a restart loses earlier records.
   * Default: the source's declaration.
   */
  readonly replayable?: boolean | undefined;
}

const jobOptionNames: OptionNames<JobOptions> = {
  mode: true,
  parallelism: true,
  deterministic: true,
  slotSharingGroup: true,
};

const sourceOptionNames: OptionNames<SourceOptions> = {
  parallelism: true,
  deterministic: true,
  replayable: true,
  slotSharingGroup: true,
  coLocationGroup: true,
  version: true,
  inputs: true,
};

/**
 * A dataflow job: described once, as streams from sources to sinks, and run any number of times.
 *
 * @example
 * ```ts
 * import { Job, fromIterable, collect } from 'kintsugi';
 *
 * const job = Job.create('flights', { parallelism: 2 });
 * const worst = collect<{ origin: string; delay: number }>();
 * job.source('flights', fromIterable([{ origin: 'OSL', delay: 4 }, { origin: 'OSL', delay: 9 }]))
 *    .filter((flight) => flight.delay > 0)
 *    .keyBy((flight) => flight.origin)
 *    .reduce((a, b) => (a.delay > b.delay ? a : b), { uid: 'worst' })
 *    .sink('delays', worst);
 * ```
 */
export class Job implements JobDefinition {
  readonly #graph: StreamGraph;

  private constructor(graph: StreamGraph) {
    this.#graph = graph;
  }

  /** @throws InvalidArgumentError for an empty name, an unknown mode or a parallelism out of range. */
  static create(name: string, options: JobOptions = {}): Job {
    checkOptions('Job.create', options, jobOptionNames);
    return new Job(new StreamGraph(name, options.mode ?? 'batch', options.parallelism ?? 1, options));
  }

  get name(): string {
    return this.#graph.name;
  }

  get mode(): JobMode {
    return this.#graph.mode;
  }

  get parallelism(): number {
    return this.#graph.parallelism;
  }

  /** The steps described so far, inputs before the steps that read them. */
  get steps(): readonly StreamNode[] {
    return this.#graph.steps;
  }

  /** Starts a stream: the records of `source`. The name is the source's uid. */
  source<Out>(name: string, source: Source<Out>, options: SourceOptions = {}): DataStream<Out> {
    if (typeof source?.open !== 'function') throw new InvalidArgumentError(`source "${name}"`, source, 'a source');
    checkOptions(`source "${name}"`, options, sourceOptionNames);
    const declaration = declareSource(source, options);
    const from = this.#graph.add('source', { kind: 'source', source }, declaration, [], { ...options, uid: name });
    return new DataStream<Out>(new StreamEnd(this.#graph, [{ from, partitioning: undefined, exchange: undefined }]));
  }

  /**
   * Plans and starts the job in this process, and returns the handle of the run at once. A job may run as often as its
   * sources can be read; runs are independent.
   *
   * @throws JobValidationError | InvalidArgumentError for an invalid job or option; nothing runs in that case.
   * @throws JobOriginError for executors in worker threads, if the module of the job is not known
   * @throws RunInWorkerError in a worker thread that loads the module of the job
   */
  run(options: JobRunOptions = {}): JobRun {
    checkNotLoading(this.name);
    const run = runJob({ ...planJob(this), origin: originOf(this) }, options);
    const { record } = insideOf(run);
    if (record !== undefined) recordToFile(run, record);
    return run;
  }
}
