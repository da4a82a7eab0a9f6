import { toError } from '../../errors/thrown-value.ts';
import { InvalidArgumentError } from '../../errors/usage-errors.ts';
import type { FailoverRule, TaskFailure } from '../../failover/failover-strategy.ts';
import {
  propose,
  proposeEverything,
  type RecoveryView,
  type RestartProposal,
  smallestRestart,
} from '../../failover/restart-proposal.ts';
import type { ExchangeName } from '../../graph/exchange-type.ts';
import { ExecutionGraph } from '../../graph/execution-graph.ts';
import type { JobEdge } from '../../graph/job-graph.ts';
import { pipelinedRegions } from '../../graph/pipelined-region.ts';
import { ReproducibleRegions } from '../../graph/reproducibility.ts';
import type { Topology } from '../../graph/topology.ts';
import type { AttemptNumber, ExecutionVertexId, RegionId } from '../../ids.ts';
import type { Partitioning } from '../../operators/operator-description.ts';
import { checkFunction, checkOptions } from '../../options.ts';
import { type SlotDemand, slotDemand } from '../../scheduling/slot-demand.ts';
import { planJob } from '../job-planner.ts';
import type { JobPlan, JobMode } from '../../run/job-plan.ts';
import { type RegionGroup, regionGroups } from './region-groups.ts';
import type { JobDefinition } from '../stream-graph.ts';
import { type LiveSource, liveSources, protectionOf } from './live-sources.ts';
import { listed, type SubtasksOfVertex, TaskList } from './task-list.ts';
import { counted, cut, section } from './text-table.ts';

/** Options of `explain`. */
export interface ExplainOptions {
  /** The rule behind `whatRestarts`, asked once per failed region. Default: `restartPipelinedRegion()`. */
  readonly failoverRule?: FailoverRule | undefined;
}

/** What one failure restarts. */
export interface RestartScope {
  /** The name given to `whatRestarts`. */
  readonly failed: string;
  /** `fail`: the rule fails the job instead. */
  readonly kind: 'restart' | 'fail';
  readonly regionCount: number;
  /** Tasks that restart, including waiting ones. */
  readonly taskCount: number;
  /** Restarted tasks that had not begun, because a result they wait for was incomplete at the failure. */
  readonly waitingTaskCount: number;
  readonly totalTaskCount: number;
  readonly tasks: readonly SubtasksOfVertex[];
  /** The rule's reason, if any, and what the engine added to its answer. */
  readonly why: string | undefined;
  toString(): string;
}

/** The regions of a job, and what restarts them: a plain value with a text form. */
export interface JobExplanation {
  readonly job: string;
  readonly mode: JobMode;
  readonly taskCount: number;
  readonly regionCount: number;
  readonly vertices: readonly {
    readonly id: string;
    readonly parallelism: number;
    /** The operators that run in the vertex as one loop. */
    readonly operators: readonly string[];
  }[];
  readonly edges: readonly {
    readonly source: string;
    readonly target: string;
    readonly exchange: ExchangeName;
    readonly pattern: JobEdge['pattern'];
    readonly partitioning: Partitioning['kind'];
  }[];
  readonly regions: readonly RegionGroup[];
  /** How many slots the job takes over all executors. A region takes one slot per task, all at the same time. */
  readonly slots: SlotDemand;
  /** Sources that cannot be read again: a restart of one loses the records before it. */
  readonly liveSources: readonly LiveSource[];
  /**
   * What restarts if a task fails while every complete result is still readable.
   *
   * @param name a task (`map-1[2]`), or a vertex or operator for all its tasks at once
   * @throws InvalidArgumentError for an unknown name.
   */
  whatRestarts(name: string): RestartScope;
  toString(): string;
}

/**
 * Shows how a job will run: which steps are chained, how results travel, which tasks restart together, how many slots
 * it takes. The text stays short at any parallelism; of many vertices it shows the first.
 *
 * @example
 * ```ts
 * import { Job, collect, explain, fromIterable } from 'kintsugi';
 *
 * const job = Job.create('count', { parallelism: 1 });
 * job.source('words', fromIterable(['gold', 'dust', 'gold']))
 *    .map((word) => ({ word, count: 1 }))
 *    .keyBy((entry) => entry.word, { exchange: 'blocking' })
 *    .reduce((a, b) => ({ word: a.word, count: a.count + b.count }), { uid: 'sum', parallelism: 4 })
 *    .sink('counts', collect<{ word: string; count: number }>());
 *
 * console.log(`${explain(job)}`);
 * console.log(explain(job).whatRestarts('sum[2]').taskCount); // 1
 * ```
 *
 * @throws JobValidationError if the job cannot run as described.
 */
export function explain(job: JobDefinition, options: ExplainOptions = {}): JobExplanation {
  checkOptions('explain', options, { failoverRule: true });
  if (options.failoverRule !== undefined) checkFunction('failoverRule', options.failoverRule);
  return new PlanExplanation(planJob(job), options.failoverRule);
}

