import { PartitionLostError } from '../../src/errors/result-errors.ts';
import { ReproducibleRegions } from '../../src/graph/reproducibility.ts';
import type { FailoverRule } from '../../src/failover/failover-strategy.ts';
import { classifyFailure } from '../../src/failover/failure-classifier.ts';
import { restartAll } from '../../src/failover/strategies/restart-all.ts';
import { restartIndividual } from '../../src/failover/strategies/restart-individual.ts';
import { restartPipelinedRegion } from '../../src/failover/strategies/restart-pipelined-region.ts';
import type { Topology } from '../../src/graph/topology.ts';
import type { AttemptNumber, ExecutionVertexId } from '../../src/ids.ts';
import { CannotRun, equalsAs, type Handler, knowing, perStep, sorted } from './conformance-case.ts';
import { errorKindOf } from './conformance-runner.ts';
import { executionStateNamed } from './execution-rig.ts';
import { type GivenGraph, givenGraph, graphFields, listOf } from './given-graph.ts';

const strategies: Readonly<Record<string, FailoverRule>> = {
  region: restartPipelinedRegion(),
  full: restartAll(),
  individual: restartIndividual(),
};

/** Independent failures of a graph at rest, through classification and strategy. */
const restartSet: Handler = ({ given, when, expect }) => {
  const { strategy = 'region' } = given as { strategy?: string };
  const rule = Object.hasOwn(strategies, strategy) ? strategies[strategy] : undefined;
  if (rule === undefined) throw new CannotRun(`strategy ${strategy} is not known`);
  const named = givenGraph(given);
  const { graph, regions } = named;
  // The rules do not ask for states: a task that has not begun restarts like any other.
  for (const { state = 'CREATED' } of listOf<{ state?: unknown }>(given['vertices'], 'vertices')) {
    executionStateNamed(state);
  }
  if ((given['stepsIndependent'] ?? true) !== true)
    throw new CannotRun('steps that depend on each other are not known');
  const unavailable = new Set(
    listOf<string>(given['unavailablePartitions'], 'unavailablePartitions').flatMap((name) => {
      const partitions = named.partitionsNamed(name);
      if (partitions.length === 0) throw new CannotRun(`there is no partition ${JSON.stringify(name)} in the graph`);
      return partitions;
    }),
  );
  const reproducible = new ReproducibleRegions(graph, regions);
  const topology: Topology = {
    graph,
    regions,
    isPartitionAvailable: (partition) => !unavailable.has(partition),
    reproducibilityOf: (region) => reproducible.of(region),
  };

  const restarts = when.map((step) => {
    if (typeof step['fail'] !== 'string') throw new CannotRun(`step ${JSON.stringify(step)} is not known`);
    // A vertex that the graph lacks is represented by an id that it lacks.
    const vertex = named.vertexNamed(step['fail']) ?? (graph.vertexCount as ExecutionVertexId);
    const cause = causeOf(step['cause'], named);
    const verdict = classifyFailure(cause, []);
    const lostPartitions = verdict.kind === 'partition-lost' ? verdict.partitions : [];
    try {
      const decision = rule({ vertex, attempt: 0 as AttemptNumber, cause, atMs: 0, lostPartitions }, topology);
      return decision.kind === 'fail' ? decision.kind : decision.regions.flatMap((region) => named.namesIn(region));
    } catch (error) {
      const kind = errorKindOf(error);
      if (kind === undefined || expect['restarts'] === undefined) throw error;
      return { error: kind };
    }
  });
  const asSet = (value: unknown): unknown => (Array.isArray(value) ? sorted(value as string[]) : value);
  return { restarts: perStep(restarts.map((actual) => equalsAs(asSet, actual))) };
};

/** Handlers of the area `failover`. */
export const failoverHandlers: Readonly<Record<string, Handler>> = {
  'restart-set': knowing(
    { given: [...graphFields, 'strategy', 'unavailablePartitions', 'stepsIndependent'], steps: ['fail', 'cause'] },
    restartSet,
  ),
};

/** `{ dataConsumptionError: { partition }, wrappedIn: [outermost, …] }`, or nothing in particular. */
function causeOf(cause: unknown, named: GivenGraph): Error {
  if (cause === undefined || cause === null || typeof cause === 'string') return new Error(cause ?? 'failed');
  const { dataConsumptionError, wrappedIn, ...rest } = cause as {
    dataConsumptionError?: { partition?: unknown };
    wrappedIn?: unknown;
  };
  if (Object.keys(rest).length > 0) throw new CannotRun(`cause ${JSON.stringify(cause)} is not known`);
  let error = new Error('failed');
  if (dataConsumptionError !== undefined) {
    const partitions = named.partitionsNamed(String(dataConsumptionError.partition));
    if (partitions.length === 0) throw new CannotRun(`there is no partition ${String(dataConsumptionError.partition)}`);
    error = partitions.reduce<Error | undefined>(
      (inner, partition) =>
        new PartitionLostError({ partition, attempt: 0 as AttemptNumber }, 'unreadable', { cause: inner }),
      undefined,
    ) as Error;
  }
  const wrappers = typeof wrappedIn === 'string' ? [wrappedIn] : listOf<string>(wrappedIn, 'wrappedIn');
  return wrappers.reduceRight((inner, name) => new Error(name, { cause: inner }), error);
}
