/** The edges of a directed graph, sorted by the node that they leave. */
export interface EdgeTable {
  /** By node: where its edges start in `targets`. One more at the end. */
  readonly starts: Int32Array;
  readonly targets: Int32Array;
}

/** The edges of a graph with nodes 0 … `nodeCount` − 1 as a table. */
export function edgeTable(nodeCount: number, edgesOf: (node: number) => ArrayLike<number>): EdgeTable {
  const starts = new Int32Array(nodeCount + 1);
  const targets: number[] = [];
  for (let node = 0; node < nodeCount; node++) {
    const edges = edgesOf(node);
    for (let index = 0; index < edges.length; index++) targets.push(edges[index] as number);
    starts[node + 1] = targets.length;
  }
  return { starts, targets: Int32Array.from(targets) };
}

/**
 * Strongly connected components of a directed graph, by Tarjan's algorithm without recursion (a ring of 100 000 nodes
 * would overflow the stack). O(nodes + edges).
 *
 * @returns the component of each node; components are numbered in reverse topological order
 */
export function stronglyConnectedComponents({ starts, targets }: EdgeTable): {
  readonly componentOf: Int32Array;
  readonly componentCount: number;
} {
  const nodeCount = starts.length - 1;
  const unvisited = -1;
  const order = new Int32Array(nodeCount).fill(unvisited);
  const lowest = new Int32Array(nodeCount);
  const componentOf = new Int32Array(nodeCount).fill(unvisited);
  const next = starts.slice(0, nodeCount);
  const open = new Int32Array(nodeCount);
  const path = new Int32Array(nodeCount);
  let openCount = 0;
  let depth = 0;
  let visited = 0;
  let componentCount = 0;

  const enter = (node: number): void => {
    order[node] = lowest[node] = visited++;
    open[openCount++] = node;
    path[depth++] = node;
  };

  for (let root = 0; root < nodeCount; root++) {
    if (order[root] !== unvisited) continue;
    enter(root);
    while (depth > 0) {
      const node = path[depth - 1] as number;
      const edge = next[node] as number;
      if (edge < (starts[node + 1] as number)) {
        next[node] = edge + 1;
        const target = targets[edge] as number;
        if (order[target] === unvisited) enter(target);
        else if (componentOf[target] === unvisited) {
          lowest[node] = Math.min(lowest[node] as number, order[target] as number);
        }
        continue;
      }
      depth--;
      if (depth > 0) {
        const parent = path[depth - 1] as number;
        lowest[parent] = Math.min(lowest[parent] as number, lowest[node] as number);
      }
      if (lowest[node] !== order[node]) continue;
      for (let member = -1; member !== node; ) {
        member = open[--openCount] as number;
        componentOf[member] = componentCount;
      }
      componentCount++;
    }
  }
  return { componentOf, componentCount };
}
