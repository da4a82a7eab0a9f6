import type { ExecutionVertexId, RegionId } from '../../src/ids.ts';
import type { InputConsumableDecider } from '../../src/scheduling/input-consumable.ts';
import { PipelinedRegionScheduling } from '../../src/scheduling/pipelined-region-scheduling.ts';
import {
  CannotRun,
  type ConformanceCase,
  equals,
  equalsAs,
  type Handler,
  knowing,
  perStep,
  prose,
  sorted,
  sortedNumbers,
  sortedSets,
} from './conformance-case.ts';
import { flinkInputDeciders } from './flink-input-deciders.ts';
import { type GivenGraph, givenGraph, graphFields, knownVertex, listOf } from './given-graph.ts';

const deciders: Readonly<Record<string, InputConsumableDecider>> = flinkInputDeciders;

function deciderNamed(name: unknown): InputConsumableDecider {
  const decider = Object.hasOwn(deciders, String(name)) ? deciders[String(name)] : undefined;
  if (decider === undefined) throw new CannotRun(`decider ${JSON.stringify(name)} is not known`);
  return decider;
}

const pipelinedRegion: Handler = ({ kind, given, when }) => {
  const { strategy = kind } = given;
  if (strategy !== kind) throw new CannotRun(`strategy ${JSON.stringify(strategy)} is not known of this kind`);
  const named = givenGraph({ level: 'job', ...completed(given, when) });
  const { graph, regions } = named;
  /** The subtasks whose inputs can be consumed, as far as the case says. */
  let consumable: ReadonlySet<number> = new Set();
  const scripted: InputConsumableDecider = (_, __, group) => {
    const consumers = Array.from({ length: graph.consumerEnd(group) - graph.consumerStart(group) });
    return consumers.every((___, index) => consumable.has(graph.consumerStart(group) + index));
  };
  const isScripted = given['inputDecider'] === 'scripted';
  const decide = isScripted ? scripted : deciderNamed(given['inputDecider'] ?? 'default');
  const scheduling = new PipelinedRegionScheduling(graph, regions, decide);
  if (kind === 'vertexwise' && regions.count < graph.vertexCount) {
    throw new CannotRun('tasks that run together cannot be scheduled one by one');
  }
  const regionsOf = (vertices: unknown): Set<RegionId> => {
    if (vertices === 'all') return new Set(Array.from({ length: regions.count }, (_, region) => region as RegionId));
    return new Set(listOf(vertices, 'vertices').map((name) => regions.regionOf(knownVertex(named, name))));
  };
  const run = (step: Readonly<Record<string, unknown>>): RegionId[] => {
    if ('consumable' in step && !isScripted)
      throw new CannotRun('inputs of a case that is not scripted are consumable');
    consumable = new Set(listOf(step['consumable'], 'consumable').map((name) => knownVertex(named, name)));
    switch (step['op']) {
      case 'startScheduling':
        return scheduling.offer(regionsOf('all'));
      case 'crossRegionGroups':
      case 'topologyUpdate':
        return [];
      case 'finish':
        return scheduling.vertexFinished(knownVertex(named, step['vertex']));
      case 'restartTasks': {
        const restarted = regionsOf(step['vertices']);
        scheduling.invalidate(restarted);
        return scheduling.offer(restarted);
      }
      default:
        throw new CannotRun(`step ${JSON.stringify(step)} is not known`);
    }
  };
  const batches = when.map((step) => run(step).map((region) => named.namesIn(region)));
  let sum = 0;
  return {
    batchesPerStep: perStep(batches.map((batch) => equalsAs(sortedSets, batch))),
    allBatches: equalsAs(sortedSets, batches.flat()),
    cumulativeBatchCounts: perStep(batches.map((batch) => equals((sum += batch.length)))),
    batchSizes: perStep(
      batches.map((batch) =>
        equalsAs(
          sortedNumbers,
          batch.map((subtasks) => subtasks.length),
        ),
      ),
    ),
    crossRegionGroups: (expected) => {
      const groups = scheduling.crossRegionGroups.map((group) => {
        const producers = Array.from({ length: graph.producerEnd(group) - graph.producerStart(group) }, (_, index) =>
          named.nameOf(graph.producerStart(group) + index),
        );
        return producers;
      });
      if (typeof expected === 'number') return equals(groups.length)(expected);
      const asProducers = (names: readonly string[]): string[] => names.map((name) => name.replace(/->.*$/, ''));
      if (Array.isArray(expected) && expected.every((group) => Array.isArray(group))) {
        return equalsAs((sets: readonly string[][]) => sortedSets(sets.map(asProducers)), groups)(expected);
      }
      const consumed = listOf<unknown>(Array.isArray(expected) ? expected : [expected], 'crossRegionGroups');
      if (consumed.every(isConsumedGroup)) {
        return equalsAs(
          (all: readonly ConsumedGroup[]) =>
            all.map(({ consumer, partitionsFrom }) => [consumer, sorted(asProducers(partitionsFrom))]),
          scheduling.crossRegionGroups.flatMap((group, index) =>
            consumersOf(named, group).map((consumer) => ({ consumer, partitionsFrom: groups[index] as string[] })),
          ),
        )(consumed);
      }
      return { kind: 'refused', why: `cross-region groups as ${JSON.stringify(expected)} are not known` };
    },
  };
};

