import type { TaskDeployment } from '../../src/actors/protocol/deployment.ts';
import { LocalDataPlane } from '../../src/executors/local-data-plane.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import { createJobGraph } from '../../src/graph/job-graph.ts';
import type {
  AttemptNumber,
  CheckpointId,
  ExecutionVertexId,
  JobVertexId,
  ResultPartitionId,
  RunId,
} from '../../src/ids.ts';
import type { VertexProgram } from '../../src/operators/operator-description.ts';
import { inlineState } from '../support/inline-state.ts';
import type { TaskRestore, TaskState } from '../../src/operators/state/task-state.ts';
import type { CheckpointOutcome } from '../../src/operators/task/task-parts.ts';
import type { StreamTask } from '../../src/operators/task/stream-task.ts';
import { ChannelOrder } from '../../src/partitions/channel-order.ts';
import type { ResultPartition } from '../../src/partitions/result-partition.ts';
import { elementOf } from '../../src/partitions/stream-element.ts';
import { MemorySpillStore, virtualEnvironment } from '../../src/testing/index.ts';
import { Reading } from '../support/partition-harness.ts';

const unlimited = Number.POSITIVE_INFINITY;
const consumers = 2;

/** A vertex `sums` that reads two results, or a source, and writes one for two consumers in round robin. */
function rigOf(program: (environment: ReturnType<typeof virtualEnvironment>) => Partial<VertexProgram>) {
  const environment = virtualEnvironment();
  const exchange = exchangeTypes.memory;
  const jobGraph = createJobGraph(
    'job',
    [
      { id: 'numbers', parallelism: 2 },
      { id: 'sums', parallelism: 1 },
      { id: 'sink', parallelism: consumers },
    ],
    [
      { source: 'numbers', target: 'sums', exchange, pattern: 'all-to-all' },
      { source: 'sums', target: 'sink', exchange, pattern: 'all-to-all' },
    ],
  );
  const sums: VertexProgram = {
    source: undefined,
    operators: [],
    outputs: [{ edge: 1, partitioning: { kind: 'rebalance' } }],
    sink: undefined,
    ...program(environment),
  };
  const none: VertexProgram = { source: undefined, operators: [], outputs: [], sink: undefined };
  const plane = new LocalDataPlane(
    { name: 'job', jobGraph, programs: [none, sums, none], exchanges: [{}, {}] },
    {
      run: 'run' as RunId,
      environment,
      batchSize: 3,
      batchBytes: 1_024,
      memoryBudgetBytes: unlimited,
      memoryOverflow: 'drop',
      diskBudgetBytes: unlimited,
      diskOverflow: 'back-pressure',
      keepResults: 'until-consumers-finish',
      diskWaitTimeoutMs: 1_000,
      spillDirectory: undefined,
      cancellationTimeoutMs: 30_000,
      spillStore: new MemorySpillStore(environment.clock),
    },
  );
  let partitions = 0;
  const createPartition = (edge: number, subpartitionCount: number): ResultPartition =>
    plane.createPartition(
      {
        id: { partition: partitions++, attempt: 0 } as ResultPartitionId,
        edge,
        producer: 0 as ExecutionVertexId,
        subpartitionCount,
        origin: 'new',
        isReproducible: false,
      },
      { truncated: () => {}, curtailed: () => {}, reclaim: () => {}, previous: undefined, trace: undefined },
    );
  const inputs = sums.source === undefined ? [createPartition(0, 1), createPartition(0, 1)] : [];
  const failures: Error[] = [];
  const checkpoints: CheckpointOutcome[] = [];

  /** Deploys an attempt; returns its task, and its output by consumer. */
  const deploy = (attempt: number, restore?: TaskRestore, channelOrder = new ChannelOrder()) => {
    const output = createPartition(1, consumers);
    const deployment: TaskDeployment = structuredClone({
      vertex: 2 as ExecutionVertexId,
      attempt: attempt as AttemptNumber,
      task: 'sums[0]',
      jobVertex: 'sums' as JobVertexId,
      operators: ['sums'],
      checkpointScope: 'run',
      subtask: 0,
      parallelism: 1,
      channelOrder: 'again',
      inputs:
        inputs.length === 0
          ? []
          : [
              {
                edge: 0,
                partitions: inputs.map(({ id }) => id),
                subpartition: 0,
              },
            ],
      outputs: [{ edge: 1, partition: output.id }],
      ...(restore && {
        restore: { checkpoint: restore.checkpoint, state: { kind: 'inline', state: restore.state } },
        checkpointBefore: restore.checkpoint,
      }),
    });
    const all = [...inputs, output];
    const find = (id: ResultPartitionId) => all.find((one) => one.id.partition === id.partition);
    const task = plane.createTask(deployment, {
      source: find,
      output: find,
      registered: () => Promise.resolve(),
      channelOrder,
      planned: () => {},
      leftOpen: () => {},
      rejected: () => {},
      initializing: () => {},
      running: () => {},
      finished: () => {},
      failed: (cause) => failures.push(cause),
      canceled: () => {},
      checkpointed: (outcome) => checkpoints.push(outcome),
      prepared: () => {},
    }) as StreamTask;
    task.start();
    const readings = Array.from({ length: consumers }, (_, index) => new Reading(output.read(index), unlimited));
    return { task, written: () => readings.map(({ records }) => records) };
  };

  const write = (from: number, to: number): void => {
    for (let n = from; n < to; n++) inputs[n % 2]?.write(0, elementOf([{ n }, { n: n + 1_000 }]));
  };
  const finish = (): void => {
    for (const input of inputs) input.finish(() => {});
  };
  /** The state of a task at a barrier that comes now: behind what was written, or in its source. */
  const stateOf = async (task: StreamTask): Promise<TaskState> => {
    const barrier = { kind: 'barrier', checkpoint: 1 as CheckpointId } as const;
    if (inputs.length === 0) task.checkpoint(barrier);
    for (const input of inputs) input.write(0, barrier);
    await environment.runUntil(() => checkpoints.length > 0, { what: 'the checkpoint' });
    const outcome = checkpoints.at(-1);
    if (outcome?.kind !== 'taken') throw new Error('no state', { cause: outcome?.cause });
    return inlineState(outcome.state, environment.clock);
  };
  return { environment, deploy, write, finish, failures, stateOf };
}

