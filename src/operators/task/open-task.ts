import { causeWithCode } from '../../errors/cause-chain.ts';
import { CheckpointUnreadableError, type PreparedOutputLostError } from '../../errors/checkpoint-errors.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import { hasMethods } from '../../foreign-value.ts';
import type { VertexProgram } from '../operator-description.ts';
import type { AnswerMemories } from '../answers/answer-memory.ts';
import type { CallLimiterRegistry } from '../call-limiter.ts';
import { type CloseLimit, closeAll, closingOf } from '../close-all.ts';
import { createOperatorChain } from './operator-chain.ts';
import type { CommitGate } from '../sinks/commit-gate.ts';
import { SinkOutput } from '../sinks/sink-output.ts';
import type { OperatorStage } from '../operator-stage.ts';
import type { Sink, SinkWriter } from '../sink.ts';
import { SourceInput } from './source-input.ts';
import type { Source, SourceReader } from '../source.ts';
import { DeadLetterOutput } from '../rejected/dead-letter-output.ts';
import { type DeadLetterSink, deadLetterSinks } from '../rejected/dead-letter-sinks.ts';
import type { ErrorTallies } from '../rejected/error-tallies.ts';
import { type FirstRejection, Rejections, rejectsRecords } from '../rejected/rejections.ts';
import type { TaskParts } from './task-parts.ts';
import type { TaskContext } from './task-context.ts';
import type { RuntimeContext } from '../runtime-context.ts';
import type { BatchLimits } from '../../partitions/records/batch-cutter.ts';
import { unpackData } from '../../partitions/records/packed-data.ts';
import type { StageState } from '../state/stage-state.ts';
import { refuseState } from '../state/state-snapshot.ts';
import { type CreateTable, mapTables } from '../state/state-tables.ts';
import type { GateState, InputState, OutputState, PreparedOutput, TaskRestore } from '../state/task-state.ts';
import type { ChannelOrder } from '../../partitions/channel-order.ts';
import type { TaskInput, TaskOutput } from '../../partitions/task-io.ts';
import type { LoopEnds } from '../../partitions/loop-ends.ts';
import { InputGate } from '../gate/input-gate.ts';
import { selectionOf } from './channel-selection.ts';
import { RecordWriter } from './record-writer.ts';
import type { CheckpointId } from '../../ids.ts';
import type { ResultPartition, SubpartitionView } from '../../partitions/result-partition.ts';

export interface OpenTaskOptions extends BatchLimits {
  readonly program: VertexProgram;
  readonly context: TaskContext;
  /** The limiters of the run. */
  readonly callLimiters: CallLimiterRegistry;
  /** What its operators remember. Default: nothing. */
  readonly answers?: AnswerMemories | undefined;
  /** Returns the plan of its source for this run; undefined if the source has none. */
  readonly sourcePlan?: (() => Promise<unknown>) | undefined;
  /** Opens the channels of its inputs, in order. @throws PartitionLostError */
  readonly openChannels: () => readonly SubpartitionView[];
  /** The order in which it takes records from the channels; undefined for any. */
  readonly channelOrder?: ChannelOrder | undefined;
  /** Which of the channels bring barriers. Default: all. */
  readonly bringsBarriers?: ((channel: number) => boolean) | undefined;
  /** The newest checkpoint that began before this attempt. */
  readonly checkpointBefore?: CheckpointId | undefined;
  /** Called for a checkpoint in which it cannot take part now. */
  readonly declined?: ((checkpoint: CheckpointId, why: string) => void) | undefined;
  /** The state from which it continues; its channels begin at the records of that state. */
  readonly restore?: TaskRestore | undefined;
  /** The partitions it writes, parallel to the program's outputs. */
  readonly partitions: readonly ResultPartition[];
  /** Default: states by key are in memory. */
  readonly createTable?: CreateTable | undefined;
  readonly wake: () => void;
  /** Time limit for closing the opened parts if another part cannot be opened; undefined for none. */
  readonly closeLimit?: CloseLimit;
  /** uids of its parts, in order: the source if it has one, the operators, the sink if it has one. */
  readonly uids: readonly string[];
  /** uids of the operators that read its partitions, parallel to them. */
  readonly readers: readonly string[];
  /** Names the subpartition that a channel reads. */
  readonly nameOfChannel?: (channel: number) => string;
  /** Those of the run. */
  readonly errorTallies: ErrorTallies;
  /** What its sinks pass before they commit; undefined if they commit at once. */
  readonly commitGate?: CommitGate | undefined;
  /** Called for the first record that an operator rejects. */
  readonly rejected?: (rejection: FirstRejection) => void;
  /** Called with the source or sink that cannot be opened. */
  readonly blame?: (uid: string) => void;
}

