import type { ExecutionGraph } from '../graph/execution-graph.ts';
import type { PipelinedRegions } from '../graph/pipelined-region.ts';
import { UnionFind } from '../graph/union-find.ts';
import type { ComponentId, ExecutionVertexId, RegionId } from '../ids.ts';

/** Regions that are joined by exchanges whose consumers run with their producers: the scope of a checkpoint. */
export interface StreamingComponent {
  readonly id: ComponentId;
  /** In ascending order. */
  readonly regions: readonly RegionId[];
  /** Its tasks, in ascending order. */
  readonly tasks: readonly ExecutionVertexId[];
  /** The tasks where its barriers start: those that read nothing of it, because they have a source or read complete results. */
  readonly heads: readonly ExecutionVertexId[];
  /**
   * Whether a task of it writes a result that is read once it is complete. Such a result begins anew with its producer,
   * which therefore cannot continue from a checkpoint.
   */
  readonly writesCompleteResults: boolean;
}

export interface StreamingComponents {
  /** By id. */
  readonly list: readonly StreamingComponent[];
  componentOf(region: RegionId): StreamingComponent;
}

/**
 * The streaming components of a job: its regions, joined by exchanges that are consumed while they are produced. Two
 * tasks without such a connection never share a checkpoint. O(tasks and groups)
 */
export function streamingComponents(graph: ExecutionGraph, regions: PipelinedRegions): StreamingComponents {
  const sets = new UnionFind(regions.count);
  const regionOf = (vertex: number): RegionId => regions.regionOf(vertex as ExecutionVertexId);
  for (let group = 0; group < graph.groupCount; group++) {
    if (!isStreaming(graph, group)) continue;
    const first = regionOf(graph.producerStart(group));
    for (let vertex = graph.producerStart(group) + 1; vertex < graph.producerEnd(group); vertex++) {
      sets.union(first, regionOf(vertex));
    }
    for (let vertex = graph.consumerStart(group); vertex < graph.consumerEnd(group); vertex++) {
      sets.union(first, regionOf(vertex));
    }
  }
  const idOfAnchor = new Map<number, number>();
  const list: Draft[] = [];
  const componentOf = new Int32Array(regions.count);
  for (let region = 0 as RegionId; region < regions.count; region++) {
    const anchor = sets.find(region);
    const id = idOfAnchor.get(anchor) ?? list.length;
    if (id === list.length) {
      idOfAnchor.set(anchor, id);
      list.push({ id: id as ComponentId, regions: [], tasks: [], heads: [], writesCompleteResults: false });
    }
    componentOf[region] = id;
    (list[id] as Draft).regions.push(region);
  }
  for (let vertex = 0 as ExecutionVertexId; vertex < graph.vertexCount; vertex++) {
    enter(list[componentOf[regionOf(vertex)] as number] as Draft, vertex, graph);
  }
  return { list, componentOf: (region) => list[componentOf[region] as number] as StreamingComponent };
}

/** A component that is being collected. */
interface Draft extends StreamingComponent {
  readonly regions: RegionId[];
  readonly tasks: ExecutionVertexId[];
  readonly heads: ExecutionVertexId[];
  writesCompleteResults: boolean;
}

function enter(component: Draft, vertex: ExecutionVertexId, graph: ExecutionGraph): void {
  let isHead = true;
  graph.forEachConsumedGroup(vertex, (group) => {
    isHead &&= !isStreaming(graph, group);
  });
  graph.forEachProducedGroup(vertex, (group) => {
    component.writesCompleteResults ||= !isStreaming(graph, group);
  });
  component.tasks.push(vertex);
  if (isHead) component.heads.push(vertex);
}

/** Whether the consumers of a group read it while it is produced. */
function isStreaming(graph: ExecutionGraph, group: number): boolean {
  return graph.exchangeOfGroup(group).consumption !== 'after-producer-finished';
}
