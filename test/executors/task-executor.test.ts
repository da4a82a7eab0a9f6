import type { HeartbeatSettings } from '../../src/actors/protocol/heartbeat.ts';
import { ActorHost } from '../../src/actors/actor-host.ts';
import type { PartitionRegistration, TaskDeployment } from '../../src/actors/protocol/deployment.ts';
import type {
  ExecutorToMasterMessage,
  MasterPort,
  MasterToExecutorMessage,
} from '../../src/actors/protocol/messages.ts';
import type { TaskSurroundings } from '../../src/executors/data-plane.ts';
import { ResultDirectory } from '../../src/executors/result-directory.ts';
import { TaskExecutor } from '../../src/executors/task-executor.ts';
import type {
  AttemptNumber,
  CheckpointId,
  ExecutionVertexId,
  ExecutorId,
  JobVertexId,
  ResultPartitionId,
} from '../../src/ids.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import type { TaskState } from '../../src/operators/state/task-state.ts';
import { HandClock } from '../support/manual-cluster.ts';
import { NotingPartition } from '../support/partition-harness.ts';

const vertex = 2 as ExecutionVertexId;
const statistics = { recordsIn: 3, recordsOut: 2, isCurtailed: false };

const resultOf = (attempt: number): ResultPartitionId => ({ partition: 7, attempt }) as ResultPartitionId;

function deploymentOf(attempt: number): TaskDeployment {
  return {
    vertex,
    attempt: attempt as AttemptNumber,
    task: 'map[0]',
    jobVertex: 'map' as JobVertexId,
    operators: ['map'],
    subtask: 0,
    parallelism: 1,
    channelOrder: 'any',
    inputs: [],
    outputs: [{ edge: 0, partition: resultOf(attempt) }],
  };
}

const registrationOf = (attempt: number): PartitionRegistration => ({
  id: resultOf(attempt),
  edge: 0,
  producer: vertex,
  subpartitionCount: 1,
  origin: 'new',
  isReproducible: true,
});

/** An executor, with a master and tasks played by the test. */
function connected({ heartbeat }: { heartbeat?: HeartbeatSettings } = {}) {
  const clock = new HandClock();
  const said: ExecutorToMasterMessage[] = [];
  const released: ResultPartitionId[] = [];
  const told: unknown[] = [];
  const tasks: (TaskSurroundings & { isCanceled: boolean; isCommitted: boolean })[] = [];
  let tell: (message: MasterToExecutorMessage) => void = () => {};
  const port: MasterPort = {
    post: (message) => said.push(message),
    onMessage: (listener) => {
      tell = listener;
    },
    onClose: () => {},
    onSent: () => {},
    close: () => {},
  };
  const executor = new TaskExecutor({
    executor: 'local-0' as ExecutorId,
    incarnation: 0,
    heartbeat,
    slots: 1,
    port,
    clock,
    directory: new ResultDirectory(),
    actors: ActorHost.root('test', { clock }),
    quarantined: () => {},
    dataPlane: {
      createPartition: ({ id }) =>
        Object.assign(new NotingPartition(1), {
          id,
          exchange: exchangeTypes.reliable,
          release: () => released.push(id),
        }),
      createTask: (_, surroundings) => {
        const task = { ...surroundings, isCanceled: false, isCommitted: false };
        tasks.push(task);
        return {
          start: () => {},
          cancel: () => {
            task.isCanceled = true;
          },
          fail: () => {},
          slow: () => {},
          checkpoint: (barrier) => told.push(['checkpoint', barrier]),
          completeCheckpoint: (checkpoint) => told.push(['completed', checkpoint]),
          abortCheckpoint: (checkpoint) => told.push(['aborted', checkpoint]),
          commit: () => {
            task.isCommitted = true;
          },
        };
      },
      dispose: async () => {},
    },
  });
  executor.connect();
  const deploy = (
    attempt: number,
    inputs: TaskDeployment['inputs'] = [],
  ): TaskSurroundings & { readonly isCanceled: boolean; readonly isCommitted: boolean } => {
    tell({ type: 'results.register', token: attempt, registrations: [registrationOf(attempt)] });
    tell({ type: 'task.deploy', deployment: { ...deploymentOf(attempt), inputs } });
    return tasks.at(-1) as (typeof tasks)[number];
  };
  const ends = (): string[] =>
    said.flatMap((message) =>
      message.type === 'task.finished' || message.type === 'task.failed' || message.type === 'task.canceled'
        ? [`${message.type}#${message.attempt}`]
        : [],
    );
  return {
    executor,
    clock,
    said,
    released,
    told,
    deploy,
    ends,
    tell: (message: MasterToExecutorMessage) => tell(message),
  };
}

