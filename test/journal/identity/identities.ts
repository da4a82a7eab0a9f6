import type {
  EdgeIdentity,
  PartIdentity,
  PartsIdentity,
  StepIdentity,
  VertexIdentity,
} from '../../../src/journal/identity/job-identity.ts';

/** Parts by their kind. */
export const text = (hash: string): PartIdentity => ({ kind: 'text', hash });
export const version = (given: string | number): PartIdentity => ({ kind: 'version', version: given });
export const option = (value: string): PartIdentity => ({ kind: 'option', value });
export const data = (hash: string, size: number): PartIdentity => ({ kind: 'data', hash, size });
export const unknown = (why: string): PartIdentity => ({ kind: 'unknown', why });

/** A step, by default an operator with one function. */
export const step = (uid: string, parts: PartsIdentity = { function: text(uid) }, kind = 'map'): StepIdentity => ({
  uid,
  role: 'operator',
  kind,
  parts,
});
/** A vertex with the id of its first step. */
export const vertex = (parallelism: number, ...steps: StepIdentity[]): VertexIdentity => ({
  id: (steps[0] as StepIdentity).uid,
  parallelism,
  steps,
});
/** An edge, by default a shuffle by key that is kept. */
export const edge = (source: string, target: string, given: Partial<EdgeIdentity> = {}): EdgeIdentity => ({
  source,
  target,
  ordinal: 0,
  exchange: 'reliable',
  partitioning: { kind: 'hash', key: { key: text('key') } },
  consumers: 2,
  ...given,
});
