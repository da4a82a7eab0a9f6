import type { ExecutorToMasterMessage, MasterToExecutorMessage } from '../../src/actors/protocol/messages.ts';
import type {
  AttemptNumber,
  CheckpointId,
  ExecutionVertexId,
  JobVertexId,
  ResultPartitionId,
  RunId,
} from '../../src/ids.ts';
import { fromPlainError, toPlainError } from '../../src/plain-error.ts';
import { PartitionLostError } from '../../src/errors/result-errors.ts';

type ByType<Message extends { readonly type: string }> = {
  readonly [Type in Message['type']]: Extract<Message, { readonly type: Type }>;
};

const vertex = 3 as ExecutionVertexId;
const attempt = 1 as AttemptNumber;
const id = { run: 'run-1' as RunId, partition: 4, attempt } as ResultPartitionId;
const cause = toPlainError(
  new PartitionLostError(id, 'gone', { cause: new AggregateError([new TypeError('a')], 'both') }),
);
const statistics = { recordsIn: 1, recordsOut: 2, isCurtailed: true };
const kept = [{ source: 'a', target: 'b', directory: 'kept', records: 1, bytes: 9 }];
const end = { vertex, attempt, statistics };

/** The files of a kept result. */
const lain = { partition: id.partition, attempt, records: 3, segments: [10, 5] };

const toExecutor = {
  'task.deploy': {
    type: 'task.deploy',
    deployment: {
      vertex,
      attempt,
      task: 'map[1]',
      jobVertex: 'map' as JobVertexId,
      operators: ['map', 'filter'],
      subtask: 1,
      parallelism: 2,
      channelOrder: 'again',
      inputs: [{ edge: 0, partitions: [id], subpartition: 1, fromRecords: [12] }],
      outputs: [{ edge: 1, partition: id }],
      restore: {
        checkpoint: 7 as CheckpointId,
        state: {
          input: { kind: 'gate', channels: [12], order: { run: 3, taken: 1 } },
          chain: { kind: 'passing', waiting: new Uint8Array([1, 2]), isOver: false },
          outputs: [{ kind: 'writer', next: 1 }],
        },
      },
    },
  },
  'task.cancel': { type: 'task.cancel', vertex, attempt },
  'task.fail': { type: 'task.fail', vertex, attempt, cause: toPlainError(new Error('injected')) },
  'task.slow': { type: 'task.slow', vertex, attempt, delayMs: 50 },
  'results.register': {
    type: 'results.register',
    token: 1,
    registrations: [{ id, edge: 0, producer: vertex, subpartitionCount: 2, origin: 'unread', isReproducible: true }],
  },
  'results.verify': { type: 'results.verify', token: 2, ids: [id] },
  'result.lose': { type: 'result.lose', id, cause },
  'results.release': { type: 'results.release', ids: [id], traced: [id] },
  'results.allowReclaim': { type: 'results.allowReclaim', ids: [id], traced: [] },
  'results.forbidReclaim': { type: 'results.forbidReclaim', ids: [id] },
  'results.promote': { type: 'results.promote', token: 3, edges: [{ edge: 0, results: [id] }] },
  'results.keep': { type: 'results.keep', token: 4, edges: [{ edge: 0, partitions: [lain] }] },
  'executor.quarantine': { type: 'executor.quarantine', why: 'a task on it does not end' },
  'executor.stop': { type: 'executor.stop', token: 5, hasFinished: true },
} satisfies ByType<MasterToExecutorMessage>;

const toMaster = {
  'executor.connected': { type: 'executor.connected', slots: Number.POSITIVE_INFINITY },
  'task.initializing': { type: 'task.initializing', vertex, attempt },
  'task.running': { type: 'task.running', vertex, attempt },
  'task.finished': { type: 'task.finished', ...end },
  'task.canceled': { type: 'task.canceled', ...end },
  'task.failed': {
    type: 'task.failed',
    ...end,
    cause,
    place: { operator: 'rate', record: { position: 'cities.csv:3', picture: '{}' } },
  },
  'record.rejected': {
    ...{ type: 'record.rejected', vertex, attempt, outcome: 'deadLetter', cause },
    place: { operator: 'map', record: { position: 'rows.jsonl:3', picture: '{}' } },
  },
  'source.planned': {
    type: 'source.planned',
    jobVertex: 'map' as JobVertexId,
    plan: { files: ['a.csv'], at: new Date(7) },
  },
  'task.leftOpen': { type: 'task.leftOpen', vertex, attempt, what: 'sink' },
  'results.registered': { type: 'results.registered', token: 1, failed: { producer: vertex, cause } },
  'results.verified': {
    type: 'results.verified',
    token: 2,
    lost: [{ id, cause }],
    found: [{ id, records: 5, bytes: 80 }],
  },
  'results.promoted': { type: 'results.promoted', token: 3, edges: [{ edge: 0, partitions: [lain] }] },
  'results.kept': { type: 'results.kept', token: 4, kept },
  'results.promotionFailed': { type: 'results.promotionFailed', token: 3, cause },
  'result.truncated': { type: 'result.truncated', id },
  'result.traceless': { type: 'result.traceless', id },
  'results.reclaimed': { type: 'results.reclaimed', ids: [id] },
  'executor.stopped': { type: 'executor.stopped', token: 5 },
} satisfies ByType<ExecutorToMasterMessage>;

/** Tasks and results that are named by number without an attempt. */
function namelessIn(part: object): object[] {
  const isNameless = ('vertex' in part || isNumber(part, 'partition')) && !isNumber(part, 'attempt');
  const parts = Object.values(part).filter((value) => typeof value === 'object' && value !== null) as object[];
  return [...(isNameless ? [part] : []), ...parts.flatMap(namelessIn)];
}

function isNumber(part: object, key: string): boolean {
  return typeof (part as Record<string, unknown>)[key] === 'number';
}

describe('messages between the job master and executors', () => {
  it.each(Object.entries({ ...toExecutor, ...toMaster }))('%s is plain data', (_, message) => {
    expect(structuredClone(message)).toStrictEqual(message);
  });

  it.each(Object.entries({ ...toExecutor, ...toMaster }))(
    'W3: %s names the attempt of each task and result',
    (_, message) => {
      expect(namelessIn(message)).toEqual([]);
    },
  );

  it('an error in a message is the original error on the same thread', () => {
    const revived = fromPlainError(structuredClone(toMaster['task.failed']).cause);
    expect(revived).toBeInstanceOf(PartitionLostError);
    expect(revived).toMatchObject({ partition: 4, attempt: 1, cause: { errors: [{ message: 'a' }] } });
  });
});
