import { closureLoop } from '../../src/operators/fused/loops/closure-loop.ts';
import { compileLoop } from '../../src/operators/fused/loops/compile-loop.ts';

/** Every way to make the loop of a stretch of operators. */
export const loopKinds: readonly (readonly [kind: string, compile: typeof compileLoop])[] = [
  ['a generated loop', compileLoop],
  [
    'a generated loop that calls functions apart',
    (...[operators, accumulators, options]) => compileLoop(operators, accumulators, { ...options, callsApart: true }),
  ],
  ['closures', closureLoop],
];
