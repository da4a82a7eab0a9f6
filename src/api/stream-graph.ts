import { InvalidArgumentError, JobValidationError } from '../errors/usage-errors.ts';
import { maxParallelism } from '../graph/job-graph.ts';
import type { OperatorDescription, Partitioning } from '../operators/operator-description.ts';
import {
  checkVersionOptions,
  type StepDeclaration,
  type VersionOptions,
} from '../operators/identity/step-declaration.ts';
import { type DeadLetterSink, deadLetterSink } from '../operators/rejected/dead-letter-sinks.ts';
import type { ErrorOptions } from '../operators/rejected/on-error.ts';
import type { Sink } from '../operators/sink.ts';
import type { Source } from '../operators/source.ts';
import type { ExchangeSettings } from '../graph/exchange-settings.ts';
import type { JobMode } from '../run/job-plan.ts';
import { checkExchange, type Exchange } from './exchange.ts';

/** Options of calls that determine how records travel to the next operator. */
export interface ExchangeOptions {
  /**
   * How the results travel: `pipelined`, `memory`, `reliable`, `blocking`, or one of `memory()`, `reliable()`, `blocking()`
   * with options. Default: `blocking` for shuffles of a batch job, else `pipelined`. An operator after an explicit exchange
   * is never chained to the one before.
   */
  readonly exchange?: Exchange | undefined;
}

/** Options of `keyBy`; `version` and `inputs` are those of the key function. */
export interface KeyOptions extends ExchangeOptions, VersionOptions {}

/** Options of sources, operators and sinks that say with which others they share slots. */
export interface SlotOptions {
  /**
   * Its subtasks share slots with those of other operators of this name: a slot has room for one subtask of each. Default:
   * that of its inputs if they have the same, else that of the job; without one, each subtask takes a slot of its own.
   */
  readonly slotSharingGroup?: string | undefined;
  /**
   * Its subtasks run in one slot, and so on one executor, with those of equal index of the other operators of this name,
   * which have the same parallelism: they start and restart together.
   */
  readonly coLocationGroup?: string | undefined;
}

/** Options of every operator. */
export interface OperatorOptions extends ExchangeOptions, SlotOptions, VersionOptions {
  /** Name of the operator, unique in its job and stable across runs. Default: kind and number, such as `map-3`. */
  readonly uid?: string | undefined;
  /** Parallelism. Default: that of its input; after a shuffle, that of the job. */
  readonly parallelism?: number | undefined;
  /**
   * Declares that the operator writes the same records in the same order whenever it reads the same: no clock, no
   * randomness, no external answers that may differ. If all operators (and the source) of a task declare it, the task
   * restarts without its consumers over `memory`, `reliable` or `blocking`; the engine compares its second output with
   * the first. Default: the job's declaration.
   */
  readonly deterministic?: boolean | undefined;
}

/** Options of `through`. */
export interface ThroughOptions extends OperatorOptions {
  /**
   * Declares that the pipe has emitted the results of a record before it takes the next one, and keeps nothing from record
   * to record: `map`, `filter`, `mergeMap` of arrays, but not `pairwise`, `bufferCount`, `debounceTime` or a `mergeMap` of
   * promises. Without it, a job with checkpoints cannot have the pipe, because what it keeps would be lost. Default false.
   */
  readonly stateless?: boolean | undefined;
}

/** Options of operators that call a function for each record. */
export interface RecordOptions<In, Answer> extends OperatorOptions, ErrorOptions<In, Answer> {}

/** One step of a stream graph. */
export type StreamStep =
  | { readonly kind: 'source'; readonly source: Source<unknown> }
  | { readonly kind: 'operator'; readonly operator: OperatorDescription }
  | { readonly kind: 'sink'; readonly sink: Sink<never> };

/** One input of a step, with the partitioning and exchange chosen for it; undefined if not chosen. */
export interface StreamInput {
  readonly from: StreamNode;
  readonly partitioning: Partitioning | undefined;
  readonly exchange: ExchangeSettings | undefined;
}

/** One step as the user wrote it, before chaining. */
export interface StreamNode {
  readonly uid: string;
  /** The method that made it: `map`, `reduce`, `source`. */
  readonly method: string;
  readonly step: StreamStep;
  /** What its results depend on, as the user wrote it. */
  readonly declaration: StepDeclaration;
  readonly inputs: readonly StreamInput[];
  /** undefined: the planner chooses. */
  readonly parallelism: number | undefined;
  /** Whether it is declared to write the same whenever it reads the same. */
  readonly deterministic: boolean;
  /** False for a source that cannot be read again. */
  readonly replayable: boolean;
  /** Its own, that of its inputs, or that of the job. */
  readonly slotSharingGroup: string | undefined;
  readonly coLocationGroup: string | undefined;
}

