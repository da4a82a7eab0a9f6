/** Disjoint sets with union by size and path halving. */
export class UnionFind {
  readonly size: number;
  readonly #parents: Int32Array;
  readonly #sizes: Int32Array;

  constructor(size: number) {
    this.size = size;
    this.#parents = Int32Array.from({ length: size }, (_, index) => index);
    this.#sizes = new Int32Array(size).fill(1);
  }

  find(item: number): number {
    const parents = this.#parents;
    let current = item;
    while (parents[current] !== current) {
      parents[current] = parents[parents[current] as number] as number;
      current = parents[current] as number;
    }
    return current;
  }

  union(a: number, b: number): void {
    let [large, small] = [this.find(a), this.find(b)];
    if (large === small) return;
    const sizes = this.#sizes;
    if ((sizes[large] as number) < (sizes[small] as number)) [large, small] = [small, large];
    this.#parents[small] = large;
    sizes[large] = (sizes[large] as number) + (sizes[small] as number);
  }
}
