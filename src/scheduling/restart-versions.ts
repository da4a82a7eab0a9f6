import { IllegalStateError } from '../errors.ts';
import type { ExecutionVertexId } from '../ids.ts';

/** The version of a vertex at the moment a decision about it was made. */
export interface VertexVersion {
  readonly vertex: ExecutionVertexId;
  readonly version: number;
}

/**
 * Tells whether a decision about vertices is still the newest: whoever decides records a version, and before he acts,
 * later, keeps only the vertices nobody has decided about since. (Flink: `ExecutionVertexVersioner`.)
 */
export class RestartVersions {
  /** Decisions per vertex so far; 0 for none. */
  readonly #versions: Int32Array;

  constructor(vertexCount: number) {
    this.#versions = new Int32Array(vertexCount);
  }

  /** Notes a new decision about these vertices. */
  record(vertices: Iterable<ExecutionVertexId>): VertexVersion[] {
    const recorded: VertexVersion[] = [];
    for (const vertex of vertices) {
      const last = this.#versions[vertex];
      if (last === undefined) throw new IllegalStateError(`There is no execution vertex ${vertex} to version`);
      this.#versions[vertex] = last + 1;
      recorded.push({ vertex, version: last + 1 });
    }
    return recorded;
  }

  /**
   * Whether there was a newer decision about the vertex.
   * @throws IllegalStateError if there was none at all
   */
  isModified({ vertex, version }: VertexVersion): boolean {
    const last = this.#versions[vertex];
    if (last === undefined || last === 0) {
      throw new IllegalStateError(`Execution vertex ${vertex} was asked about before a version of it was recorded`);
    }
    return last !== version;
  }

  /** The vertices about which these are still the newest decisions, in the order given. */
  unmodified(recorded: Iterable<VertexVersion>): ExecutionVertexId[] {
    const vertices: ExecutionVertexId[] = [];
    for (const version of recorded) if (!this.isModified(version)) vertices.push(version.vertex);
    return vertices;
  }
}
