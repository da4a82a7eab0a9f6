import fc from 'fast-check';
import type { JobIdentity, PartIdentity, PartsIdentity } from '../../../src/journal/identity/job-identity.ts';
import { edge, step, vertex } from './identities.ts';

const anyPart: fc.Arbitrary<PartIdentity> = fc.oneof(
  fc.record({ kind: fc.constant('text' as const), hash: fc.string() }),
  fc.record({ kind: fc.constant('version' as const), version: fc.oneof(fc.nat(), fc.string()) }),
  fc.record({ kind: fc.constant('option' as const), value: fc.string() }),
  fc.record({ kind: fc.constant('data' as const), hash: fc.string(), size: fc.nat() }),
);

const anyParts: fc.Arbitrary<PartsIdentity> = fc.dictionary(
  fc.constantFrom('function', 'create', 'add', 'inputs', 'emit', '__proto__', 'constructor'),
  anyPart,
  { noNullPrototype: true },
);

/** A chain of vertices `v0 → v1 → …`, each of one to three steps, with one or two edges between neighbors. */
export const anyIdentity: fc.Arbitrary<JobIdentity> = fc
  .array(
    fc.record({
      parallelism: fc.integer({ min: 1, max: 4 }),
      parts: fc.array(anyParts, { minLength: 1, maxLength: 3 }),
      exchanges: fc.array(fc.constantFrom('pipelined', 'memory', 'reliable', 'blocking'), {
        minLength: 1,
        maxLength: 2,
      }),
      key: anyPart,
    }),
    { minLength: 2, maxLength: 5 },
  )
  .map((drawn) => {
    const vertices = drawn.map(({ parallelism, parts }, index) =>
      vertex(parallelism, ...parts.map((own, number) => step(`v${index}.${number}`, own))),
    );
    const edges = drawn.slice(1).flatMap(({ parallelism, exchanges, key }, index) =>
      exchanges.map((exchange, ordinal) =>
        edge(`v${index}.0`, `v${index + 1}.0`, {
          ordinal,
          exchange,
          consumers: parallelism,
          partitioning: parallelism === 1 ? { kind: 'single' } : { kind: 'hash', key: { key } },
        }),
      ),
    );
    return { job: 'drawn', mode: 'batch', vertices, edges };
  });
