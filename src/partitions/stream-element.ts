/** Records in the order they were produced. Frozen (array and records) where the environment says so; never changed. */
export type Batch = readonly unknown[];

/** What travels through a subpartition. Barriers and watermarks will be further kinds. */
export type StreamElement =
  | { readonly kind: 'records'; readonly records: Batch }
  /** Nothing follows: the producer finished. */
  | { readonly kind: 'end' };

export const endOfPartition: StreamElement = { kind: 'end' };