type Numbered = { readonly n: number };

/** A sum per key, then an asynchronous call, then one result per key at the end. */
const operatorsOf = (environment: ReturnType<typeof virtualEnvironment>): VertexProgram['operators'] => [
  {
    kind: 'aggregate',
    keyOf: ({ n }: Numbered) => n % 3,
    create: ({ n }: Numbered) => ({ n }),
    add: (sum: Numbered, { n }: Numbered) => ({ n: sum.n + n }),
    result: (sum: Numbered) => sum,
    emit: 'updates',
  },
  {
    kind: 'asyncMap',
    fn: ({ n }: Numbered) =>
      new Promise((resolve) => environment.clock.setTimeout(() => resolve({ n: n * 2 }), 5 + (n % 3))),
    options: { concurrency: 4 },
  },
  {
    kind: 'process',
    keyOf: ({ n }: Numbered) => n % 2,
    onRecord: (
      { n }: Numbered,
      { get, set }: { get(): number; set(state: number): void },
      emit: (out: unknown) => void,
    ) => {
      set((get() ?? 0) + 1);
      emit([n, get()]);
    },
    onEnd: ({ key, get }: { key: number; get(): number }, emit: (out: unknown) => void) => emit(['end', key, get()]),
  } as unknown as VertexProgram['operators'][number],
];

describe('a restored task', () => {
  it('continues from its state and the records of its channels: it writes what one attempt would write', async () => {
    // One at a time: their order over the channels is no matter of chance.
    const writeRest = async ({ write, environment }: ReturnType<typeof rigOf>): Promise<void> => {
      for (let n = 11; n < 20; n++) {
        write(n, n + 1);
        await environment.settle();
      }
    };
    const undisturbed = rigOf((environment) => ({ operators: operatorsOf(environment) }));
    const whole = undisturbed.deploy(0);
    undisturbed.write(0, 11);
    await undisturbed.environment.settle();
    await writeRest(undisturbed);
    undisturbed.finish();
    await undisturbed.environment.settle();

    const rig = rigOf((environment) => ({ operators: operatorsOf(environment) }));
    const order = new ChannelOrder();
    const first = rig.deploy(0, undefined, order);
    rig.write(0, 11);
    await rig.environment.runUntil(() => first.written().flat().length > 4, { what: 'the first answers' });
    const state = await rig.stateOf(first.task);
    const written = first.written();
    first.task.cancel();
    rig.environment.advance(0);
    const second = rig.deploy(1, { checkpoint: 1 as CheckpointId, state }, order);
    await writeRest(rig);
    rig.finish();
    await rig.environment.settle();

    expect([undisturbed.failures, rig.failures]).toEqual([[], []]);
    const together = second.written().map((records, index) => [...(written[index] as unknown[]), ...records]);
    expect(together).toEqual(whole.written());
    expect(whole.written().flat().length).toBeGreaterThan(40);
    // Both attempts have written part of it.
    expect(written.flat().length).toBeGreaterThan(2);
    expect(second.written().flat().length).toBeGreaterThan(2);
  });

  it('opens its source at the position of its state', async () => {
    const opened: unknown[] = [];
    const rig = rigOf((environment) => ({
      source: {
        name: 'ticks',
        maxParallelism: 1,
        open: (_context, _plan, from = 0) => {
          opened.push(from);
          let next = from as number;
          return {
            position: () => next,
            read: async () => {
              await new Promise((resolve) => environment.clock.setTimeout(() => resolve(undefined), 10));
              if (next >= 20) return null;
              // More than a batch, so the rest waits in the task.
              return Array.from({ length: 7 }, () => ({ n: next++ }));
            },
            close: () => {},
          };
        },
      },
    }));
    const first = rig.deploy(0);
    await rig.environment.runUntil(() => first.written().flat().length >= 7, { what: 'the first answer' });
    const state = await rig.stateOf(first.task);
    const written = first.written();
    first.task.cancel();
    const second = rig.deploy(1, { checkpoint: 1 as CheckpointId, state });
    await rig.environment.settle();
    expect(rig.failures).toEqual([]);
    const together = second.written().map((records, index) => [...(written[index] as unknown[]), ...records]);
    expect(together).toEqual(
      [0, 1].map((odd) => Array.from({ length: 11 }, (_, n) => ({ n: 2 * n + odd })).filter(({ n }) => n < 21)),
    );
    expect(opened).toEqual([0, 7]);
  });
});
