import type { ExecutorToMasterMessage, MasterToExecutorMessage } from '../../src/actors/protocol/messages.ts';
import type {
  AttemptNumber,
  ExecutorId,
  CheckpointId,
  ExecutionVertexId,
  JobVertexId,
  ResultPartitionId,
  RunId,
} from '../../src/ids.ts';
import { fromPlainError, toPlainError } from '../../src/plain-error.ts';
import { messageChecks } from '../../src/actors/checked-port.ts';
import { createJobGraph } from '../../src/graph/job-graph.ts';
import { protocolVersion } from '../../src/version.ts';
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
const end = { vertex, attempt, statistics };

/** The files of a kept result. */
const lain = { partition: id.partition, attempt, records: 3, segments: [10, 5], directory: 'kept' };

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
      inputs: [{ edge: 0, partitions: [id], subpartition: 1 }],
      outputs: [{ edge: 1, partition: id }],
      restore: {
        checkpoint: 7 as CheckpointId,
        state: { kind: 'stored', offset: 0, location: 'run-1/7/map-1', bytes: 9_000, crc: 2 ** 32 - 1 },
      },
      checkpointBefore: 9 as CheckpointId,
    },
  },
  'task.cancel': { type: 'task.cancel', vertex, attempt },
  'task.commit': { type: 'task.commit', vertex, attempt },
  'task.fail': { type: 'task.fail', vertex, attempt, cause: toPlainError(new Error('injected')) },
  'task.slow': { type: 'task.slow', vertex, attempt, delayMs: 50 },
  'checkpoint.trigger': {
    ...{ type: 'checkpoint.trigger', vertex, attempt, checkpoint: 8 as CheckpointId },
    alignment: 'exactly-once',
  },
  'checkpoint.completed': {
    ...{ type: 'checkpoint.completed', checkpoint: 8 as CheckpointId, tasks: [{ vertex, attempt }] },
    ...{ oldest: 7 as CheckpointId, passed: [{ result: id, records: [12, 0] }] },
  },
  'checkpoint.aborted': { type: 'checkpoint.aborted', checkpoint: 8 as CheckpointId, tasks: [{ vertex, attempt }] },
  'results.register': {
    type: 'results.register',
    token: 1,
    registrations: [
      {
        ...{ id, edge: 0, producer: vertex, subpartitionCount: 2, origin: 'unread', isReproducible: true },
        fromRecords: [12, 0],
      },
    ],
  },
  'results.verify': { type: 'results.verify', token: 2, ids: [id] },
  'result.lose': { type: 'result.lose', id, cause },
  'results.release': { type: 'results.release', ids: [id], traced: [id] },
  'results.allowReclaim': { type: 'results.allowReclaim', ids: [id], traced: [] },
  'results.forbidReclaim': { type: 'results.forbidReclaim', ids: [id] },
  'results.placed': { type: 'results.placed', ids: [id], executor: 'worker-1' as ExecutorId },
  'results.promote': { type: 'results.promote', token: 3, edges: [{ edge: 0, results: [id] }] },
  'heartbeat.request': { type: 'heartbeat.request', number: 7 },
  'executor.quarantine': { type: 'executor.quarantine', why: 'a task on it does not end' },
  'executor.release': { type: 'executor.release', token: 6 },
  'executor.stop': { type: 'executor.stop', token: 5, hasFinished: true },
} satisfies ByType<MasterToExecutorMessage>;