type End = [name: string, end: (task: TaskSurroundings) => void];

const everyEnd: readonly End[] = [
  ['task.finished', (task) => task.finished(statistics)],
  ['task.failed', (task) => task.failed(new Error('broken'), statistics, undefined)],
  ['task.canceled', (task) => task.canceled(statistics)],
];

describe('a task executor that watches its master', () => {
  const heartbeat = { intervalMs: 100, timeoutMs: 500, failedSends: 2 };

  it('answers a request with its state, and a plain silence with nothing', () => {
    const { deploy, said, tell, clock } = connected({ heartbeat });
    const task = deploy(3);
    const attempt = { vertex, attempt: 3, recordsIn: 0, recordsOut: 0 };
    const answers = (): unknown[] => said.splice(0).filter(({ type }) => type === 'heartbeat.report');
    tell({ type: 'heartbeat.request', number: 7 });
    task.initializing();
    task.running();
    tell({ type: 'heartbeat.request', number: 8 });
    task.finished(statistics);
    tell({ type: 'heartbeat.request', number: 9 });
    clock.advance(200);
    expect(answers()).toMatchObject([
      { answers: 7, tasks: [{ ...attempt, state: 'deploying' }] },
      { answers: 8, tasks: [{ ...attempt, state: 'running' }] },
      { answers: 9, tasks: [] },
    ]);
  });

  it('TE3: cancels its tasks if the master is silent, and says that it leaves, as its last message', () => {
    const { deploy, said, clock, executor } = connected({ heartbeat });
    const task = deploy(0);
    clock.advance(499);
    expect(task.isCanceled).toBe(false);
    clock.advance(1);
    expect([task.isCanceled, executor.runs(vertex)]).toEqual([true, false]);
    for (const [, end] of everyEnd) end(task);
    clock.advance(1_000);
    expect(said.at(-1)).toEqual({ type: 'executor.left', why: 'the master is lost: it was not heard for 500 ms' });
    expect(clock.pendingCount).toBe(0);
  });

  it('TE3: after a stall of its own it asks the master once more', () => {
    const { deploy, said, tell, clock } = connected({ heartbeat });
    const task = deploy(0);
    said.length = 0;
    clock.stall(20_000);
    expect(said).toMatchObject([{ type: 'heartbeat.report', answers: undefined }]);
    clock.advance(499);
    tell({ type: 'heartbeat.request', number: 1 });
    clock.advance(499);
    expect(task.isCanceled).toBe(false);
  });

  it('ends its watch when it is stopped', () => {
    const { tell, clock } = connected({ heartbeat });
    tell({ type: 'executor.stop', token: 1, hasFinished: false });
    expect(clock.pendingCount).toBe(0);
  });
});

