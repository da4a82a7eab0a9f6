/**
 * The identity of one part of a step, or of a key function.
 * - `text`: a function, by the SHA-256 of its source text.
 * - `version`: a function, source or sink, by the version that its user gave it.
 * - `option`: an option that changes the records, in a readable form.
 * - `data`: values that the records depend on (an array, declared inputs, a long option), by their hash.
 * - `unknown`: it cannot be compared, not even with itself. `why` completes "the function of … has no source text".
 */
export type PartIdentity =
  | { readonly kind: 'text'; readonly hash: string }
  | { readonly kind: 'version'; readonly version: string | number }
  | { readonly kind: 'option'; readonly value: string }
  | { readonly kind: 'data'; readonly hash: string; readonly size?: number }
  | { readonly kind: 'unknown'; readonly why: string };

/**
 * The parts of a step or key, by name: that of a parameter (`create`) or an option (`delimiter`); `function` if there is
 * only one, `key` and `inputs of key`, `inputs` for declared inputs, `records` for those of a source, `destination` for a sink of the user's own.
 */
export type PartsIdentity = Readonly<Record<string, PartIdentity>>;

/** One step of a job: a source, an operator or a sink. */
export interface StepIdentity {
  readonly uid: string;
  readonly role: 'source' | 'operator' | 'sink';
  /** The kind of operator, or the call that made the source or sink: `map`, `aggregate`, `csvFile`. */
  readonly kind: string;
  readonly parts: PartsIdentity;
}

/** The steps that run in the tasks of one vertex. */
export interface VertexIdentity {
  /** The uid of the first step. */
  readonly id: string;
  readonly parallelism: number;
  readonly steps: readonly StepIdentity[];
}

/** How records are distributed over the consumers of an edge. */
export interface PartitioningIdentity {
  /** `single`: there is one consumer, which gets all records whatever the key. */
  readonly kind: 'single' | 'forward' | 'rebalance' | 'broadcast' | 'hash';
  /** The key function of `hash`, and of `single` if records would be divided by key. */
  readonly key?: PartsIdentity;
  /** How keys are assigned to tasks. Absent: by the remainder of their hash, as in jobs of earlier versions. */
  readonly keyRule?: 'key groups';
}

/** The results of one vertex for another. */
export interface EdgeIdentity {
  readonly source: string;
  readonly target: string;
  /** Number among the edges from this source to this target, from 0. */
  readonly ordinal: number;
  /** The name of the exchange. */
  readonly exchange: string;
  readonly partitioning: PartitioningIdentity;
  /** Parallelism of the consumer: each result has a subpartition for each of its tasks. */
  readonly consumers: number;
  /** The directory in which the result is kept beyond the job. */
  readonly keptIn?: string;
}

/**
 * Everything that decides whether results of an earlier run may be re-used, except the outside world, which sources
 * examine. Plain data that JSON can carry; a property without a value is absent.
 */
export interface JobIdentity {
  readonly job: string;
  readonly mode: string;
  readonly vertices: readonly VertexIdentity[];
  readonly edges: readonly EdgeIdentity[];
}
