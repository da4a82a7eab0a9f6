import { assert } from '../assert.ts';
import { InvalidArgumentError, JobValidationError } from '../errors/usage-errors.ts';
import type { DistributionPattern } from '../graph/distribution-pattern.ts';
import { type ExchangeName, exchangeTypes } from '../graph/exchange-type.ts';
import { ExecutionGraph } from '../graph/execution-graph.ts';
import { createJobGraph, type JobEdge } from '../graph/job-graph.ts';
import { pipelinedRegions } from '../graph/pipelined-region.ts';
import type { ExecutionVertexId } from '../ids.ts';
import type { Partitioning, VertexProgram } from '../operators/operator-description.ts';
import type { Sink } from '../operators/sink.ts';
import type { ExchangeSettings } from '../graph/exchange-settings.ts';
import { isKeptBeyondJob } from '../graph/keep-results.ts';
import { checkPlaces, type OutsidePlaces } from './planning/output-places.ts';
import type { JobPlan } from '../run/job-plan.ts';
import { checkKeyedParallelism } from './planning/keyed-parallelism.ts';
import { beginFold } from './planning/partial-folds.ts';
import { canShareTask, checkCoLocation, slotGroupsOf } from './planning/slot-groups.ts';
import { orderFaults } from './planning/record-order.ts';
import type { JobDefinition, StreamInput, StreamNode } from './stream-graph.ts';
import { deadLettersOf, rejectsRecords, staysInSubtask } from './stream-graph.ts';

/** A step with its parallelism and its vertex. */
interface PlacedStep {
  readonly node: StreamNode;
  readonly parallelism: number;
  readonly vertex: PlannedVertex;
}

/** Steps that run as one loop. */
interface PlannedVertex {
  readonly id: string;
  readonly parallelism: number;
  readonly nodes: StreamNode[];
}

interface PlannedEdge {
  readonly source: string;
  readonly target: string;
  readonly partitioning: Partitioning;
  readonly pattern: DistributionPattern;
  exchange: ExchangeName;
  /** The user's settings; undefined if none. */
  readonly settings: ExchangeSettings | undefined;
}

/**
 * Turns a job definition into a graph of chained vertices, each with its program. Deterministic; of the outside world
 * it only resolves links in file paths.
 *
 * Two steps are chained when the second is the only consumer of the first and has no other input, both have the same
 * parallelism, no exchange is named between them, their slot groups agree, and records stay in their subtask (always the case at parallelism 1).
 *
 * A blocking edge inside one pipelined region would wait for itself. Therefore the other edges of such a ring become
 * blocking too, unless the user named their exchange.
 *
 * @throws JobValidationError if the job cannot run as described, with the steps and the remedy.
 */