interface ConsumedGroup {
  readonly consumer: string;
  readonly partitionsFrom: readonly string[];
}

function isConsumedGroup(given: unknown): given is ConsumedGroup {
  const { consumer, partitionsFrom } = (given ?? {}) as Partial<ConsumedGroup>;
  return typeof consumer === 'string' && Array.isArray(partitionsFrom);
}

/** The consumers of a group that are in the region of some of its producers. */
function consumersOf({ graph, regions, nameOf }: GivenGraph, group: number): string[] {
  const range = (start: number, end: number): ExecutionVertexId[] =>
    Array.from({ length: end - start }, (_, index) => (start + index) as ExecutionVertexId);
  const homes = new Set(
    range(graph.producerStart(group), graph.producerEnd(group)).map((producer) => regions.regionOf(producer)),
  );
  return range(graph.consumerStart(group), graph.consumerEnd(group))
    .filter((consumer) => homes.has(regions.regionOf(consumer)))
    .map((consumer) => nameOf(consumer));
}

/** The graph of a case that adds to it: with us it is complete from the beginning. */
function completed(given: ConformanceCase['given'], when: ConformanceCase['when']): ConformanceCase['given'] {
  const added = (field: string): unknown[] => when.flatMap((step) => listOf<unknown>(step[field], field));
  const [vertices, edges] = [added('addVertices'), added('addEdges')];
  if (vertices.length + edges.length === 0) return given;
  return {
    ...given,
    vertices: [...listOf(given['vertices'], 'vertices'), ...vertices],
    edges: [...listOf(given['edges'], 'edges'), ...edges],
  };
}

const inputConsumable: Handler = ({ given, when }) => {
  const decide = deciderNamed(given['decider'] ?? 'default');
  const named = givenGraph({ level: 'job', ...given });
  const { graph } = named;
  const verticesIn = (field: string): Set<number> =>
    new Set(listOf(given[field], field).map((name) => knownVertex(named, name)));
  const finished = verticesIn('finishedPartitionsOf');
  const scheduled = new Set([...verticesIn('scheduledVertices'), ...verticesIn('verticesAboutToDeploy')]);
  const isConsumable = (vertex: ExecutionVertexId): boolean => {
    let answer = true;
    graph.forEachConsumedGroup(vertex, (group) => {
      const progress = { total: 0, scheduled: 0, finished: 0 };
      for (let producer = graph.producerStart(group); producer < graph.producerEnd(group); producer++) {
        progress.total++;
        if (scheduled.has(producer)) progress.scheduled++;
        if (finished.has(producer)) progress.finished++;
      }
      if (!decide(graph.exchangeOfGroup(group).consumption, progress, group)) answer = false;
    });
    return answer;
  };
  const consumable: Record<string, boolean> = {};
  for (const step of when) {
    if (step['op'] !== 'isInputConsumable') throw new CannotRun(`step ${JSON.stringify(step)} is not known`);
    for (const name of listOf<string>(step['vertices'], 'vertices')) {
      consumable[name] = isConsumable(knownVertex(named, name));
    }
  }
  return { consumable: equals(consumable), note: prose };
};

/** Handlers of the area `scheduling`. */
export const schedulingHandlers: Readonly<Record<string, Handler>> = {
  'pipelined-region': knowing(
    {
      given: [...graphFields, 'strategy', 'inputDecider'],
      ops: { startScheduling: [], finish: ['vertex'], restartTasks: ['vertices'], crossRegionGroups: [] },
    },
    pipelinedRegion,
  ),
  vertexwise: knowing(
    {
      given: [...graphFields, 'strategy', 'inputDecider'],
      ops: {
        startScheduling: ['consumable'],
        finish: ['vertex', 'consumable'],
        restartTasks: ['vertices', 'consumable'],
        topologyUpdate: ['consumable', 'addVertices', 'addEdges'],
      },
    },
    pipelinedRegion,
  ),
  'input-consumable': knowing(
    {
      given: [...graphFields, 'decider', 'finishedPartitionsOf', 'scheduledVertices', 'verticesAboutToDeploy'],
      ops: { isInputConsumable: ['vertices'] },
    },
    inputConsumable,
  ),
};