describe('a task executor', () => {
  it.each(everyEnd)('TE1: reports one end of an attempt, the first: %s', (name, end) => {
    const { deploy, ends, executor } = connected();
    const task = deploy(0);
    expect(executor.runs(vertex)).toBe(true);
    end(task);
    for (const [, again] of everyEnd) again(task);
    expect([ends(), executor.runs(vertex)]).toEqual([[`${name}#0`], false]);
  });

  it('TE1: the end of an attempt is not the end of the next', () => {
    const { deploy, ends } = connected();
    const first = deploy(0);
    first.failed(new Error('broken'), statistics, undefined);
    const second = deploy(1);
    first.finished(statistics);
    expect(ends()).toEqual(['task.failed#0']);
    second.finished(statistics);
    expect(ends()).toEqual(['task.failed#0', 'task.finished#1']);
  });

  it('TE1: cancels only the named attempt', () => {
    const { deploy, tell } = connected();
    const task = deploy(1);
    tell({ type: 'task.cancel', vertex, attempt: 0 as AttemptNumber });
    expect(task.isCanceled).toBe(false);
    tell({ type: 'task.cancel', vertex, attempt: 1 as AttemptNumber });
    expect(task.isCanceled).toBe(true);
  });

  it('TE1: an attempt that asks may commit, and no other, until it has ended', () => {
    const { deploy, tell, said } = connected();
    const task = deploy(1);
    task.prepared();
    expect(said.at(-1)).toEqual({ type: 'task.prepared', vertex, attempt: 1 });
    tell({ type: 'task.commit', vertex, attempt: 0 as AttemptNumber });
    expect(task.isCommitted).toBe(false);
    tell({ type: 'task.commit', vertex, attempt: 1 as AttemptNumber });
    expect(task.isCommitted).toBe(true);
    task.finished(statistics);
    task.prepared();
    expect(said.at(-1)?.type).toBe('task.finished');
  });

  it.each<[how: string, message: MasterToExecutorMessage]>([
    ['quarantined', { type: 'executor.quarantine', why: 'a task on it does not end' }],
    ['stopped', { type: 'executor.stop', token: 9, hasFinished: false }],
  ])('TE1: reports no end once it is %s, and cancels its tasks', (_, message) => {
    const { deploy, ends, tell, executor } = connected();
    const task = deploy(0);
    tell(message);
    for (const [, end] of everyEnd) end(task);
    expect([task.isCanceled, ends(), executor.runs(vertex)]).toEqual([true, [], false]);
    tell({ type: 'task.deploy', deployment: deploymentOf(1) });
    expect(executor.runs(vertex)).toBe(false);
  });

  const aboutCheckpoint = { vertex, attempt: 1 as AttemptNumber, checkpoint: 4 as CheckpointId };

  it('tells a task about a checkpoint', () => {
    const { deploy, tell, told } = connected();
    deploy(1);
    tell({ type: 'checkpoint.trigger', ...aboutCheckpoint, alignment: 'exactly-once' });
    tell({ type: 'checkpoint.trigger', ...aboutCheckpoint, alignment: 'at-least-once' });
    const done = { checkpoint: 4 as CheckpointId, tasks: [aboutCheckpoint], oldest: undefined, passed: [] };
    tell({ type: 'checkpoint.completed', ...done });
    tell({ type: 'checkpoint.aborted', checkpoint: 5 as CheckpointId, tasks: [aboutCheckpoint] });
    tell({
      type: 'checkpoint.aborted',
      checkpoint: 6 as CheckpointId,
      tasks: [{ ...aboutCheckpoint, attempt: 0 as AttemptNumber }],
    });
    expect(told).toEqual([
      ['checkpoint', { kind: 'barrier', checkpoint: 4 }],
      ['checkpoint', { kind: 'barrier', checkpoint: 4, alignment: 'at-least-once' }],
      ['completed', 4],
      ['aborted', 5],
    ]);
  });

  it('declines a checkpoint of a task that does not run here', () => {
    const { deploy, tell, told, said } = connected();
    const trigger = (attempt: number): void =>
      tell({
        type: 'checkpoint.trigger',
        ...aboutCheckpoint,
        attempt: attempt as AttemptNumber,
        alignment: 'exactly-once',
      });
    trigger(0);
    const task = deploy(1);
    trigger(0);
    task.running();
    task.finished(statistics);
    trigger(1);
    const declined = said.filter(({ type }) => type === 'checkpoint.declined');
    const about = { vertex, checkpoint: 4, reason: 'notRunning' };
    expect(declined).toMatchObject([0, 0, 1].map((attempt) => ({ ...about, attempt })));
    expect(told).toEqual([]);
  });

  it('acknowledges a checkpoint with the state of the task, and with the places of the barrier in retained results', () => {
    const { deploy, said } = connected();
    const task = deploy(1);
    const state: TaskState = {
      input: { kind: 'gate', channels: [7], order: undefined },
      chain: { kind: 'passing', waiting: new Uint8Array(5), isOver: false },
      outputs: [{ kind: 'writer', next: 0, records: [12] }],
    };
    const checkpoint = 4 as CheckpointId;
    task.checkpointed({ kind: 'taken', checkpoint, state, alignmentMs: 3, snapshotMs: 1 });
    task.checkpointed({ kind: 'declined', checkpoint, reason: 'noState', cause: new Error('a pipe') });
    task.finished(statistics);
    task.checkpointed({ kind: 'taken', checkpoint, state, alignmentMs: 3, snapshotMs: 1 });
    const reports = said.filter(({ type }) => type.startsWith('checkpoint.'));
    expect(reports).toMatchObject([
      {
        ...{ type: 'checkpoint.acknowledged', ...aboutCheckpoint, state: { kind: 'inline', state } },
        outputs: [{ edge: 0, records: [12] }],
        statistics: { bytes: 5, alignmentMs: 3, snapshotMs: 1 },
      },
      { type: 'checkpoint.declined', ...aboutCheckpoint, reason: 'noState', cause: { message: 'a pipe' } },
    ]);
  });

  it.each(everyEnd)('TE2: holds the results of a task after %s, until it is told to release them', (_, end) => {
    const { deploy, released, tell } = connected();
    end(deploy(0));
    tell({ type: 'executor.quarantine', why: 'a task on it does not end' });
    expect(released).toEqual([]);
    tell({ type: 'results.release', ids: [resultOf(0)], traced: [] });
    expect(released).toEqual([resultOf(0)]);
  });

  it('TE2: releases its results when it is stopped', async () => {
    const { deploy, released, executor } = connected();
    deploy(0).finished(statistics);
    await executor.stop();
    expect(released).toEqual([resultOf(0)]);
  });
});
