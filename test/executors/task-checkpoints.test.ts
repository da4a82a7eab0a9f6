import type { TaskDeployment } from '../../src/actors/protocol/deployment.ts';
import type { ExecutorToMasterMessage } from '../../src/actors/protocol/messages.ts';
import type { CheckpointStorage } from '../../src/checkpoints/checkpoint-storage.ts';
import { CheckpointStorageError } from '../../src/errors/checkpoint-errors.ts';
import { TaskCheckpoints } from '../../src/executors/task-checkpoints.ts';
import type { AttemptNumber, CheckpointId, ExecutionVertexId, JobVertexId, ResultPartitionId } from '../../src/ids.ts';
import type { TaskState } from '../../src/operators/state/task-state.ts';
import { memoryCheckpoints } from '../../src/partitions/checkpoints/checkpoint-storages.ts';
import { storageOver } from '../support/storage-over.ts';
import { HandClock } from '../support/manual-cluster.ts';

const deployment: TaskDeployment = {
  vertex: 2 as ExecutionVertexId,
  attempt: 1 as AttemptNumber,
  task: 'map[0]',
  jobVertex: 'map' as JobVertexId,
  operators: ['map'],
  subtask: 0,
  parallelism: 1,
  channelOrder: 'any',
  checkpointScope: 'run.source[0]',
  inputs: [],
  outputs: [],
};

const stateOf = (bytes: number): TaskState => ({
  input: { kind: 'gate', channels: [7], order: undefined },
  chain: { kind: 'passing', waiting: new Uint8Array(bytes), isOver: false },
  outputs: [],
});

const turn = (): Promise<void> => new Promise(setImmediate);

/** The part of an executor with one task, whose states wait for `open` before they are written. */
function rig(failure?: unknown, storage: CheckpointStorage = memoryCheckpoints()) {
  const said: ExecutorToMasterMessage[] = [];
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const slow = storageOver(storage, {
    write: async (...given) => {
      await opened;
      if (failure !== undefined) throw failure;
      return await storage.write(...given);
    },
  });
  const clock = new HandClock();
  const forgotten: string[] = [];
  const checkpoints = new TaskCheckpoints({
    tasks: { get: () => ({ deployment, actor: { send: () => {} } }) },
    results: {
      isRetained: () => false,
      forget: ({ result, records }) =>
        void forgotten.push(`${result.partition}#${result.attempt} to ${records.join()}`),
      forgetOrder: (vertex, before) => void forgotten.push(`order of ${vertex} before ${before}`),
    },
    port: { post: (message) => void said.push(message) },
    ...{ clock, storage: slow },
  });
  const take = (checkpoint: number, bytes: number): void =>
    checkpoints.report(deployment, {
      ...{ kind: 'taken', checkpoint: checkpoint as CheckpointId, state: stateOf(bytes) },
      ...{ alignmentMs: 0, snapshotMs: 0 },
    });
  const abort = (checkpoint: number): void =>
    checkpoints.take({
      ...{ type: 'checkpoint.aborted', checkpoint: checkpoint as CheckpointId },
      tasks: [{ vertex: deployment.vertex, attempt: deployment.attempt }],
    });
  return { checkpoints, forgotten, said, take, abort, clock, open: () => (open(), turn()) };
}

describe('a completed checkpoint', () => {
  const { vertex, attempt } = deployment;
  const passed = [{ result: { partition: 4, attempt: 2 } as ResultPartitionId, records: [12, 0] }];

  it('lets results and orders forget what every retained one has passed', () => {
    const { checkpoints, forgotten } = rig();
    const completed = {
      type: 'checkpoint.completed',
      checkpoint: 7 as CheckpointId,
      tasks: [{ vertex, attempt }],
    } as const;
    checkpoints.take({ ...completed, oldest: undefined, passed: [] });
    expect(forgotten).toEqual([]);
    checkpoints.take({ ...completed, oldest: 5 as CheckpointId, passed });
    expect(forgotten).toEqual(['4#2 to 12,0', 'order of 2 before 5']);
  });
});

describe('the states of tasks', () => {
  it('travel in the report if they are small, and are stored if they are not', async () => {
    const { said, take, clock, open } = rig();
    take(1, 4_000);
    take(2, 4_200);
    expect(said).toMatchObject([{ type: 'checkpoint.acknowledged', checkpoint: 1, state: { kind: 'inline' } }]);
    clock.advance(30);
    await open();
    const location = 'run.source%5b0%5d/0000000002-map.0%231.state';
    const state = { kind: 'stored', location: expect.stringMatching(new RegExp(location, 'i')) as string };
    const statistics = { bytes: expect.any(Number) as number, referencedBytes: 0, writeMs: 30 };
    expect(said.slice(1)).toMatchObject([{ type: 'checkpoint.acknowledged', checkpoint: 2, state, statistics }]);
  });

  it('TC1: are reported before the end of their task', async () => {
    const { said, take, checkpoints, open } = rig();
    const ends: string[] = [];
    take(1, 5_000);
    take(2, 5_000);
    checkpoints.whenWritten(deployment, () => ends.push(`end after ${said.length} reports`));
    expect(ends).toEqual([]);
    await open();
    expect(ends).toEqual(['end after 2 reports']);
    checkpoints.whenWritten(deployment, () => ends.push('at once'));
    expect(ends).toHaveLength(2);
  });

  it('TC1: are awaited no more once their checkpoints are aborted, or the attempt is', async () => {
    const { said, take, abort, checkpoints, open } = rig();
    const ends: string[] = [];
    take(1, 5_000);
    take(2, 5_000);
    checkpoints.whenWritten(deployment, () => ends.push('finished'));
    abort(1);
    expect(ends).toEqual([]);
    abort(2);
    expect(ends).toEqual(['finished']);
    take(3, 5_000);
    checkpoints.whenWritten(deployment, () => ends.push('canceled'));
    checkpoints.abandon(deployment);
    expect(ends).toEqual(['finished', 'canceled']);
    await open();
    expect(said).toEqual([]);
  });

  it.each([
    ['io', new CheckpointStorageError('run/1', 'write', new Error('full'))],
    ['async', new Error('broken')],
  ])('are declined as %s if they cannot be written', async (reason, failure) => {
    const { said, take, checkpoints, open } = rig(failure);
    const ends: string[] = [];
    take(1, 5_000);
    checkpoints.whenWritten(deployment, () => ends.push('finished'));
    await open();
    expect(said).toMatchObject([{ type: 'checkpoint.declined', checkpoint: 1, reason }]);
    expect(ends).toEqual(['finished']);
  });
});
