import fc, { type ObjectConstraints } from 'fast-check';

/** Plain data of every kind that fast-check draws and records may hold. */
export function plainValues(constraints: ObjectConstraints = {}): fc.Arbitrary<unknown> {
  return fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withTypedArray: true,
    withNullPrototype: true,
    withSparseArray: true,
    ...constraints,
  });
}