export function planJob(job: JobDefinition): JobPlan {
  const readers = countReaders(job);
  const placed = new Map<StreamNode, PlacedStep>();
  const vertices: PlannedVertex[] = [];
  const edges: PlannedEdge[] = [];
  for (const node of job.steps) {
    const parallelism = parallelismOf(job, node, placed);
    checkDeadLetters(node, parallelism);
    const host = chainable(node, parallelism, placed, readers);
    if (host !== undefined) {
      host.nodes.push(node);
      placed.set(node, { node, parallelism, vertex: host });
      continue;
    }
    const reader = beginFold(node, readers, (producer) => placedStep(placed, producer).vertex.nodes);
    const vertex: PlannedVertex = { id: node.uid, parallelism, nodes: [reader] };
    vertices.push(vertex);
    placed.set(node, { node, parallelism, vertex });
    for (const input of reader.inputs) edges.push(edgeOf(job, input, placedStep(placed, input.from), vertex, reader));
  }
  openRings(job, vertices, edges);
  checkCoLocation(vertices, edges);
  checkPlaces(placesOf(placed.values(), edges));

  const jobGraph = createJobGraph(
    job.name,
    vertices.map(({ id, parallelism, nodes }) => ({
      ...{ id, parallelism, ...slotGroupsOf(nodes) },
      deterministic: nodes.every((node) => node.deterministic),
      replayable: nodes.every((node) => node.replayable),
      operators: nodes.map((node) => node.uid),
      undeclared: nodes.filter((node) => !node.deterministic).map((node) => node.uid),
      rejecting: nodes.filter((node) => !node.deterministic && rejectsRecords(node)).map((node) => node.uid),
    })),
    edges.map(({ source, target, pattern, exchange }) => ({
      source,
      target,
      pattern,
      exchange: exchangeTypes[exchange],
    })),
  );
  const vertexById = new Map(vertices.map((vertex) => [vertex.id, vertex]));
  const ordered = jobGraph.vertices.map((vertex) => vertexById.get(vertex.id) as PlannedVertex);
  const outputsById = new Map(vertices.map((vertex) => [vertex.id, [] as VertexProgram['outputs'][number][]]));
  for (const [edge, { source, partitioning }] of edges.entries()) {
    outputsById.get(source)?.push(Object.freeze({ edge, partitioning }));
  }
  const faults = orderFaults(jobGraph, (vertex) => (ordered[vertex] as PlannedVertex).nodes);
  return Object.freeze({
    name: job.name,
    mode: job.mode,
    jobGraph,
    programs: Object.freeze(
      ordered.map((vertex, index) => programOf(vertex, outputsById.get(vertex.id) ?? [], faults[index])),
    ),
    chains: Object.freeze(ordered.map((vertex) => Object.freeze(vertex.nodes.map((node) => node.uid)))),
    declarations: Object.freeze(ordered.map((vertex) => Object.freeze(vertex.nodes.map((node) => node.declaration)))),
    exchanges: Object.freeze(edges.map(({ exchange, settings }) => settings ?? { name: exchange })),
  });
}

/** The number of consumers of each step. @throws JobValidationError for streams without a consumer. */
function countReaders(job: JobDefinition): ReadonlyMap<StreamNode, number> {
  const { steps } = job;
  if (steps.length === 0) {
    throw new JobValidationError(
      [],
      `Job "${job.name}" has no source`,
      'Start a stream with job.source(…) and end it with .sink(…)',
    );
  }
  const readers = new Map<StreamNode, number>();
  for (const { inputs } of steps) for (const { from } of inputs) readers.set(from, (readers.get(from) ?? 0) + 1);
  const dangling = steps.filter((node) => node.step.kind !== 'sink' && !readers.has(node));
  if (dangling.length > 0) {
    const names = dangling.map(({ uid, method }) => `"${uid}" (${method})`).join(', ');
    throw new JobValidationError(
      dangling.map((node) => node.uid),
      `Nothing reads ${names} of job "${job.name}"`,
      'End every stream in a sink, or remove it',
    );
  }
  return readers;
}

/** The step's own parallelism; otherwise that of its input or, after a shuffle, that of the job. */
function parallelismOf(job: JobDefinition, node: StreamNode, placed: ReadonlyMap<StreamNode, PlacedStep>): number {
  const limit = limitOf(node);
  const asked = node.parallelism;
  if (asked === undefined) return Math.min(inheritedParallelism(job, node, placed), limit?.most ?? Infinity);
  if (limit !== undefined && asked > limit.most) {
    const why = limit.why === undefined ? '' : `: ${limit.why}`;
    const elsewhere =
      node.step.kind === 'source' ? ' and give the next operator a greater one, or use rebalance()' : '';
    throw new JobValidationError(
      [node.uid],
      `The ${node.method} "${node.uid}" (${limit.of}) should run at parallelism ${asked}, but allows at most ${limit.most}${why}`,
      `Lower its parallelism to ${limit.most}${elsewhere}`,
    );
  }
  return asked;
}

/** @throws JobValidationError if the sink of a step's dead letters allows fewer subtasks */
function checkDeadLetters(node: StreamNode, parallelism: number): void {
  const letters = deadLettersOf(node);
  if (letters === undefined || parallelism <= (letters.sink.maxParallelism ?? Infinity)) return;
  const { name, maxParallelism } = letters.sink;
  throw new JobValidationError(
    [node.uid],
    `The dead letters of "${node.uid}" (${name}) allow a parallelism of at most ${maxParallelism}, but "${node.uid}" runs at ${parallelism}`,
    `Lower its parallelism to ${maxParallelism}, or use another sink for \`deadLetter\``,
  );
}

