import type { ExecutionVertexId, RegionId } from '../../src/ids.ts';
import type { InputConsumableDecider } from '../../src/scheduling/input-consumable.ts';
import { PipelinedRegionScheduling } from '../../src/scheduling/pipelined-region-scheduling.ts';
import {
  CannotRun,
  equals,
  equalsAs,
  type Handler,
  knowing,
  perStep,
  prose,
  sortedNumbers,
  sortedSets,
} from './conformance-case.ts';
import { flinkInputDeciders } from './flink-input-deciders.ts';
import { givenGraph, graphFields, knownVertex, listOf } from './given-graph.ts';

const deciders: Readonly<Record<string, InputConsumableDecider>> = flinkInputDeciders;

function deciderNamed(name: unknown): InputConsumableDecider {
  const decider = Object.hasOwn(deciders, String(name)) ? deciders[String(name)] : undefined;
  if (decider === undefined) throw new CannotRun(`decider ${JSON.stringify(name)} is not known`);
  return decider;
}

const pipelinedRegion: Handler = ({ given, when }) => {
  const named = givenGraph({ level: 'job', ...given });
  const { graph, regions } = named;
  const scheduling = new PipelinedRegionScheduling(graph, regions, deciderNamed(given['inputDecider'] ?? 'default'));
  const regionsOf = (vertices: unknown): Set<RegionId> => {
    if (vertices === 'all') return new Set(Array.from({ length: regions.count }, (_, region) => region as RegionId));
    return new Set(listOf(vertices, 'vertices').map((name) => regions.regionOf(knownVertex(named, name))));
  };
  const run = (step: Readonly<Record<string, unknown>>): RegionId[] => {
    switch (step['op']) {
      case 'startScheduling':
        return scheduling.offer(regionsOf('all'));
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
      return { kind: 'skipped', why: `cross-region groups as ${JSON.stringify(expected)} are not known` };
    },
  };
};

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
      if (!decide(graph.exchangeOfGroup(group).consumption, progress)) answer = false;
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
      ops: ['startScheduling', 'finish', 'restartTasks'],
      steps: ['vertex', 'vertices'],
    },
    pipelinedRegion,
  ),
  'input-consumable': knowing(
    {
      given: [...graphFields, 'decider', 'finishedPartitionsOf', 'scheduledVertices', 'verticesAboutToDeploy'],
      ops: ['isInputConsumable'],
      steps: ['vertices'],
    },
    inputConsumable,
  ),
};
