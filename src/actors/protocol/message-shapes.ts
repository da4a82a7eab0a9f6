import type { ExecutionGraph } from '../../graph/execution-graph.ts';
import { protocolVersion } from '../../version.ts';
import { checkpointCommands, checkpointReports, stateHandle } from './checkpoint-shapes.ts';
import type { ExecutorToMasterMessage, MasterToExecutorMessage } from './messages.ts';
import {
  amount,
  anything,
  flag,
  list,
  nested,
  object,
  oneOf,
  optional,
  orNull,
  type Shape,
  text,
  whole,
} from './shapes.ts';

/** The size of a job, beyond which a message refers to nothing. */
export type JobSize = Pick<ExecutionGraph, 'vertexCount' | 'partitionCount' | 'jobGraph'>;

/** What is wrong with a message; undefined if nothing is. W7 */
export type MessageCheck = (message: unknown) => string | undefined;

/** Deeper causes are cut off before an error is sent. */
const mostCauses = 20;

/** An error as data. */
export const plainError = nested(mostCauses, (inner) =>
  object({
    name: text,
    message: text,
    stack: optional(text),
    data: object({}),
    // A cause that is no error has only a value.
    cause: optional((cause) => (hasValue(cause) ? undefined : inner(cause))),
    errors: optional(list(inner)),
  }),
);

function hasValue(cause: unknown): boolean {
  return typeof cause === 'object' && cause !== null && 'value' in cause;
}

const token = whole();

const slots: Shape = (value) =>
  value === 0 ? ' is 0, not at least 1' : value === Infinity ? undefined : whole()(value);
const attempt = whole();

/** Where a record failed. */
export const place = object({
  operator: text,
  record: optional(object({ position: optional(text), picture: optional(text) })),
});

const calls = object({ made: amount, reused: amount, again: amount });

const statistics = object({
  recordsIn: amount,
  recordsOut: amount,
  isCurtailed: flag,
  rejected: optional(
    list(object({ operator: text, skipped: amount, deadLetters: amount, replaced: amount, records: optional(amount) })),
  ),
  calls: optional(calls),
});

/** The parts of messages that refer to the job. */
function partsOf({ vertexCount, partitionCount, jobGraph }: JobSize) {
  const vertex = whole(vertexCount);
  const partition = whole(partitionCount);
  const id = object({ partition, attempt, run: optional(text) });
  const stored = object({ run: text, partition, attempt, records: amount, bytes: amount });
  const promoted = object({ partition, attempt, records: amount, segments: list(amount), directory: text });
  return {
    ...{ vertex, id, stored },
    jobVertex: oneOf(...jobGraph.vertices.map((jobVertex) => jobVertex.id)),
    ids: list(id),
    promotedEdges: list(object({ edge: whole(), partitions: list(promoted) })),
  };
}

type Table<Message extends { readonly type: string }> = Readonly<
  Record<Message['type'], Readonly<Record<string, Shape>>>
>;

/** Checks the messages of the master. */
export function commandCheck(size: JobSize): MessageCheck {
  const { vertex, id, stored, jobVertex, ids } = partsOf(size);
  const task = { vertex, attempt };
  const deployment = object({
    ...{ vertex, attempt, jobVertex, task: text, operators: list(text), subtask: whole(), parallelism: whole() },
    channelOrder: oneOf('any', 'new', 'again'),
    inputs: list(
      object({
        ...{ edge: whole(), partitions: ids, subpartition: whole() },
        executors: optional(list(orNull(text))),
      }),
    ),
    outputs: list(object({ edge: whole(), partition: id })),
    sourcePlan: optional(object({ plan: anything })),
    restore: optional(object({ checkpoint: whole(), state: stateHandle })),
    checkpointBefore: optional(whole()),
    checkpointScope: optional(text),
    asksToCommit: optional(flag),
    beside: optional(attempt),
  });
  const registration = object({
    ...{ id, edge: whole(), producer: vertex, subpartitionCount: whole(), isReproducible: flag },
    origin: oneOf('new', 'again', 'unread', 'restored', 'beside'),
    stored: optional(stored),
    fromRecords: optional(list(whole())),
    isEndOnly: optional(flag),
  });
  const table: Table<MasterToExecutorMessage> = {
    'task.deploy': { deployment },
    'task.cancel': task,
    'task.commit': task,
    'task.fail': { ...task, cause: plainError },
    'task.slow': { ...task, delayMs: amount },
    ...checkpointCommands(task, id),
    'results.register': { token, registrations: list(registration) },
    'results.verify': { token, ids },
    'result.lose': { id, cause: plainError },
    'results.release': { ids, traced: ids },
    'results.allowReclaim': { ids, traced: ids },
    'results.forbidReclaim': { ids },
    'results.placed': { ids, executor: text },
    'results.promote': { token, edges: list(object({ edge: whole(), results: ids })) },
    'heartbeat.request': { number: whole() },
    'executor.quarantine': { why: text },
    'executor.release': { token },
    'executor.stop': { token, hasFinished: flag },
  };
  return checkBy(table);
}

