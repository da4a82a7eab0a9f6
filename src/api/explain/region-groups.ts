import type { ExecutionGraph } from '../../graph/execution-graph.ts';
import type { Topology } from '../../graph/topology.ts';
import type { ExecutionVertexId, RegionId } from '../../ids.ts';
import { type SubtasksOfVertex, TaskList } from './task-list.ts';

/** Regions of the same shape: the same number of subtasks of the same vertices. */
export interface RegionGroup {
  readonly count: number;
  /** Tasks of one region. */
  readonly size: number;
  /** The tasks of all regions in the group. */
  readonly tasks: readonly SubtasksOfVertex[];
  /**
   * How a restarted region affects its consumers in other regions: `again`, it reproduces its results and they
   * continue; `new`, it recomputes them and they restart too, with the reason. Undefined if it has no such consumers.
   */
  readonly produces: { readonly kind: 'again' } | { readonly kind: 'new'; readonly why: string } | undefined;
}

/** Groups regions by shape, in the order of their first region. O(tasks). */
export function regionGroups(topology: Topology): RegionGroup[] {
  const { graph, regions } = topology;
  const groups = new Map<
    string,
    { count: number; readonly size: number; readonly tasks: TaskList; readonly produces: RegionGroup['produces'] }
  >();
  for (let region = 0; region < regions.count; region++) {
    const vertices = regions.verticesOf(region as RegionId);
    const make = makeOf(graph, vertices);
    let group = groups.get(make);
    if (group === undefined) {
      const produces = productionOf(topology, region as RegionId);
      group = { count: 0, size: vertices.length, tasks: new TaskList(graph), produces };
      groups.set(make, group);
    }
    group.count++;
    group.tasks.add(vertices);
  }
  return Array.from(groups.values(), ({ count, size, tasks, produces }) => {
    return { count, size, tasks: tasks.byVertex(), produces };
  });
}

function productionOf({ graph, regions, reproducibilityOf }: Topology, region: RegionId): RegionGroup['produces'] {
  const isRead = regions
    .verticesOf(region)
    .some((vertex) =>
      graph
        .edgesOutOf(graph.jobVertexIndexOf(vertex as ExecutionVertexId))
        .some((edge) => graph.jobGraph.edges[edge]?.exchange.joinsRegions === false),
    );
  if (!isRead) return undefined;
  const reproducibility = reproducibilityOf(region);
  return reproducibility.kind === 'never' ? { kind: 'new', why: reproducibility.why } : { kind: 'again' };
}

/** The shape of a region as a key: how many subtasks of which vertices. */
function makeOf(graph: ExecutionGraph, vertices: Int32Array): string {
  let make = '';
  let current = -1;
  let size = 0;
  for (const vertex of vertices) {
    const jobVertex = graph.jobVertexIndexOf(vertex as ExecutionVertexId);
    if (jobVertex !== current) {
      if (size > 0) make += `${current}×${size} `;
      current = jobVertex;
      size = 0;
    }
    size++;
  }
  return `${make}${current}×${size}`;
}