function inheritedParallelism(
  job: JobDefinition,
  node: StreamNode,
  placed: ReadonlyMap<StreamNode, PlacedStep>,
): number {
  const [first, ...others] = node.inputs;
  if (first === undefined || !node.inputs.every(staysInSubtask)) return job.parallelism;
  const { parallelism } = placedStep(placed, first.from);
  return others.every((input) => placedStep(placed, input.from).parallelism === parallelism)
    ? parallelism
    : job.parallelism;
}

/** The maximum parallelism of a source or sink. */
function limitOf({ uid, step }: StreamNode): { most: number; of: string; why: string | undefined } | undefined {
  if (step.kind === 'operator') return undefined;
  const outside = step.kind === 'source' ? step.source : step.sink;
  const most = outside.maxParallelism ?? Infinity;
  if (most !== Infinity && !(Number.isInteger(most) && most >= 1)) {
    throw new InvalidArgumentError(`maxParallelism of ${step.kind} "${uid}"`, most, 'an integer from 1, or Infinity');
  }
  return { most, of: outside.name, why: step.kind === 'source' ? step.source.splitLimit : undefined };
}

/** The vertex of `node`'s input, if `node` can be chained into it; otherwise undefined. */
function chainable(
  node: StreamNode,
  parallelism: number,
  placed: ReadonlyMap<StreamNode, PlacedStep>,
  readers: ReadonlyMap<StreamNode, number>,
): PlannedVertex | undefined {
  const [input, ...others] = node.inputs;
  if (input === undefined || others.length > 0) return undefined;
  const upstream = placedStep(placed, input.from);
  const isChained =
    readers.get(input.from) === 1 &&
    input.exchange === undefined &&
    canShareTask(node, upstream.vertex) &&
    upstream.parallelism === parallelism &&
    (parallelism === 1 || staysInSubtask(input));
  return isChained ? upstream.vertex : undefined;
}

function edgeOf(
  job: JobDefinition,
  input: StreamInput,
  upstream: PlacedStep,
  target: PlannedVertex,
  reader: StreamNode,
): PlannedEdge {
  const isEven = upstream.parallelism === target.parallelism;
  if (input.partitioning?.kind === 'forward' && !isEven) {
    throw new JobValidationError(
      [upstream.node.uid, target.id],
      `forward() from "${upstream.node.uid}" (parallelism ${upstream.parallelism}) to "${target.id}" (parallelism ${target.parallelism}) is impossible`,
      'Give both the same parallelism, or use rebalance()',
    );
  }
  const chosen: Partitioning = input.partitioning ?? { kind: isEven ? 'forward' : 'rebalance' };
  const partitioning = chosen.kind === 'hash' && rejectsRecords(reader) ? { ...chosen, passesErrors: true } : chosen;
  if (partitioning.kind === 'hash') checkKeyedParallelism(target);
  const isShuffle = partitioning.kind !== 'forward';
  return {
    source: upstream.vertex.id,
    target: target.id,
    partitioning: Object.freeze(partitioning),
    pattern: isShuffle ? 'all-to-all' : 'pointwise',
    exchange: input.exchange?.name ?? (isShuffle && job.mode === 'batch' ? 'blocking' : 'pipelined'),
    settings: input.exchange,
  };
}

/** The places that steps and exchanges read and write, as far as they declare them. */
function placesOf(placed: Iterable<PlacedStep>, edges: readonly PlannedEdge[]): OutsidePlaces {
  const sources: OutsidePlaces['sources'][number][] = [];
  const sinks: OutsidePlaces['sinks'][number][] = [];
  for (const { node, parallelism } of placed) {
    const { uid, step } = node;
    if (step.kind === 'source' && step.source.origin !== undefined) {
      sources.push({ uid, paths: step.source.origin.paths });
    } else if (step.kind === 'sink' && step.sink.target !== undefined) {
      sinks.push({ uid, path: step.sink.target.path, parallelism });
    }
    const letters = deadLettersOf(node);
    if (letters?.sink.target !== undefined) {
      sinks.push({ uid: letters.vertex, path: letters.sink.target.path, parallelism });
    }
  }
  const kept = edges.flatMap(({ source, target, settings }) => {
    const keep = settings?.keepResults;
    return keep !== undefined && isKeptBeyondJob(keep) ? [{ source, target, directory: keep.directory }] : [];
  });
  return { sources, sinks, kept };
}

