/**
 * Strongly connected components of a directed graph, by Tarjan's algorithm without recursion (a ring of 100 000 nodes
 * would overflow the stack). O(nodes + edges).
 *
 * @param nodeCount nodes are 0 … nodeCount − 1
 * @param edgesOf the targets of a node's edges
 * @returns the component of each node; components are numbered in reverse topological order
 */
export function stronglyConnectedComponents(
  nodeCount: number,
  edgesOf: (node: number) => ArrayLike<number>,
): { readonly componentOf: Int32Array; readonly componentCount: number } {
  const unvisited = -1;
  const order = new Int32Array(nodeCount).fill(unvisited);
  const lowest = new Int32Array(nodeCount);
  const componentOf = new Int32Array(nodeCount).fill(unvisited);
  const open: number[] = [];
  const path: { readonly node: number; readonly edges: ArrayLike<number>; next: number }[] = [];
  let visited = 0;
  let componentCount = 0;

  const enter = (node: number): void => {
    order[node] = lowest[node] = visited++;
    open.push(node);
    path.push({ node, edges: edgesOf(node), next: 0 });
  };

  for (let root = 0; root < nodeCount; root++) {
    if (order[root] !== unvisited) continue;
    enter(root);
    for (let frame = path.at(-1); frame !== undefined; frame = path.at(-1)) {
      if (frame.next < frame.edges.length) {
        const target = frame.edges[frame.next++] as number;
        if (order[target] === unvisited) enter(target);
        else if (componentOf[target] === unvisited) {
          lowest[frame.node] = Math.min(lowest[frame.node] as number, order[target] as number);
        }
        continue;
      }
      path.pop();
      const parent = path.at(-1);
      if (parent !== undefined) {
        lowest[parent.node] = Math.min(lowest[parent.node] as number, lowest[frame.node] as number);
      }
      if (lowest[frame.node] !== order[frame.node]) continue;
      for (;;) {
        const member = open.pop() as number;
        componentOf[member] = componentCount;
        if (member === frame.node) break;
      }
      componentCount++;
    }
  }
  return { componentOf, componentCount };
}