class PlanExplanation implements JobExplanation {
  readonly job: string;
  readonly mode: JobMode;
  readonly taskCount: number;
  readonly regionCount: number;
  readonly vertices: JobExplanation['vertices'];
  readonly edges: JobExplanation['edges'];
  readonly regions: readonly RegionGroup[];
  readonly slots: SlotDemand;
  readonly liveSources: readonly LiveSource[];
  /** Every complete result can be read, and every task runs. */
  readonly #topology: RecoveryView;
  /** undefined: the default rule, which can be asked about many regions at once. */
  readonly #rule: FailoverRule | undefined;
  readonly #vertexByOperator: ReadonlyMap<string, number>;

  constructor(plan: JobPlan, rule: FailoverRule | undefined) {
    const { jobGraph, programs, chains } = plan;
    const graph = new ExecutionGraph(jobGraph);
    const regions = pipelinedRegions(graph);
    const reproducible = new ReproducibleRegions(graph, regions);
    this.#rule = rule;
    this.#topology = {
      graph,
      regions,
      isPartitionAvailable: (partition) => graph.exchangeOfPartition(partition).reconsumable,
      isPartitionReadable: (partition) => graph.exchangeOfPartition(partition).reconsumable,
      isWaiting: () => false,
      reproducibilityOf: (region) => reproducible.of(region),
    };
    this.job = plan.name;
    this.mode = plan.mode;
    this.taskCount = graph.vertexCount;
    this.regionCount = this.#topology.regions.count;
    this.vertices = jobGraph.vertices.map(({ id, parallelism }, index) => {
      return { id, parallelism, operators: chains[index] as readonly string[] };
    });
    this.#vertexByOperator = new Map(chains.flatMap((uids, index) => uids.map((uid) => [uid, index] as const)));
    this.edges = jobGraph.edges.map(({ source, target, exchange, pattern }, edge) => {
      const outputs = programs[jobGraph.vertexIndexById.get(source) as number]?.outputs ?? [];
      const { kind } = outputs.find((output) => output.edge === edge)?.partitioning ?? { kind: 'forward' };
      return { source, target, exchange: exchange.name as ExchangeName, pattern, partitioning: kind };
    });
    this.regions = regionGroups(this.#topology);
    this.slots = slotDemand(graph, regions);
    this.liveSources = liveSources(jobGraph, chains, (id) => this.whatRestarts(id).tasks);
  }