/** Opens the parts of a subtask: synchronously, unless it has a source or a sink. Closes all of them if one fails. */
export function openTask(options: OpenTaskOptions): TaskParts | Promise<TaskParts> {
  const { source, sink } = options.program;
  const rejections = rejectionsOf(options);
  const isAtOnce = source === undefined && sink === undefined && rejections === undefined;
  return isAtOnce
    ? join(options, undefined, { reader: undefined, writer: undefined, letters: [] })
    : openEnds(options, rejections);
}

/** The source and the sinks of a task, open. */
interface OpenEnds {
  readonly reader: SourceReader<unknown> | undefined;
  readonly writer: SinkWriter<unknown> | undefined;
  readonly letters: readonly (DeadLetterSink & { readonly writer: SinkWriter<unknown> })[];
}

/** What a task knows of the records that it rejects; undefined if every error fails it. */
function rejectionsOf({ program, context, uids, errorTallies, rejected }: OpenTaskOptions): Rejections | undefined {
  if (!rejectsRecords(program)) return undefined;
  const rejections = new Rejections({
    program,
    uids: uidsOf(program, uids),
    subtask: context.subtask,
    attempt: context.attempt,
    tallies: errorTallies,
    first: (rejection) => rejected?.(rejection),
  });
  if (program.source?.errors !== undefined) {
    context.reject = (error, raw, position) => rejections.rejectRaw(error, raw, position);
  }
  return rejections;
}

/** The first failure counts. The signal tells the other ends, which are closed once they are open. */
async function openEnds(options: OpenTaskOptions, rejections: Rejections | undefined): Promise<TaskParts> {
  const { program, context, sourcePlan, uids, closeLimit, restore } = options;
  const { source, sink } = program;
  const [first, last] = [uids[0] as string, uids.at(-1) as string];
  const reader = blaming(options, first, async () => {
    const from = restore && positionIn(restore.state.input);
    return source && openSource(source, context, sourcePlan && (await sourcePlan()), from);
  });
  context.delivery = { sink: last, orderFault: program.orderFault };
  const ownSinks = program.outputs.length + (sink === undefined ? 0 : 1);
  const writer = blaming(options, last, async () => sink && openSink(sink, context, preparedBy(options, ownSinks - 1)));
  const letters = deadLetterSinks(program, uids).map((letter, index) =>
    blaming(options, letter.uid, async () => ({
      ...letter,
      writer: await openSink(letter.sink, context.as(letter.vertex), preparedBy(options, ownSinks + index)),
    })),
  );
  try {
    const [opened, ...ends] = await Promise.all([Promise.all(letters), reader, writer]);
    return join(options, rejections, { reader: ends[0], writer: ends[1], letters: opened });
  } catch (error) {
    context.abort();
    const closings = [
      closingOf(`the source "${first}"`, async () => (await reader)?.close()),
      closingOf(`the sink "${last}"`, async () => (await writer)?.abort()),
      ...letters.map((letter) => closingOf('the sink of dead letters', async () => (await letter).writer.abort())),
    ];
    await new Promise<void>((resolve) => closeAll(closings, closeLimit, resolve));
    throw error;
  }
}