/** Makes edges blocking until no blocking edge has both ends in one pipelined region. See {@link planJob}. */
function openRings(job: JobDefinition, vertices: readonly PlannedVertex[], edges: readonly PlannedEdge[]): void {
  const ids = vertices.map(({ id }) => ({ id, parallelism: 1 }));
  const inputCounts = new Map<string, number>();
  for (const { target } of edges) inputCounts.set(target, (inputCounts.get(target) ?? 0) + 1);
  const remedies: readonly ((edge: PlannedEdge) => boolean)[] = [
    // Every ring has a vertex where two edges meet; cutting there keeps the pipelines before it whole.
    (edge) => (inputCounts.get(edge.target) ?? 0) > 1,
    () => true,
  ];
  let ring = ringedEdges(job, ids, edges);
  for (const isCandidate of remedies) {
    if (ring.length === 0) return;
    for (const edge of ring) if (edge.settings === undefined && isCandidate(edge)) edge.exchange = 'blocking';
    ring = ringedEdges(job, ids, edges);
  }
  const [stuck, way] = [
    ring.find((edge) => edge.exchange === 'blocking'),
    ring.filter((edge) => edge.settings !== undefined),
  ];
  if (stuck === undefined) return;
  throw new JobValidationError(
    [stuck.source, stuck.target],
    `The edge "${stuck.source}" → "${stuck.target}" is blocking, but pipelined edges connect its two ends into one region, which would wait for itself`,
    `Make one of these blocking: ${way
      .filter((edge) => edge.exchange !== 'blocking')
      .map((edge) => `"${edge.source}" → "${edge.target}"`)
      .join(', ')}`,
  );
}

/** All edges inside regions that contain a blocking edge, with each vertex taken as a whole. */
function ringedEdges(
  job: JobDefinition,
  ids: readonly { readonly id: string; readonly parallelism: number }[],
  edges: readonly PlannedEdge[],
): PlannedEdge[] {
  if (!edges.some((edge) => edge.exchange === 'blocking') || edges.every((edge) => edge.exchange === 'blocking')) {
    return [];
  }
  const graph = createJobGraph(
    job.name,
    ids,
    edges.map(({ source, target, pattern, exchange }): JobEdge => {
      return { source, target, pattern, exchange: exchangeTypes[exchange] } as JobEdge;
    }),
  );
  const regions = pipelinedRegions(new ExecutionGraph(graph));
  const regionOf = (id: string): number =>
    regions.regionOf(graph.vertexIndexById.get(id as JobEdge['source']) as number as ExecutionVertexId);
  const isInside = (edge: PlannedEdge): boolean => regionOf(edge.source) === regionOf(edge.target);
  const ringed = new Set(
    edges.filter((edge) => edge.exchange === 'blocking' && isInside(edge)).map((edge) => regionOf(edge.source)),
  );
  return edges.filter((edge) => isInside(edge) && ringed.has(regionOf(edge.source)));
}

function programOf(vertex: PlannedVertex, outputs: VertexProgram['outputs'], orderFault?: string): VertexProgram {
  let source: VertexProgram['source'];
  let sink: VertexProgram['sink'];
  const operators: VertexProgram['operators'][number][] = [];
  for (const { step } of vertex.nodes) {
    if (step.kind === 'source') source = step.source;
    else if (step.kind === 'sink') sink = step.sink as Sink<unknown>;
    else operators.push(step.operator);
  }
  return Object.freeze({
    source,
    operators: Object.freeze(operators),
    outputs: Object.freeze(outputs),
    sink,
    orderFault,
  });
}

function placedStep(placed: ReadonlyMap<StreamNode, PlacedStep>, node: StreamNode): PlacedStep {
  const step = placed.get(node);
  assert(step !== undefined, `"${node.uid}" is read before it was described`);
  return step;
}
