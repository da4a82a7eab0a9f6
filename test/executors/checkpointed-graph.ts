import type { PartitionRegistration, TaskDeployment } from '../../src/actors/protocol/deployment.ts';
import { LocalDataPlane } from '../../src/executors/local-data-plane.ts';
import { type ExchangeName, exchangeTypes } from '../../src/graph/exchange-type.ts';
import { createJobGraph } from '../../src/graph/job-graph.ts';
import type {
  AttemptNumber,
  CheckpointId,
  ExecutionVertexId,
  JobVertexId,
  ResultPartitionId,
  RunId,
} from '../../src/ids.ts';
import type { OperatorDescription, VertexProgram } from '../../src/operators/operator-description.ts';
import type { Sink } from '../../src/operators/sink.ts';
import type { Source } from '../../src/operators/source.ts';
import { inlineState } from '../support/inline-state.ts';
import type { TaskState } from '../../src/operators/state/task-state.ts';
import type { StreamTask } from '../../src/operators/task/stream-task.ts';
import type { ResultPartition, ResumableResult } from '../../src/partitions/result-partition.ts';
import type { BarrierAlignment } from '../../src/partitions/stream-element.ts';
import { MemorySpillStore, type VirtualEnvironment } from '../../src/testing/index.ts';

/** A vertex of a drawn graph: a source if it reads nothing, a sink if nobody reads it, otherwise it counts per key. */
export interface DrawnVertex {
  readonly parallelism: number;
  /** Edges to it: from earlier vertices. */
  readonly inputs: readonly { readonly from: number; readonly exchange: Exclude<ExchangeName, 'blocking'> }[];
  /** Of a source: number of records per subtask. */
  readonly records: number;
}

export interface Keyed {
  readonly key: number;
  readonly value: number;
}

const keys = 3;
const keyOf = ({ key }: Keyed): number => key;

/** Emits each record with the number of records of its key so far. */
const counting = {
  kind: 'process',
  keyOf,
  onRecord: ({ key }: Keyed, state: { get(): number; set(next: number): void }, emit: (out: Keyed) => void) => {
    const count = (state.get() ?? 0) + 1;
    state.set(count);
    emit({ key, value: count });
  },
} as unknown as OperatorDescription;

/** What every sink gets in the end, as sums by vertex and key, if each record has an effect once. */
export function expectedSums(graph: readonly DrawnVertex[]): number[][] {
  const counts: number[][] = [];
  const sums: number[][] = [];
  for (const { inputs, records, parallelism } of graph) {
    const isSource = inputs.length === 0;
    const count = Array.from({ length: keys }, (_, key) =>
      isSource
        ? parallelism * Array.from({ length: records }, (__, n) => n % keys).filter((one) => one === key).length
        : inputs.reduce((sum, { from }) => sum + ((counts[from] as number[])[key] as number), 0),
    );
    counts.push(count);
    const sumOf = (from: number, key: number): number => {
      const n = (counts[from] as number[])[key] as number;
      return (graph[from] as DrawnVertex).inputs.length === 0 ? n : (n * (n + 1)) / 2;
    };
    sums.push(count.map((_, key) => inputs.reduce((sum, { from }) => sum + sumOf(from, key), 0)));
  }
  return sums;
}

interface Edge {
  readonly from: number;
  readonly to: number;
  readonly exchange: ExchangeName;
}

interface Attempt {
  readonly vertex: number;
  readonly subtask: number;
  readonly task: StreamTask;
  readonly outputs: readonly ResultPartitionId[];
  state: 'running' | 'finished' | 'canceled' | 'failed';
}

interface Checkpoint {
  readonly id: CheckpointId;
  /** By name of the task; those that had finished have none. */
  readonly states: Map<string, TaskState>;
  readonly waitsFor: Set<string>;
  readonly finished: Set<string>;
}

/**
 * A drawn graph of tasks, with a coordinator that a test plays: it takes checkpoints, and restarts the pipelined region of
 * a failed task, with everything behind it, from the last complete one. Results in front of it are read again.
 */