  whatRestarts(name: string): RestartScope {
    const { regions } = this.#topology;
    const taskByRegion = new Map<RegionId, ExecutionVertexId>();
    for (const vertex of this.#tasksCalled(name)) taskByRegion.set(regions.regionOf(vertex), vertex);
    const failedRegions = new Set(taskByRegion.keys());
    if (this.#rule === undefined) {
      const restarted = new Set(smallestRestart(failedRegions, this.#topology).regions);
      return restartScope(this.#topology, name, 'restart', restarted, failedRegions, undefined);
    }
    const restarted = new Set<RegionId>();
    let why: string | undefined;
    for (const vertex of taskByRegion.values()) {
      if (restarted.size === regions.count) break;
      const decision = decide(this.#rule, failureOf(name, vertex), this.#topology);
      why ??= decision.why;
      if (decision.kind === 'fail') return restartScope(this.#topology, name, 'fail', new Set(), failedRegions, why);
      for (const each of decision.regions) restarted.add(each);
    }
    return restartScope(this.#topology, name, 'restart', restarted, failedRegions, why);
  }

  toString(): string {
    const { vertices, edges, regions, slots, liveSources } = this;
    const counts = [
      counted(vertices.length, 'vertex', 'vertices'),
      counted(this.taskCount, 'task'),
      counted(this.regionCount, 'region'),
    ];
    return [
      `Job "${this.job}" (${this.mode}): ${counts.join(', ')}`,
      ...section('Vertices', vertices, (vertex) => [vertex.id, `×${vertex.parallelism}`, vertex.operators.join(' → ')]),
      ...section('Edges', edges, (edge) => {
        const arrow = edge.exchange === 'pipelined' ? '──▶' : '─┤├▶';
        return [edge.source, arrow, edge.target, edge.exchange, `${edge.partitioning}, ${edge.pattern}`];
      }),
      ...section('Regions (tasks that restart together)', regions, ({ count, size, tasks, produces }) => {
        const repeats =
          produces === undefined
            ? ''
            : produces.kind === 'again'
              ? 'reproduces its results'
              : `recomputes its results: ${produces.why}`;
        return [String(count), `× ${counted(size, 'task')}`, listed(tasks), repeats];
      }),
      '',
      'Slots (one per running task)',
      `  ${slots.least} or more for the job to run: the tasks of its largest region run together`,
      `  ${slots.most} for all that can run at once`,
      ...section('Sources that cannot be read again (a restart loses what came before)', liveSources, (source) => [
        source.source,
        protectionOf(source),
      ]),
      ...section('If one task fails', vertices, ({ id }) => [`${id}[0]`, consequence(this.whatRestarts(`${id}[0]`))]),
    ].join('\n');
  }

  #tasksCalled(name: string): ExecutionVertexId[] {
    const { graph } = this.#topology;
    const whole = this.#vertexByOperator.get(name);
    if (whole !== undefined) {
      const { parallelism } = this.vertices[whole] as JobExplanation['vertices'][number];
      return Array.from({ length: parallelism }, (_, subtask) => graph.vertexAt(whole, subtask));
    }
    const [, called = '', digits = ''] = /^(.*)\[(\d+)\]$/su.exec(name) ?? [];
    const index = this.#vertexByOperator.get(called);
    const subtask = Number(digits);
    const vertex = index === undefined ? undefined : this.vertices[index];
    if (index === undefined || vertex === undefined) {
      const known = cut([...this.#vertexByOperator.keys()], 20).join(', ');
      throw new InvalidArgumentError('name', name, `a task, vertex or operator of job "${this.job}" (${known})`);
    }
    if (subtask >= vertex.parallelism) {
      throw new InvalidArgumentError(
        'name',
        name,
        `a subtask from ${called}[0] to ${called}[${vertex.parallelism - 1}]`,
      );
    }
    return [graph.vertexAt(index, subtask)];
  }
}

/** The engine's decision: if the rule throws or its answer is invalid, everything restarts. */
function decide(
  rule: FailoverRule,
  failure: TaskFailure,
  view: RecoveryView,
): Exclude<RestartProposal, { readonly kind: 'invalid' }> {
  let problem: string;
  try {
    const proposal = propose(failure, view, { decision: rule(failure, view) });
    if (proposal.kind !== 'invalid') return proposal;
    ({ problem } = proposal);
  } catch (error) {
    problem = `it threw: ${toError(error).message}`;
  }
  return { ...proposeEverything(view), why: `everything, because the failover rule was overruled: ${problem}` };
}

function failureOf(name: string, vertex: ExecutionVertexId): TaskFailure {
  const cause = new Error(`Assumed failure of ${name}`);
  return { vertex, attempt: 0 as AttemptNumber, cause, atMs: 0, lostPartitions: [] };
}

function restartScope(
  topology: Topology,
  failed: string,
  kind: RestartScope['kind'],
  restarted: ReadonlySet<RegionId>,
  failedRegions: ReadonlySet<RegionId>,
  why: string | undefined,
): RestartScope {
  const { graph, regions } = topology;
  const waiting = waitingRegions(topology, restarted, failedRegions);
  const tasks = new TaskList(graph);
  let taskCount = 0;
  let waitingTaskCount = 0;
  for (const region of restarted) {
    const vertices = regions.verticesOf(region);
    tasks.add(vertices);
    taskCount += vertices.length;
    if (waiting.has(region)) waitingTaskCount += vertices.length;
  }
  const scope: RestartScope = {
    failed,
    kind,
    regionCount: restarted.size,
    taskCount,
    waitingTaskCount,
    totalTaskCount: graph.vertexCount,
    tasks: tasks.byVertex(),
    why,
    toString: () => `${failed}: ${consequence(scope)}`,
  };
  return scope;
}

/** The restarted regions that had not begun: they wait for complete results, and a failed region contributes to one. */
function waitingRegions(
  { graph, regions }: Topology,
  restarted: ReadonlySet<RegionId>,
  failedRegions: ReadonlySet<RegionId>,
): Set<RegionId> {
  const waiting = new Set<RegionId>();
  const behind = new Set(failedRegions);
  const [seen, seenWaiting] = [new Set<number>(), new Set<number>()];
  // A Set iterates items added during the loop. A region found to wait is deleted and added again, so it is visited
  // again.
  for (const region of behind) {
    regions.forEachVertex(region, (vertex) => {
      graph.forEachProducedGroup(vertex, (group) => {
        const { consumption } = graph.exchangeOfGroup(group);
        const waits = consumption === 'after-producer-finished' || waiting.has(region);
        const done = waits ? seenWaiting : seen;
        if (done.has(group)) return;
        done.add(group);
        for (let consumer = graph.consumerStart(group); consumer < graph.consumerEnd(group); consumer++) {
          const reader = regions.regionOf(consumer as ExecutionVertexId);
          if (!restarted.has(reader) || failedRegions.has(reader)) continue;
          if (waits && !waiting.has(reader)) {
            waiting.add(reader);
            behind.delete(reader);
          }
          behind.add(reader);
        }
      });
    });
  }
  return waiting;
}

function consequence(scope: RestartScope): string {
  const because = scope.why === undefined ? '' : ` (${scope.why})`;
  if (scope.kind === 'fail') return `the job fails${because}`;
  const began = scope.taskCount - scope.waitingTaskCount;
  const restarts = `${began} of ${counted(scope.totalTaskCount, 'task')} ${began === 1 ? 'restarts' : 'restart'}`;
  if (scope.waitingTaskCount === 0) return `${restarts}${because}`;
  return `${restarts}, ${scope.waitingTaskCount} ${scope.waitingTaskCount === 1 ? 'keeps' : 'keep'} waiting for results${because}`;
}