async function blaming<Opened>({ blame }: OpenTaskOptions, uid: string, open: () => Promise<Opened>): Promise<Opened> {
  try {
    return await open();
  } catch (error) {
    blame?.(uid);
    throw error;
  }
}

async function openSource(
  source: Source<unknown>,
  context: TaskContext,
  plan: unknown,
  from: unknown,
): Promise<SourceReader<unknown>> {
  const reader = await source.open(context, plan, from);
  checkMethods(`open of source "${source.name}"`, reader, ['read', 'close']);
  return reader;
}

/** What a sink had prepared in the restored state. @param output its index among the outputs of the task */
function preparedBy({ restore }: OpenTaskOptions, output: number): readonly PreparedOutput[] {
  const state = restore?.state.outputs[output];
  if (state === undefined) return [];
  if (state.kind !== 'sink') refuseState('a task with a sink', `a ${state.kind}`);
  return state.prepared;
}

/** Commits what was prepared, because its checkpoint is safe, and opens the sink behind it. */
async function openSink(
  sink: Sink<unknown>,
  context: RuntimeContext,
  prepared: readonly PreparedOutput[],
): Promise<SinkWriter<unknown>> {
  const outputs = prepared.map(({ checkpoint, data }) => ({ checkpoint, output: unpackData(data)[0] }));
  for (const { checkpoint, output } of outputs) {
    try {
      await sink.commitPrepared?.(output);
    } catch (error) {
      throw unreadableIfLost(error, checkpoint);
    }
  }
  const writer = await sink.open(context, outputs.at(-1)?.output);
  checkMethods(`open of sink "${sink.name}"`, writer, ['write', 'commit', 'abort']);
  return writer;
}

/** What a checkpoint had prepared is a part of it: without it, the one before has to do. */
function unreadableIfLost(error: unknown, checkpoint: CheckpointId): unknown {
  const lost = causeWithCode<PreparedOutputLostError>(error, 'PREPARED_OUTPUT_LOST');
  if (lost === undefined) return error;
  const { target, location, records } = lost;
  const problem = `the ${records} records for ${target} that were prepared for checkpoint ${checkpoint} are gone, unless you put the file back`;
  return new CheckpointUnreadableError(location, problem, { cause: error });
}

/** @throws InvalidArgumentError unless `opened` has the methods */
function checkMethods(what: string, opened: unknown, methods: readonly string[]): void {
  if (hasMethods(opened, ...methods)) return;
  throw new InvalidArgumentError(what, opened, `an object with the methods ${methods.join(', ')}, or a promise of one`);
}

function join(
  options: OpenTaskOptions,
  rejections: Rejections | undefined,
  { reader, writer, letters }: OpenEnds,
): TaskParts {
  const { program, context, callLimiters, wake, uids, restore } = options;
  const limits: BatchLimits = { batchSize: options.batchSize, batchBytes: options.batchBytes };
  const names = uidsOf(program, uids);
  const outputs = outputsOf(options, limits, writer);
  const source = reader && openInput(options, reader, limits);
  const chain = createOperatorChain(program.operators, context, {
    ...limits,
    callLimiters,
    answers: options.answers,
    createTable: options.createTable,
    uids: names.operators,
    // From the second attempt on, because it costs a few percent. A key function that fails mostly fails again, so
    // the failure that ends the job has its record.
    tracksOrigins:
      rejections !== undefined ||
      (context.attempt > 0 && program.outputs.some(({ partitioning }) => partitioning.kind === 'hash')),
    rejections,
    ends: rejections === undefined ? endsOf(source, outputs) : undefined,
    wake,
  });
  try {
    if (restore !== undefined) {
      restoreChain(chain, restore.state.chain);
      for (const index of program.outputs.keys()) outputs[index]?.restore(restore.state.outputs[index] as OutputState);
    }
    // Channels last: what was opened before may fail, and a pipelined result is read once.
    const input = source ?? openGate(options);
    rejections?.connect(input, letterOutputs(letters, options, input));
    return { input, chain, rejections, outputs, uids: names, isDrained: restore?.state.isDrained === true };
  } catch (error) {
    chain.close();
    throw error;
  }
}

