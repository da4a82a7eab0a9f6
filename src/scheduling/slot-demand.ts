import type { ExecutionGraph } from '../graph/execution-graph.ts';
import { MaxFlow } from '../graph/max-flow.ts';
import type { PipelinedRegions } from '../graph/pipelined-region.ts';
import type { ExecutionVertexId, RegionId } from '../ids.ts';
import { SlotSharing } from './slot-sharing.ts';

/** The number of slots that a job takes. A running task has one, alone or with others of its slot sharing group. */
export interface SlotDemand {
  /** The minimum to run the job: the number of slots of its largest region, whose tasks run together. */
  readonly least: number;
  /** It uses no more: the number of tasks that can run at once, or of slots if tasks share them. */
  readonly most: number;
}

const source = 0;
const sink = 1;

/**
 * Computes the demand of a job in which every task reads its inputs to the end.
 *
 * A region that reads a complete result begins after its producers have ended, and can reuse their slots and those of
 * all earlier tasks. The maximum is the number of tasks minus the slots that can be passed on in this way, each once:
 * the largest antichain of the order in which tasks end and regions begin (Dilworth), computed as a flow of slots.
 * O(tasks) nodes.
 */
export function slotDemand(graph: ExecutionGraph, regions: PipelinedRegions): SlotDemand {
  const sharing = new SlotSharing(graph);
  let least = 0;
  for (let region = 0 as RegionId; region < regions.count; region++) {
    const tasks = regions.verticesOf(region);
    if (tasks.length > least) least = Math.max(least, sharing.slotsOf(tasks).size);
  }
  return { least, most: Math.min(sharing.count, graph.vertexCount - slotsHandedOn(graph, regions)) };
}

function slotsHandedOn(graph: ExecutionGraph, regions: PipelinedRegions): number {
  const { vertexCount, groupCount } = graph;
  const isComplete = (group: number): boolean => graph.exchangeOfGroup(group).consumption === 'after-producer-finished';
  /** Node: a task has ended, and so have the tasks it read from. */
  const ended = (vertex: number): number => 2 + vertex;
  /** Node: the concurrent consumers of a group have ended. */
  const read = (group: number): number => 2 + vertexCount + group;
  /** Node: the consumers of a group begin, after the ended tasks. */
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
