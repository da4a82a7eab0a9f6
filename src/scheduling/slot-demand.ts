import type { ExecutionGraph } from '../graph/execution-graph.ts';
import { MaxFlow } from '../graph/max-flow.ts';
import type { PipelinedRegions } from '../graph/pipelined-region.ts';
import type { ExecutionVertexId, RegionId } from '../ids.ts';

/** How many slots a job takes; each task that runs has one. */
export interface SlotDemand {
  /** With fewer it does not run at all: as many as the largest region has tasks, since those run together. */
  readonly least: number;
  /** More are of no use: as many as there are tasks that can run at once. */
  readonly most: number;
}

const source = 0;
const sink = 1;

/**
 * Works out the demand of a job in which every task reads its inputs to their end.
 *
 * A region that reads a complete result begins when the producers of that have ended, and may have their slots and those of
 * all before them. The most at once are the tasks less the slots that can be handed on so, each once: the largest antichain of
 * the order in which tasks end and regions begin (Dilworth), found as a flow of slots. O(tasks) nodes.
 */
export function slotDemand(graph: ExecutionGraph, regions: PipelinedRegions): SlotDemand {
  let least = 0;
  for (let region = 0 as RegionId; region < regions.count; region++) {
    least = Math.max(least, regions.verticesOf(region).length);
  }
  return { least, most: graph.vertexCount - slotsHandedOn(graph, regions) };
}

function slotsHandedOn(graph: ExecutionGraph, regions: PipelinedRegions): number {
  const { vertexCount, groupCount } = graph;
  const isComplete = (group: number): boolean => graph.exchangeOfGroup(group).consumption === 'after-producer-finished';
  /** A task has ended, and with it those that it has read from. */
  const ended = (vertex: number): number => 2 + vertex;
  /** Who reads a group meanwhile has ended. */
  const read = (group: number): number => 2 + vertexCount + group;
  /** Who reads a group begins, after those that have ended. */
  const readable = (group: number): number => 2 + vertexCount + groupCount + group;
  const begins = (region: number): number => 2 + vertexCount + 2 * groupCount + region;

  const network = new MaxFlow(2 + vertexCount + 2 * groupCount + regions.count);
  for (let group = 0; group < groupCount; group++) {
    const readers = new Set<RegionId>();
    for (let consumer = graph.consumerStart(group); consumer < graph.consumerEnd(group); consumer++) {
      readers.add(regions.regionOf(consumer as ExecutionVertexId));
      if (!isComplete(group)) network.connect(read(group), ended(consumer));
    }
    for (const reader of readers) network.connect(readable(group), begins(reader));
    const feeders = new Set<RegionId>();
    for (let producer = graph.producerStart(group); producer < graph.producerEnd(group); producer++) {
      const home = regions.regionOf(producer as ExecutionVertexId);
      feeders.add(home);
      if (!isComplete(group)) network.connect(ended(producer), read(group));
      else if (!readers.has(home)) network.connect(ended(producer), readable(group));
      else for (const reader of readers) if (reader !== home) network.connect(ended(producer), begins(reader));
    }
    for (const feeder of feeders) network.connect(begins(feeder), readable(group));
  }
  for (let vertex = 0; vertex < vertexCount; vertex++) network.connect(source, ended(vertex), 1);
  for (let region = 0 as RegionId; region < regions.count; region++) {
    network.connect(begins(region), sink, regions.verticesOf(region).length);
  }
  return network.run();
}
