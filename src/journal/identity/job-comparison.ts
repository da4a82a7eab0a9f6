/**
 * A vertex, compared with the one of the same id in an earlier run. `before` is the index of that.
 * - `unchanged`: given the same input, it writes the same.
 * - `unknown-source`: unchanged as far as known, but its source cannot be compared, so only the records of its
 *   earlier results count.
 * - `changed`: for `reasons`. That does not affect the vertices after it.
 */
export type VertexComparison =
  | { readonly kind: 'unchanged'; readonly before: number }
  | { readonly kind: 'unknown-source'; readonly before: number; readonly reasons: readonly string[] }
  | { readonly kind: 'changed'; readonly before: number | undefined; readonly reasons: readonly string[] };

/**
 * An edge, compared with those of an earlier run.
 * - `same`: the results of the earlier edge `before` mean the same, provided that all vertices up to its source are
 *   unchanged. No two edges have the same `before`.
 * - `other-shares`: those of `before` have the same records, but shares for another number of consumers, for `reasons`.
 * - `different`: no earlier results fit, for `reasons`.
 */
export type EdgeComparison =
  | { readonly kind: 'same'; readonly before: number }
  | { readonly kind: 'other-shares'; readonly before: number; readonly reasons: readonly string[] }
  | { readonly kind: 'different'; readonly reasons: readonly string[] };

/** A job, compared with that of an earlier run. */
export interface JobComparison {
  /** The name of the earlier job, if it differs. */
  readonly earlierJob?: string;
  /** The ids of the vertices, by index. */
  readonly ids: readonly string[];
  /** By index of the vertex. */
  readonly vertices: readonly VertexComparison[];
  /** By index of the edge. */
  readonly edges: readonly EdgeComparison[];
  /** The ids of earlier vertices that are gone. */
  readonly removed: readonly string[];
}