/** Options of any step; `replayable` applies to sources only. */
export interface StepOptions extends OperatorOptions {
  readonly replayable?: boolean | undefined;
}

/** A job definition, as the planner needs it. */
export interface JobDefinition {
  readonly name: string;
  readonly mode: JobMode;
  /** Parallelism of operators that do not set their own. */
  readonly parallelism: number;
  /** Every step so far, inputs before the steps that read them. */
  readonly steps: readonly StreamNode[];
}

/** The growing list of a job's steps. Names each step and validates it on its own. */
export class StreamGraph implements JobDefinition {
  readonly name: string;
  readonly mode: JobMode;
  readonly parallelism: number;
  /** Defaults for operators that do not say it. */
  readonly #deterministic: boolean;
  readonly #slotSharingGroup: string | undefined;
  readonly #nodes: StreamNode[] = [];
  readonly #nodeByUid = new Map<string, StreamNode>();
  readonly #countByMethod = new Map<string, number>();

  constructor(
    name: string,
    mode: JobMode,
    parallelism: number,
    { deterministic = false, slotSharingGroup }: Pick<OperatorOptions, 'deterministic' | 'slotSharingGroup'> = {},
  ) {
    this.name = checkName('name of a job', name);
    if (mode !== 'batch' && mode !== 'streaming') {
      throw new InvalidArgumentError(`mode of job "${name}"`, mode, '"batch" or "streaming"');
    }
    this.mode = mode;
    this.#deterministic = checkBoolean(`deterministic of job "${name}"`, deterministic);
    this.#slotSharingGroup = checkGroup(`slotSharingGroup of job "${name}"`, slotSharingGroup);
    this.parallelism = checkParallelism(`parallelism of job "${name}"`, parallelism);
  }

  get steps(): readonly StreamNode[] {
    return this.#nodes;
  }

  /** @throws JobValidationError for a duplicate uid. @throws InvalidArgumentError for options out of range. */
  add(
    method: string,
    step: StreamStep,
    declaration: StepDeclaration,
    inputs: readonly StreamInput[],
    options: StepOptions,
  ): StreamNode {
    const uid = options.uid === undefined ? this.#defaultUid(method) : checkName(`uid of a ${method}`, options.uid);
    const taken = this.#nodeByUid.get(uid);
    if (taken !== undefined) {
      throw new JobValidationError(
        [taken.uid, uid],
        `Two operators of job "${this.name}" are called "${uid}": a ${taken.method} and a ${method}`,
        'Give one of them another name or uid',
      );
    }
    checkVersionOptions(`"${uid}"`, options);
    const { parallelism } = options;
    if (parallelism !== undefined) checkParallelism(`parallelism of "${uid}"`, parallelism);
    const exchange = checkExchange(`exchange of "${uid}"`, options.exchange);
    const replayable = options.replayable ?? (step.kind === 'source' ? step.source.replayable : undefined) ?? true;
    checkBoolean(`replayable of "${uid}"`, replayable);
    const node: StreamNode = Object.freeze({
      uid,
      method,
      step,
      declaration,
      parallelism,
      deterministic: this.#declarationOf(uid, step, options.deterministic, replayable),
      replayable,
      slotSharingGroup: checkGroup(`slotSharingGroup of "${uid}"`, options.slotSharingGroup) ?? this.#groupOf(inputs),
      coLocationGroup: checkGroup(`coLocationGroup of "${uid}"`, options.coLocationGroup),
      inputs: exchange === undefined ? inputs : inputs.map((input) => withExchange(input, exchange, `"${uid}"`)),
    });
    this.#nodes.push(node);
    this.#nodeByUid.set(uid, node);
    this.#countByMethod.set(method, (this.#countByMethod.get(method) ?? 0) + 1);
    return node;
  }

