import type { ExecutionVertexId, RegionId } from '../ids.ts';
import type { JobShape } from '../run/folds/job-shape.ts';

const mostNamed = 3;

/** Names regions by their vertices, so that all regions of parallel pipelines have one name: `reviews+rate`. */
export class RegionLabels {
  readonly #shape: JobShape;
  readonly #labels = new Map<RegionId, string>();

  constructor(shape: JobShape) {
    this.#shape = shape;
  }

  of(region: RegionId): string {
    const known = this.#labels.get(region);
    if (known !== undefined) return known;
    const { graph, regions } = this.#shape;
    const vertices = new Set<number>();
    regions.forEachVertex(region, (vertex) => vertices.add(graph.jobVertexIndexOf(vertex)));
    const names = [...vertices].map((index) => graph.jobGraph.vertices[index]?.id as string);
    const label =
      names.length <= mostNamed
        ? names.join('+')
        : `${names.slice(0, mostNamed - 1).join('+')}+…+${names.at(-1)} (${names.length})`;
    this.#labels.set(region, label);
    return label;
  }

  /** The region of a task, by the task's name: `map[2]`. */
  ofTask(task: string): string | undefined {
    const { graph, regions } = this.#shape;
    const [, vertex, subtask] = /^(.*)\[(\d+)\]$/su.exec(task) ?? [];
    const index = graph.jobGraph.vertexIndexById.get(vertex as never);
    if (index === undefined) return undefined;
    return this.of(regions.regionOf(graph.vertexAt(index, Number(subtask)) as ExecutionVertexId));
  }
}