/** Keyed states alone are put into the state of a chain that has none yet. */
function restoreChain(chain: OperatorStage, state: StageState): void {
  const fresh = state.kind === 'keyed' ? chain.snapshot() : undefined;
  if (state.kind !== 'keyed' || fresh?.kind !== 'taken') return chain.restore(state);
  const tables = [...state.tables];
  const filled = mapTables(fresh.state, (empty) => tables.shift() ?? empty);
  if (tables.length > 0) refuseState('a chain with fewer keyed states', `${state.tables.length} of them`);
  chain.restore(filled);
}

/** A writer for each edge, and the sink. */
function outputsOf(
  { program, context, partitions, readers, commitGate }: OpenTaskOptions,
  limits: BatchLimits,
  writer: SinkWriter<unknown> | undefined,
): TaskOutput[] {
  const outputs: TaskOutput[] = program.outputs.map(
    ({ partitioning }, index) =>
      new RecordWriter({
        partition: partitions[index] as ResultPartition,
        selection: selectionOf(partitioning),
        ...limits,
        reader: readers[index] as string,
        subtask: context.subtask,
        freeze: context.environment.freezeRecords,
      }),
  );
  if (writer !== undefined) {
    outputs.push(new SinkOutput(writer, program.sink?.name ?? '', { about: program.sink, gate: commitGate }));
  }
  return outputs;
}

/** The ends that a loop may reach: a source that has records at hand, and an output, if it is the only one. */
function endsOf(source: SourceInput | undefined, outputs: readonly TaskOutput[]): LoopEnds {
  return { head: source?.head, tail: outputs.length === 1 ? outputs[0]?.tail : undefined };
}

function letterOutputs(
  letters: OpenEnds['letters'],
  { batchSize, commitGate }: OpenTaskOptions,
  input: TaskInput,
): ReadonlyMap<string, DeadLetterOutput> {
  return new Map(
    letters.map(({ uid, vertex, sink, writer }) => [
      uid,
      new DeadLetterOutput(uid, new SinkOutput(writer, vertex, { about: sink, gate: commitGate }), batchSize, input),
    ]),
  );
}

function openGate(options: OpenTaskOptions): InputGate {
  const { openChannels, context, restore } = options;
  if (restore !== undefined && restore.state.input.kind !== 'gate') {
    refuseState('a task that reads results', 'one that reads a source');
  }
  return new InputGate(openChannels(), {
    order: options.channelOrder,
    nameOf: options.nameOfChannel,
    bringsBarriers: options.bringsBarriers,
    checkpointBefore: options.checkpointBefore,
    declined: options.declined,
    clock: context.environment.clock,
    restored: restore && { checkpoint: restore.checkpoint, state: restore.state.input as GateState },
  });
}

function openInput(
  { program, context, restore }: OpenTaskOptions,
  reader: SourceReader<unknown>,
  limits: BatchLimits,
): SourceInput {
  const name = nameOfSource(program, context);
  const state = restore?.state.input;
  if (state?.kind === 'gate') refuseState('a task that reads a source', 'one that reads results');
  return new SourceInput(reader, limits, name, context.environment.freezeRecords, state);
}

/** The position of a source's reader; undefined for a gate. */
function positionIn(state: InputState): unknown {
  return state.kind === 'source' ? unpackData(state.position)[0] : undefined;
}

/** `orders.jsonl`, or `orders.jsonl, subtask 2` if there are several. */
function nameOfSource({ source }: VertexProgram, { subtask, parallelism }: TaskContext): string {
  const { name } = source as Source<unknown>;
  return parallelism === 1 ? name : `${name}, subtask ${subtask}`;
}

function uidsOf({ source, sink }: VertexProgram, uids: readonly string[]): TaskParts['uids'] {
  const operators = uids.slice(source === undefined ? 0 : 1, sink === undefined ? undefined : -1);
  return { source: source && uids[0], operators, last: uids.at(-1) as string };
}