export class CheckpointedGraph {
  readonly #graph: readonly DrawnVertex[];
  readonly #environment: VirtualEnvironment;
  readonly #plane: LocalDataPlane;
  readonly #edges: readonly Edge[];
  readonly #partitions = new Map<string, ResultPartition>();
  readonly #attempts = new Map<string, Attempt>();
  /** By partition: the complete result of a task that had finished, which its consumers go on reading. */
  readonly #kept = new Map<number, ResultPartitionId>();
  readonly failures: Error[] = [];
  readonly declined: string[] = [];
  /** By vertex and key: what sinks have committed. */
  readonly sums: number[][];
  completedCount = 0;
  restarts = 0;
  #attempt = -1;
  #lastId = 0;
  #pending: Checkpoint | undefined;
  #complete: Checkpoint | undefined;

  constructor(graph: readonly DrawnVertex[], environment: VirtualEnvironment) {
    this.#graph = graph;
    this.#environment = environment;
    this.sums = graph.map(() => Array.from({ length: keys }, () => 0));
    const edges = graph.flatMap(({ inputs }, to) => inputs.map(({ from, exchange }) => ({ from, to, exchange })));
    const jobGraph = createJobGraph(
      'job',
      graph.map(({ parallelism }, index) => ({ id: `v${index}`, parallelism })),
      edges.map(({ from, to, exchange }) => ({
        ...{ source: `v${from}`, target: `v${to}`, exchange: exchangeTypes[exchange], pattern: 'all-to-all' as const },
      })),
    );
    // In the order of the job graph.
    this.#edges = jobGraph.edges.map(({ source, target, exchange }) => ({
      ...{ from: Number(source.slice(1)), to: Number(target.slice(1)), exchange: exchange.name as ExchangeName },
    }));
    this.#plane = new LocalDataPlane(
      {
        name: 'job',
        jobGraph,
        programs: jobGraph.vertices.map(({ id }) => this.#program(Number(id.slice(1)))),
        exchanges: [],
      },
      {
        run: 'run' as RunId,
        environment,
        batchSize: 2,
        batchBytes: 1_024,
        memoryBudgetBytes: Number.POSITIVE_INFINITY,
        memoryOverflow: 'drop',
        diskBudgetBytes: Number.POSITIVE_INFINITY,
        diskOverflow: 'back-pressure',
        keepResults: 'until-consumers-finish',
        diskWaitTimeoutMs: 1_000,
        spillDirectory: undefined,
        cancellationTimeoutMs: 30_000,
        maxSteps: () => 1 + Math.floor(environment.random.next() * 3),
        spillStore: new MemorySpillStore(environment.clock),
      },
    );
    this.#deploy(graph.map((_, vertex) => vertex));
  }

  get isFinished(): boolean {
    return [...this.#attempts.values()].every(({ state }) => state === 'finished');
  }

  get isPending(): boolean {
    return this.#pending !== undefined;
  }

  /** Begins a checkpoint, unless everything has finished. */
  trigger(alignment: BarrierAlignment): void {
    const running = [...this.#attempts].filter(([, { state }]) => state === 'running');
    if (running.length === 0 || this.#pending !== undefined) return;
    const id = ++this.#lastId as CheckpointId;
    const names = (isRunning: boolean): string[] =>
      [...this.#attempts].filter(([, { state }]) => (state === 'running') === isRunning).map(([name]) => name);
    this.#pending = { id, states: new Map(), waitsFor: new Set(names(true)), finished: new Set(names(false)) };
    const barrier = { kind: 'barrier', checkpoint: id, ...(alignment === 'at-least-once' && { alignment }) } as const;
    for (const [, { vertex, task }] of running) {
      const producers = this.#producersOf(vertex);
      const hasEndedInput = producers.some((name) => this.#attempts.get(name)?.state === 'finished');
      if (producers.length === 0 || hasEndedInput) task.checkpoint(barrier);
    }
  }

  /** Fails a running task, drawn by a number, and restarts what depends on it. */
  fail(drawn: number): void {
    const running = [...this.#attempts.values()].filter(({ state }) => state === 'running');
    if (running.length === 0) return;
    const restarts = new Set([(running[drawn % running.length] as Attempt).vertex]);
    // A `Set` hands out what is added while it is walked.
    for (const vertex of restarts) {
      for (const { from, to, exchange } of this.#edges) {
        if (from === vertex) restarts.add(to);
        if (to === vertex && exchange === 'pipelined') restarts.add(from);
      }
    }
    // A sink that has finished has committed its output for good.
    const isTooLate = [...this.#attempts].some(
      ([name, { vertex, state, outputs }]) =>
        restarts.has(vertex) && state === 'finished' && outputs.length === 0 && !this.#complete?.finished.has(name),
    );
    if (isTooLate) return;
    this.restarts++;
    this.#abort();
    for (const { vertex, task, outputs } of this.#attempts.values()) {
      if (!restarts.has(vertex)) continue;
      task.cancel();
      for (const id of outputs) if (!this.#isKept(id)) this.#partitions.get(keyOfResult(id))?.release();
    }
    this.#environment.advance(0);
    this.#deploy([...restarts].sort((a, b) => a - b));
  }

  /** Whether a result is retained and complete, of a task that had finished before the checkpoint. */
  #isKept({ partition }: ResultPartitionId): boolean {
    const { from, exchange } = this.#edges[Math.floor(partition / 10)] as Edge;
    return exchange !== 'pipelined' && this.#complete?.finished.has(`v${from}[${partition % 10}]`) === true;
  }

  #abort(): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    this.#pending = undefined;
    for (const { state, task } of this.#attempts.values()) if (state === 'running') task.abortCheckpoint(pending.id);
  }

  /** Names of the producers of a vertex, by channel of its subtasks. */
  #producersOf(vertex: number): string[] {
    return this.#edges
      .filter(({ to }) => to === vertex)
      .flatMap(({ from }) =>
        Array.from({ length: (this.#graph[from] as DrawnVertex).parallelism }, (_, subtask) => `v${from}[${subtask}]`),
      );
  }

  #deploy(vertices: readonly number[]): void {
    const attempt = ++this.#attempt as AttemptNumber;
    const restored = this.#complete;
    const begun: [vertex: number, subtask: number, outputs: ResultPartitionId[]][] = [];
    for (const vertex of vertices) {
      for (let subtask = 0; subtask < (this.#graph[vertex] as DrawnVertex).parallelism; subtask++) {
        begun.push([vertex, subtask, this.#register(vertex, subtask, attempt, restored)]);
      }
    }
    for (const [vertex, subtask, outputs] of begun) {
      this.#attempts.set(`v${vertex}[${subtask}]`, {
        ...{ vertex, subtask, outputs, state: 'running' as const },
        task: this.#start(vertex, subtask, attempt, outputs, restored),
      });
    }
  }

  #register(
    vertex: number,
    subtask: number,
    attempt: AttemptNumber,
    restored: Checkpoint | undefined,
  ): ResultPartitionId[] {
    const state = restored?.states.get(`v${vertex}[${subtask}]`);
    const edges = [...this.#edges.entries()].filter(([, { from }]) => from === vertex);
    return edges.map(([edge, { to }], output) => {
      const id = { partition: edge * 10 + subtask, attempt } as ResultPartitionId;
      const isFinished = restored?.finished.has(`v${vertex}[${subtask}]`) === true;
      // What it wrote is still there: the restored task ends another result, which nobody reads.
      const before = this.#attempts.get(`v${vertex}[${subtask}]`)?.outputs[output];
      if (isFinished && before !== undefined && this.#isKept(before))
        this.#kept.set(id.partition, this.#kept.get(id.partition) ?? before);
      const written = state?.outputs[output];
      const registration: PartitionRegistration = {
        ...{ id, edge, producer: vertex as ExecutionVertexId, origin: 'new', isReproducible: false },
        subpartitionCount: (this.#graph[to] as DrawnVertex).parallelism,
        ...(written?.kind === 'writer' && { fromRecords: written.records }),
        ...(isFinished && { fromRecords: this.#takenFrom(edge, subtask, restored) }),
      };
      const surroundings = { truncated: () => {}, curtailed: () => {}, reclaim: () => {}, previous: undefined };
      this.#partitions.set(
        keyOfResult(id),
        this.#plane.createPartition(registration, { ...surroundings, trace: undefined }),
      );
      return id;
    });
  }

  /** How much of a finished task's result its consumers had taken, by subpartition. */
  #takenFrom(edge: number, subtask: number, { states }: Checkpoint): number[] {
    const { to } = this.#edges[edge] as { to: number };
    let channel = subtask;
    for (const [index, other] of this.#edges.entries()) {
      if (index < edge && other.to === to) channel += (this.#graph[other.from] as DrawnVertex).parallelism;
    }
    return Array.from({ length: (this.#graph[to] as DrawnVertex).parallelism }, (_, consumer) => {
      const input = states.get(`v${to}[${consumer}]`)?.input;
      return input?.kind === 'gate' ? (input.channels[channel] as number) : 0;
    });
  }

  #start(
    vertex: number,
    subtask: number,
    attempt: AttemptNumber,
    outputs: readonly ResultPartitionId[],
    restored: Checkpoint | undefined,
  ): StreamTask {
    const name = `v${vertex}[${subtask}]`;
    const state = restored?.states.get(name);
    const edges = [...this.#edges.entries()];
    const deployment: TaskDeployment = structuredClone({
      ...{ vertex: vertex as ExecutionVertexId, attempt, task: name, subtask, channelOrder: 'any' },
      ...{ jobVertex: `v${vertex}` as JobVertexId, operators: [`v${vertex}`] },
      parallelism: (this.#graph[vertex] as DrawnVertex).parallelism,
      inputs: edges
        .filter(([, { to }]) => to === vertex)
        .map(([edge, { from }]) => ({
          edge,
          subpartition: subtask,
          partitions: Array.from({ length: (this.#graph[from] as DrawnVertex).parallelism }, (_, producer) =>
            this.#resultOf(edge, from, producer, attempt),
          ),
        })),
      outputs: edges
        .filter(([, { from }]) => from === vertex)
        .map(([edge], index) => ({ edge, partition: outputs[index] as ResultPartitionId })),
      checkpointScope: 'run',
      checkpointBefore: this.#lastId as CheckpointId,
      ...(restored && {
        restore: {
          checkpoint: restored.id,
          state: state === undefined ? { kind: 'finished' } : { kind: 'inline', state },
        },
      }),
    } satisfies TaskDeployment);
    const find = (id: ResultPartitionId) => this.#partitions.get(keyOfResult(id));
    const end = (how: Attempt['state']): void => {
      const known = this.#attempts.get(name);
      if (known?.task !== task) return;
      known.state = how;
      // A task that ends without its barrier aborts the checkpoint.
      if (this.#pending?.waitsFor.has(name) === true) this.#abort();
    };
    const task = this.#plane.createTask(deployment, {
      source: find,
      output: find,
      registered: () => Promise.resolve(),
      channelOrder: undefined,
      planned: () => {},
      leftOpen: () => {},
      rejected: () => {},
      initializing: () => {},
      running: () => {},
      prepared: () => {},
      finished: () => end('finished'),
      failed: (cause) => {
        this.failures.push(cause);
        end('failed');
      },
      canceled: () => end('canceled'),
      checkpointed: (outcome) => {
        if (outcome.kind === 'declined') {
          this.declined.push(`${name}: ${outcome.reason}`);
          if (outcome.reason === 'noState') this.failures.push(outcome.cause);
          if (this.#pending?.id === outcome.checkpoint) this.#abort();
        } else if (this.#attempts.get(name)?.task === task) {
          this.#acknowledged(name, outcome.checkpoint, inlineState(outcome.state, this.#environment.clock));
        }
      },
    }) as StreamTask;
    task.start();
    return task;
  }

  /** The current result of a producer: of this attempt if it begins now. */
  #resultOf(edge: number, from: number, producer: number, attempt: AttemptNumber): ResultPartitionId {
    const partition = edge * 10 + producer;
    const kept = this.#kept.get(partition);
    if (kept !== undefined) return kept;
    const own = { partition, attempt } as ResultPartitionId;
    if (this.#partitions.has(keyOfResult(own))) return own;
    const { outputs } = this.#attempts.get(`v${from}[${producer}]`) as Attempt;
    return outputs.find((id) => id.partition === (partition as number)) as ResultPartitionId;
  }

  #acknowledged(name: string, checkpoint: CheckpointId, state: TaskState): void {
    const pending = this.#pending;
    if (pending?.id !== checkpoint || !pending.waitsFor.delete(name)) return;
    pending.states.set(name, state);
    if (pending.waitsFor.size > 0) return;
    this.#pending = undefined;
    this.#complete = pending;
    this.completedCount++;
    for (const [task, { state: standing, task: running, outputs }] of this.#attempts) {
      if (standing === 'running') running.completeCheckpoint(checkpoint);
      for (const [index, id] of outputs.entries()) {
        const written = pending.states.get(task)?.outputs[index];
        const result = this.#partitions.get(keyOfResult(id)) as ResumableResult;
        if (written?.kind === 'writer') result.forget?.(written.records);
      }
    }
  }

  #program(vertex: number): VertexProgram {
    const { inputs, records } = this.#graph[vertex] as DrawnVertex;
    const outputs = [...this.#edges.entries()]
      .filter(([, { from }]) => from === vertex)
      .map(([edge]) => ({ edge, partitioning: { kind: 'hash' as const, keyOf: keyOf as (record: never) => unknown } }));
    return {
      source: inputs.length === 0 ? this.#source(records) : undefined,
      operators: inputs.length > 0 && outputs.length > 0 ? [counting] : [],
      outputs,
      sink: outputs.length === 0 ? this.#sink(vertex) : undefined,
    };
  }

  #source(records: number): Source<unknown> {
    const { clock, random } = this.#environment;
    return {
      name: 'numbers',
      maxParallelism: 10,
      open: (_context, _plan, from = 0) => {
        let next = from as number;
        return {
          position: () => next,
          read: (most) => {
            if (next >= records) return null;
            const count = Math.min(records - next, most, 1 + Math.floor(random.next() * 4));
            const batch = Array.from({ length: count }, (_, n): Keyed => ({ key: (next + n) % keys, value: 1 }));
            next += count;
            if (random.next() < 0.3) return batch;
            return new Promise((resolve) => clock.setTimeout(() => resolve(batch), Math.floor(random.next() * 4)));
          },
          close: () => {},
        };
      },
    };
  }

  /** Adds to the sums what it commits, each part once. */
  #sink(vertex: number): Sink<unknown> {
    const commits = new Map<string, readonly number[]>();
    const { clock, random } = this.#environment;
    const commit = (part: string, sums: readonly number[]): void => {
      if (commits.has(part)) return;
      commits.set(part, sums);
      for (const [key, sum] of sums.entries()) (this.sums[vertex] as number[])[key] = this.#sumOf(vertex, key) + sum;
    };
    return {
      name: `v${vertex}`,
      guarantee: 'exactly-once',
      commitPrepared: (prepared) => {
        const { part, sums } = prepared as { readonly part: string; readonly sums: number[] };
        commit(part, sums);
      },
      open: ({ subtask, attempt }) => {
        let sums = Array.from({ length: keys }, () => 0);
        let parts = 0;
        return {
          write: (batch) => {
            for (const { key, value } of batch as readonly Keyed[]) sums[key] = (sums[key] as number) + value;
            if (random.next() < 0.5) return;
            return new Promise((resolve) => clock.setTimeout(() => resolve(undefined), Math.floor(random.next() * 3)));
          },
          prepareCheckpoint: () => {
            const prepared = { part: `${subtask}#${attempt}/${parts++}`, sums };
            sums = Array.from({ length: keys }, () => 0);
            return random.next() < 0.5 ? prepared : Promise.resolve(prepared);
          },
          commit: () => commit(`${subtask}#${attempt}/end`, sums),
          abort: () => {},
        };
      },
    };
  }

  #sumOf(vertex: number, key: number): number {
    return (this.sums[vertex] as number[])[key] as number;
  }
}

function keyOfResult({ partition, attempt }: ResultPartitionId): string {
  return `${partition}#${attempt}`;
}