const toMaster = {
  'executor.connected': {
    type: 'executor.connected',
    protocol: protocolVersion,
    incarnation: 2,
    slots: Number.POSITIVE_INFINITY,
  },
  'heartbeat.report': {
    type: 'heartbeat.report',
    answers: 7,
    tasks: [{ vertex, attempt, state: 'running', recordsIn: 3, recordsOut: 2, waitedMs: 5 }],
    results: [{ id, ageMs: 10, records: 3, batches: 1, memoryBytes: 100, spilledBytes: 0 }],
    memoryBytes: 100,
    diskBytes: 0,
  },
  'executor.left': { type: 'executor.left', why: 'the master is lost' },
  'message.invalid': {
    type: 'message.invalid',
    receiver: 'executor',
    message: 'task.deploy',
    problem: 'deployment.attempt is "1", not a whole number',
  },
  'task.initializing': { type: 'task.initializing', vertex, attempt },
  'task.running': { type: 'task.running', vertex, attempt },
  'task.prepared': { type: 'task.prepared', vertex, attempt },
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
  'checkpoint.acknowledged': {
    ...{ type: 'checkpoint.acknowledged', vertex, attempt, checkpoint: 8 as CheckpointId },
    state: {
      kind: 'inline',
      state: {
        input: { kind: 'gate', channels: [12], order: { run: 3, taken: 1 } },
        chain: { kind: 'passing', waiting: new Uint8Array([1, 2]), isOver: false },
        outputs: [{ kind: 'writer', next: 1, records: [12, 0] }],
      },
    },
    outputs: [{ edge: 1, records: [12, 0] }],
    statistics: { bytes: 70, referencedBytes: 0, alignmentMs: 2, snapshotMs: 0.5, writeMs: 0 },
  },
  'checkpoint.declined': {
    ...{ type: 'checkpoint.declined', vertex, attempt, checkpoint: 8 as CheckpointId },
    ...{ reason: 'noState', cause },
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

/** Copies of a message, each with one part of another form; by the path to the part. */
function* breakages(message: object): Generator<readonly [path: string, broken: object]> {
  for (const path of pathsIn(message)) {
    const broken = withPart(message, path);
    yield [
      path
        .map((key) => (/^\d+$/.test(key) ? `[${key}]` : `.${key}`))
        .join('')
        .slice(1),
      broken,
    ];
  }
}

/** A copy in which a part is a function. */
function withPart(part: unknown, [key, ...rest]: readonly string[]): object {
  if (key === undefined) return () => {};
  const copy = (Array.isArray(part) ? [...part] : { ...(part as object) }) as Record<string, unknown>;
  copy[key] = withPart(copy[key], rest);
  return copy;
}

function pathsIn(part: object, before: readonly string[] = []): string[][] {
  return Object.entries(part).flatMap(([key, value]) => {
    if (value === undefined) return [];
    const path = [...before, key];
    const isParent =
      typeof value === 'object' && value !== null && !ArrayBuffer.isView(value) && !(value instanceof Date);
    return [path, ...(isParent ? pathsIn(value as object, path) : [])];
  });
}

/** Parts that only their receiver understands. */
function isOpaque(type: string, path: string): boolean {
  return (
    path.startsWith('state.state.') ||
    (type === 'source.planned' && path.startsWith('plan')) ||
    /(^|\.)data\./.test(path)
  );
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

  const checks = messageChecks({
    vertexCount: 5,
    partitionCount: 5,
    jobGraph: createJobGraph('job', [{ id: 'map', parallelism: 5 }], []),
  });
  const checkOf = (message: object) => {
    const { type } = message as { readonly type: string };
    return type in toExecutor ? checks.command(message) : checks.report(message);
  };

  it.each(Object.entries({ ...toExecutor, ...toMaster }))('W7: %s is valid as it arrives', (_, message) => {
    expect(checkOf(structuredClone(message))).toBeUndefined();
  });

  it.each(Object.entries({ ...toExecutor, ...toMaster }))(
    'W7: %s is not valid with a part missing or of another form, and the problem names the part',
    (type, message) => {
      for (const [path, broken] of breakages(message)) {
        const problem = checkOf(broken);
        if (isOpaque(type, path)) expect(problem).toBeUndefined();
        else expect(problem?.startsWith(path === 'type' ? 'its type is not known' : `${path} is `)).toBe(true);
      }
    },
  );

  it.each([null, undefined, 7, 'task.cancel', [], {}, { type: 'task.explode' }, { type: 'toString' }])(
    'W7: %j is no message',
    (foreign) => {
      expect([checks.command(foreign), checks.report(foreign)]).not.toContain(undefined);
    },
  );

  it('W7: tasks and results beyond the job are not valid', () => {
    expect(checkOf({ ...toExecutor['task.cancel'], vertex: 5 as ExecutionVertexId })).toBe(
      'vertex is 5, not a whole number below 5',
    );
    expect(checkOf({ ...toMaster['results.reclaimed'], ids: [id, { ...id, partition: 5 }] })).toBe(
      'ids[1].partition is 5, not a whole number below 5',
    );
  });

  it('W6: of another version of the protocol only that is understood', () => {
    const other = { type: 'executor.connected', protocol: protocolVersion + 1, seats: 'many' };
    expect([checkOf(other), checkOf({ ...other, protocol: protocolVersion })]).toEqual([
      undefined,
      'incarnation is undefined, not a whole number',
    ]);
  });

  it('an error in a message is the original error on the same thread', () => {
    const revived = fromPlainError(structuredClone(toMaster['task.failed']).cause);
    expect(revived).toBeInstanceOf(PartitionLostError);
    expect(revived).toMatchObject({ partition: 4, attempt: 1, cause: { errors: [{ message: 'a' }] } });
  });
});
