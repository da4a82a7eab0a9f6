/**
 * Maximum flow from node 0 to node 1 of a network (Dinic, 1970: shortest paths first). Iterative, because paths are as
 * long as jobs are deep.
 */
export class MaxFlow {
  readonly #firstArc: Int32Array;
  /** By arc; its reverse arc is `arc ^ 1`. */
  readonly #target: number[] = [];
  readonly #nextArc: number[] = [];
  readonly #capacity: number[] = [];
  readonly #level: Int32Array;
  readonly #arcAt: Int32Array;

  constructor(nodeCount: number) {
    this.#firstArc = new Int32Array(nodeCount).fill(-1);
    this.#level = new Int32Array(nodeCount);
    this.#arcAt = new Int32Array(nodeCount);
  }

  connect(from: number, to: number, capacity = Number.POSITIVE_INFINITY): void {
    this.#addArc(from, to, capacity);
    this.#addArc(to, from, 0);
  }

  /** Consumes the network. O(arcs × √nodes) if all arcs out of node 0 have capacity 1. */
  run(): number {
    let flow = 0;
    while (this.#setLevels()) {
      this.#arcAt.set(this.#firstArc);
      for (let more = this.#augment(); more > 0; more = this.#augment()) flow += more;
    }
    return flow;
  }

  #addArc(from: number, to: number, capacity: number): void {
    this.#nextArc.push(this.#firstArc[from] as number);
    this.#firstArc[from] = this.#target.length;
    this.#target.push(to);
    this.#capacity.push(capacity);
  }

  /** Returns whether node 1 can be reached. */
  #setLevels(): boolean {
    const level = this.#level.fill(-1);
    const queue = [0];
    level[0] = 0;
    for (const node of queue) {
      for (let arc = this.#firstArc[node] as number; arc >= 0; arc = this.#nextArc[arc] as number) {
        const next = this.#target[arc] as number;
        if (level[next] !== -1 || this.#capacity[arc] === 0) continue;
        level[next] = (level[node] as number) + 1;
        queue.push(next);
      }
    }
    return level[1] !== -1;
  }

  /** Augments along one shortest path. Returns the amount; 0 if no path is left. */
  #augment(): number {
    const path: number[] = [];
    let node = 0;
    while (node !== 1) {
      const arc = this.#arcAt[node] as number;
      if (arc < 0) {
        const before = path.pop();
        if (before === undefined) return 0;
        node = this.#target[before ^ 1] as number;
        this.#arcAt[node] = this.#nextArc[before] as number;
        continue;
      }
      const next = this.#target[arc] as number;
      if (this.#capacity[arc] === 0 || this.#level[next] !== (this.#level[node] as number) + 1) {
        this.#arcAt[node] = this.#nextArc[arc] as number;
        continue;
      }
      path.push(arc);
      node = next;
    }
    const flow = Math.min(...path.map((arc) => this.#capacity[arc] as number));
    for (const arc of path) {
      this.#capacity[arc] = (this.#capacity[arc] as number) - flow;
      this.#capacity[arc ^ 1] = (this.#capacity[arc ^ 1] as number) + flow;
    }
    return flow;
  }
}