  /** @throws InvalidArgumentError for a declaration that cannot be true. */
  #declarationOf(uid: string, step: StreamStep, declared: boolean | undefined, replayable: boolean): boolean {
    if (declared !== undefined) checkBoolean(`deterministic of "${uid}"`, declared);
    if (step.kind === 'source') {
      const { deterministic: own = false, errors } = step.source;
      if (errors !== undefined && !own) refuseDeterministic(uid, declared);
      const deterministic = declared ?? own;
      if (!deterministic || replayable) return deterministic;
      throw new InvalidArgumentError(
        `deterministic of "${uid}"`,
        true,
        'false, or `replayable: true`: a source that cannot be read again cannot repeat its records',
      );
    }
    if (step.kind === 'sink') return true;
    const { operator } = step;
    const isUnordered = operator.kind === 'asyncMap' && operator.options.ordered === false;
    if (isUnordered && declared === true) {
      throw new InvalidArgumentError(
        `deterministic of "${uid}"`,
        true,
        'false, or `ordered: true`: results in order of completion are not repeatable',
      );
    }
    if (operator.errors === undefined) return declared ?? (this.#deterministic && !isUnordered);
    refuseDeterministic(uid, declared);
    return false;
  }

  /** The slot sharing group that inputs pass on. */
  #groupOf([first, ...others]: readonly StreamInput[]): string | undefined {
    const group = first?.from.slotSharingGroup;
    return others.every(({ from }) => from.slotSharingGroup === group) && group !== undefined
      ? group
      : this.#slotSharingGroup;
  }

  #defaultUid(method: string): string {
    let number = (this.#countByMethod.get(method) ?? 0) + 1;
    while (this.#nodeByUid.has(`${method}-${number}`)) number++;
    return `${method}-${number}`;
  }
}

/** @throws InvalidArgumentError if what rejects records was declared deterministic */
function refuseDeterministic(uid: string, declared: boolean | undefined): void {
  if (declared !== true) return;
  const expected =
    'false, or no `onError`: what it rejects is not remembered, so the next attempt may decide otherwise';
  throw new InvalidArgumentError(`deterministic of "${uid}"`, true, expected);
}

/** Whether a step rejects records, instead of failing. */
export function rejectsRecords({ step }: StreamNode): boolean {
  if (step.kind === 'sink') return false;
  return (step.kind === 'source' ? step.source : step.operator).errors !== undefined;
}

/** Where a step writes its dead letters; undefined if it has none. */
export function deadLettersOf({ uid, step }: StreamNode): DeadLetterSink | undefined {
  if (step.kind === 'sink') return undefined;
  return deadLetterSink(uid, (step.kind === 'source' ? step.source : step.operator).errors);
}

/** Whether records of a subtask stay together. */
export function staysInSubtask({ partitioning }: StreamInput): boolean {
  return partitioning === undefined || partitioning.kind === 'forward';
}

/** `input` with a partitioning. @throws JobValidationError if it already has another one. */
export function withPartitioning(
  input: StreamInput,
  partitioning: Partitioning,
  exchange: ExchangeSettings | undefined,
): StreamInput {
  if (input.partitioning !== undefined) {
    const [first, second] = [callOf(input.partitioning), callOf(partitioning)];
    throw new JobValidationError(
      [input.from.uid],
      `The stream of "${input.from.uid}" is passed to ${second} directly after ${first}, which would have no effect`,
      `Remove ${first}, or put an operator between the two`,
    );
  }
  const next = { ...input, partitioning };
  return exchange === undefined ? next : withExchange(next, exchange, callOf(partitioning));
}

function withExchange(input: StreamInput, exchange: ExchangeSettings, place: string): StreamInput {
  if (input.exchange !== undefined && input.exchange.name !== exchange.name) {
    throw new JobValidationError(
      [input.from.uid],
      `The stream of "${input.from.uid}" has the exchange ${input.exchange.name}, but ${place} asks for ${exchange.name}`,
      'Name the exchange in one place',
    );
  }
  return { ...input, exchange: { ...input.exchange, ...exchange } };
}

function callOf(partitioning: Partitioning): string {
  return partitioning.kind === 'hash' ? 'keyBy()' : `${partitioning.kind}()`;
}

function checkName(what: string, name: unknown): string {
  if (typeof name !== 'string' || name.trim() === '') throw new InvalidArgumentError(what, name, 'a non-empty string');
  return name;
}

function checkGroup(what: string, name: string | undefined): string | undefined {
  return name === undefined ? undefined : checkName(what, name);
}

function checkParallelism(what: string, parallelism: number): number {
  if (!Number.isInteger(parallelism) || parallelism < 1 || parallelism > maxParallelism) {
    throw new InvalidArgumentError(what, parallelism, `an integer from 1 to ${maxParallelism}`);
  }
  return parallelism;
}

function checkBoolean(what: string, given: boolean): boolean {
  if (typeof given !== 'boolean') throw new InvalidArgumentError(what, given, 'true or false');
  return given;
}
