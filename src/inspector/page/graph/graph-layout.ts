import { Graph, layout } from '@dagrejs/dagre';
import type { GraphModel } from './graph-model.ts';

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A rectangle by its upper left corner. */
export interface Box extends Point {
  readonly width: number;
  readonly height: number;
}

/** Where everything of a graph is drawn, in px. */
export interface GraphLayout {
  readonly width: number;
  readonly height: number;
  readonly nodes: readonly Box[];
  /** By edge of the model: its bends from source to target, and the middle of its label. */
  readonly edges: readonly { readonly points: readonly Point[]; readonly label: Point }[];
  readonly hulls: readonly Box[];
}

const nodeSize = { width: 204, height: 86 };
const labelSize = { width: 124, height: 46 };
/** Between a hull and its boxes; above them its name. */
const hullPadding = { side: 12, top: 28, bottom: 12 };

/** Arranges a graph in layers from left to right. Costs tens of ms for tens of boxes: once for each job. */
export function layOut(model: GraphModel): GraphLayout {
  const graph = new Graph({ multigraph: true, compound: true });
  graph.setGraph({ rankdir: 'LR', nodesep: 56, edgesep: 24, ranksep: 52, marginx: 24, marginy: 36 });
  for (const [at, { nodes }] of model.hulls.entries()) if (nodes.length > 1) graph.setNode(`hull ${at}`, {});
  for (const node of model.nodes.keys()) graph.setNode(String(node), { ...nodeSize });
  for (const [at, { nodes }] of model.hulls.entries()) {
    if (nodes.length > 1) for (const node of nodes) graph.setParent(String(node), `hull ${at}`);
  }
  for (const { edge, source, target } of model.edges) {
    graph.setEdge(String(source), String(target), { ...labelSize, labelpos: 'c' }, String(edge));
  }
  layout(graph as never);
  const nodes = model.nodes.map((_, node) => boxAround(graph.node(String(node)) as Box));
  const { width = 0, height = 0 } = graph.graph() as Partial<Box>;
  return {
    width,
    height,
    nodes,
    edges: model.edges.map(({ edge, source, target }) => {
      const { points, x, y } = graph.edge({ v: String(source), w: String(target), name: String(edge) }) as Point & {
        points: Point[];
      };
      return { points, label: { x, y } };
    }),
    hulls: model.hulls.map((hull) => hullAround(hull.nodes.map((node) => nodes[node] as Box))),
  };
}

/** dagre gives the middle. */
function boxAround({ x, y, width, height }: Box): Box {
  return { x: x - width / 2, y: y - height / 2, width, height };
}

function hullAround(boxes: readonly Box[]): Box {
  const left = Math.min(...boxes.map(({ x }) => x)) - hullPadding.side;
  const top = Math.min(...boxes.map(({ y }) => y)) - hullPadding.top;
  const right = Math.max(...boxes.map(({ x, width }) => x + width)) + hullPadding.side;
  const bottom = Math.max(...boxes.map(({ y, height }) => y + height)) + hullPadding.bottom;
  return { x: left, y: top, width: right - left, height: bottom - top };
}

/** A smooth SVG path through points. */
export function pathThrough(points: readonly Point[]): string {
  const [first, ...rest] = points;
  if (first === undefined) return '';
  let path = `M${first.x},${first.y}`;
  for (const [at, point] of rest.entries()) {
    const next = rest[at + 1];
    if (next === undefined) path += ` L${point.x},${point.y}`;
    else path += ` Q${point.x},${point.y} ${(point.x + next.x) / 2},${(point.y + next.y) / 2}`;
  }
  return path;
}