/** Checks the messages of executors. */
export function reportCheck(size: JobSize): MessageCheck {
  const { vertex, id, stored, jobVertex, ids, promotedEdges } = partsOf(size);
  const task = { vertex, attempt };
  const end = { ...task, statistics };
  const reported = object({
    ...task,
    state: oneOf('deploying', 'initializing', 'running'),
    recordsIn: amount,
    recordsOut: amount,
    waitedMs: amount,
  });
  const held = object({
    id,
    ageMs: amount,
    records: amount,
    batches: amount,
    memoryBytes: amount,
    spilledBytes: amount,
  });
  const table: Table<ExecutorToMasterMessage> = {
    'executor.connected': { protocol: whole(), incarnation: whole(), slots },
    'heartbeat.report': {
      answers: optional(whole()),
      tasks: list(reported),
      memoryBytes: amount,
      diskBytes: amount,
      results: optional(list(held)),
    },
    'executor.left': { why: text },
    'message.invalid': { receiver: oneOf('master', 'executor'), message: text, problem: text },
    'task.initializing': task,
    'task.running': task,
    'task.prepared': task,
    'task.finished': { ...end, stored: optional(list(object({ edge: whole(), stored }))) },
    'task.canceled': end,
    'task.failed': { ...end, cause: plainError, place: optional(place) },
    'record.rejected': { ...task, outcome: oneOf('skipped', 'deadLetter', 'replaced'), cause: plainError, place },
    ...checkpointReports(task, plainError),
    'source.planned': { jobVertex, plan: anything },
    'task.leftOpen': { ...task, what: text },
    'results.registered': { token, failed: optional(object({ producer: vertex, cause: plainError })) },
    'results.verified': {
      token,
      lost: list(object({ id, cause: plainError })),
      found: list(object({ id, records: amount, bytes: amount })),
    },
    'results.promoted': { token, edges: promotedEdges },
    'results.promotionFailed': { token, cause: plainError },
    'result.truncated': { id },
    'result.traceless': { id },
    'results.reclaimed': { ids },
    'executor.stopped': { token },
  };
  const check = checkBy(table);
  return (message) => (speaksAnotherVersion(message) ? undefined : check(message));
}

/** W6: of an executor with another version only that version is understood, and it is refused for it. */
function speaksAnotherVersion(message: unknown): boolean {
  const { type, protocol } = (message ?? {}) as { readonly type?: unknown; readonly protocol?: unknown };
  return type === 'executor.connected' && Number.isInteger(protocol) && protocol !== protocolVersion;
}

function checkBy(table: Readonly<Record<string, Readonly<Record<string, Shape>>>>): MessageCheck {
  const shapes = new Map(Object.entries(table).map(([type, fields]) => [type, object(fields)]));
  return (message) => {
    if (typeof message !== 'object' || message === null) return 'it is no object';
    const { type } = message as { readonly type?: unknown };
    const shape = shapes.get(type as string);
    return shape === undefined ? 'its type is not known' : shape(message)?.replace(/^\./, '');
  };
}
