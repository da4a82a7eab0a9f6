import fc from 'fast-check';
import { compareIdentities } from '../../../src/journal/identity/compare-identities.ts';
import { comparisonLines } from '../../../src/journal/identity/comparison-lines.ts';
import type { JobComparison } from '../../../src/journal/identity/job-comparison.ts';
import type {
  EdgeIdentity,
  JobIdentity,
  PartsIdentity,
  StepIdentity,
  VertexIdentity,
} from '../../../src/journal/identity/job-identity.ts';
import { anyIdentity } from './drawn-identity.ts';
import { data, edge, option, step, text, unknown, version, vertex } from './identities.ts';

const texts: StepIdentity = { uid: 'texts', role: 'source', kind: 'fromArray', parts: { records: data('a', 3) } };
const stream = (why: string): StepIdentity => ({ ...texts, kind: 'stream', parts: { records: unknown(why) } });

//  texts·embed ══▶ fix·count ──▶ out
const job: JobIdentity = {
  job: 'texts',
  mode: 'batch',
  vertices: [vertex(1, texts, step('embed')), vertex(2, step('fix'), step('count')), vertex(1, step('out'))],
  edges: [
    edge('texts', 'fix'),
    edge('fix', 'out', { exchange: 'pipelined', consumers: 1, partitioning: { kind: 'single' } }),
  ],
};

/** The job with other vertices or edges, by index. */
function changed(
  vertices: Readonly<Record<number, VertexIdentity>>,
  edges: Readonly<Record<number, EdgeIdentity>> = {},
): JobIdentity {
  return {
    ...job,
    vertices: job.vertices.map((own, index) => vertices[index] ?? own),
    edges: job.edges.map((own, index) => edges[index] ?? own),
  };
}

/** Reasons by vertex, and by edge: empty if it is unchanged or the same. */
function reasonsOf({ vertices, edges }: JobComparison): { vertices: string[]; edges: string[] } {
  const reasons = (one: (typeof vertices)[number] | (typeof edges)[number]): string =>
    'reasons' in one ? one.reasons.join('; ') : '';
  return { vertices: vertices.map(reasons), edges: edges.map(reasons) };
}

const embedWith = (parts: PartsIdentity): VertexIdentity => vertex(1, texts, step('embed', parts));

describe('a changed step', () => {
  it.each<[what: string, before: PartsIdentity, now: PartsIdentity, reason: string]>([
    ['text', { function: text('a') }, { function: text('b') }, 'the function of "embed" changed'],
    ['one of several functions', { add: text('a') }, { add: text('b') }, 'add of "embed" changed'],
    ['the key function', { key: text('a') }, { key: text('b') }, 'the key function of "embed" changed'],
    ['version', { function: version(1) }, { function: version(2) }, 'the version of "embed" was 1, is 2'],
    ['1 is not "1"', { function: version(1) }, { function: version('1') }, 'the version of "embed" was 1, is "1"'],
    [
      'two functions of one version',
      { add: version(1), create: version(1) },
      { add: version(2), create: version(2) },
      'the version of "embed" was 1, is 2',
    ],
    [
      'a version instead of the text',
      { function: text('a') },
      { function: version(1) },
      'the version of "embed" is new: 1',
    ],
    [
      'the text instead of a version',
      { function: version(1) },
      { function: text('a') },
      'the version of "embed" was removed',
    ],
    ['option', { emit: option('"final"') }, { emit: option('"updates"') }, 'emit of "embed" was "final", is "updates"'],
    ['a new option', {}, { emit: option('"final"') }, 'emit of "embed" was not given, is "final"'],
    ['an option without', { emit: option('"final"') }, {}, 'emit of "embed" was removed'],
    ['inputs', { inputs: data('a', 2) }, { inputs: data('b', 2) }, 'the inputs of "embed" changed'],
    [
      'the number of inputs',
      { inputs: data('a', 2) },
      { inputs: data('b', 3) },
      'the inputs of "embed" changed: there were 2, there are 3',
    ],
    [
      'what cannot be compared',
      { function: text('a') },
      { function: unknown('has no text') },
      'the function of "embed" has no text',
    ],
    [
      'what could not be compared',
      { function: unknown('has no text') },
      { function: text('a') },
      'the function of "embed" could not be compared in the earlier run',
    ],
    [
      'what never could be compared',
      { function: unknown('has no text') },
      { function: unknown('has no text') },
      'the function of "embed" has no text',
    ],
  ])('%s', (_, before, now, reason) => {
    const comparison = compareIdentities(changed({ 0: embedWith(before) }), changed({ 0: embedWith(now) }));
    expect(reasonsOf(comparison)).toEqual({ vertices: [reason, '', ''], edges: ['', ''] });
    expect(comparison.vertices.map(({ kind }) => kind)).toEqual(['changed', 'unchanged', 'unchanged']);
  });
});

describe('a changed vertex', () => {
  it.each<[what: string, now: VertexIdentity, reason: string]>([
    ['parallelism', vertex(4, step('fix'), step('count')), 'the parallelism of "fix" was 2, is 4'],
    ['a step added', vertex(2, step('fix'), step('new'), step('count')), '"new" was added'],
    ['a step removed', vertex(2, step('fix')), '"count" was removed'],
    ['one for another', vertex(2, step('fix'), step('sum')), '"sum" was added; "count" was removed'],
    ['another kind', vertex(2, step('fix'), step('count', {}, 'filter')), '"count" was map, is filter'],
  ])('%s', (_, now, reason) => {
    const { vertices, edges } = reasonsOf(compareIdentities(job, changed({ 1: now })));
    expect({ vertices, edges }).toEqual({ vertices: ['', reason, ''], edges: ['', ''] });
  });

  it('steps in another order', () => {
    const before = changed({ 1: vertex(2, step('fix'), step('count'), step('sum')) });
    const now = changed({ 1: vertex(2, step('fix'), step('sum'), step('count')) });
    expect(reasonsOf(compareIdentities(before, now)).vertices).toEqual([
      '',
      '"sum" has another place among the steps of "fix"',
      '',
    ]);
  });

  it.each<[what: string, edges: readonly EdgeIdentity[], reason: string]>([
    ['one more input', [...job.edges, edge('texts', 'out')], '"out" reads "texts" now'],
    ['one input less', job.edges.slice(0, 1), '"out" does not read "fix" any more'],
    ['an input twice', [...job.edges, { ...(job.edges[1] as EdgeIdentity), ordinal: 1 }], '"out" reads "fix" now'],
  ])('%s', (_, edges, reason) => {
    expect(reasonsOf(compareIdentities(job, { ...job, edges })).vertices).toEqual(['', '', reason]);
  });

  it.each<[what: string, given: Partial<EdgeIdentity>, reason: string]>([
    [
      'key',
      { partitioning: { kind: 'hash', key: { key: text('other') } } },
      'the key function of the partitioning after "texts" changed',
    ],
    [
      'a key that cannot be compared',
      { partitioning: { kind: 'hash', key: { key: unknown('has no text') } } },
      'the key function of the partitioning after "texts" has no text',
    ],
    [
      'rule by which keys get to tasks',
      { partitioning: { kind: 'hash', key: { key: text('key') }, keyRule: 'key groups' } },
      'the partitioning after "texts" assigned keys to tasks by the rule of another version',
    ],
    ['partitioning', { partitioning: { kind: 'rebalance' } }, 'the partitioning after "texts" was hash, is rebalance'],
  ])('its input by another %s: neither it nor the result is the same', (_, given, reason) => {
    const now = changed({}, { 0: edge('texts', 'fix', given) });
    expect(reasonsOf(compareIdentities(job, now))).toEqual({ vertices: ['', reason, ''], edges: [reason, ''] });
  });

  it('is not the same if another operator is first in its tasks, but its input is', () => {
    const before = changed({ 1: vertex(2, step('fix'), step('count')) });
    const ahead: JobIdentity = {
      ...changed({ 1: vertex(2, step('check'), step('fix'), step('count')) }),
      edges: [edge('texts', 'check'), edge('check', 'out', { ...job.edges[1], source: 'check' })],
    };
    const comparison = compareIdentities(before, ahead);
    expect(comparison.vertices[1]).toEqual({
      kind: 'changed',
      before: undefined,
      reasons: ['"check" was added before "fix", in whose tasks it runs now'],
    });
    expect(comparison.edges).toEqual([
      { kind: 'same', before: 0 },
      { kind: 'different', reasons: ['"check" wrote no result for "out"'] },
    ]);
    expect(comparison.removed).toEqual(['fix']);
    expect(reasonsOf(compareIdentities(ahead, before)).vertices[1]).toBe(
      '"fix" ran in the tasks of "check", it has its own now',
    );
  });
});

describe('a source that cannot be compared', () => {
  const of = (source: StepIdentity): JobIdentity => changed({ 0: vertex(1, source, step('embed')) });

  it('leaves open whether its vertex is unchanged', () => {
    const open = of(stream('are read once'));
    expect(compareIdentities(open, open).vertices[0]).toEqual({
      kind: 'unknown-source',
      before: 0,
      reasons: ['the records of "texts" are read once'],
    });
  });

  it('does not hide another change', () => {
    const now = changed({ 0: vertex(1, stream('are read once'), step('embed', { function: text('other') })) });
    expect(reasonsOf(compareIdentities(of(stream('are read once')), now)).vertices[0]).toBe(
      'the function of "embed" changed; the records of "texts" are read once',
    );
  });

  it('is a change if it could be compared before', () => {
    const before = of({ ...texts, kind: 'stream', parts: { records: version(1) } });
    expect(compareIdentities(before, of(stream('are read once'))).vertices[0]).toEqual({
      kind: 'changed',
      before: 0,
      reasons: ['the records of "texts" are read once'],
    });
  });
});

describe('an earlier result', () => {
  const two = (first: Partial<EdgeIdentity>, second: Partial<EdgeIdentity>): JobIdentity => ({
    ...job,
    edges: [edge('texts', 'fix', first), edge('texts', 'out', second)],
  });

  it.each<[what: string, given: Partial<EdgeIdentity>, reason: string]>([
    ['another exchange', { exchange: 'blocking' }, 'the exchange after "texts" was reliable, is blocking'],
    ['more consumers', { consumers: 4 }, 'its records are divided among 2 tasks, "fix" has 4'],
    [
      'one consumer',
      { consumers: 1, partitioning: { kind: 'single' } },
      'its records are divided among 2 tasks, "fix" has 1',
    ],
    ['another place', { keptIn: 'kept' }, 'it was to be kept in the files of the run, now in "kept"'],
  ])('does not fit %s', (_, given, reason) => {
    const comparison = compareIdentities(job, changed({}, { 0: edge('texts', 'fix', given) }));
    expect(reasonsOf(comparison)).toEqual({ vertices: ['', '', ''], edges: [reason, ''] });
  });

  const shares = (consumers: number, kind: 'single' | 'hash' | 'broadcast' | 'rebalance', key?: string) => {
    const partitioning = { kind, ...(key !== undefined && { key: { key: text(key) } }) };
    return changed({}, { 0: edge('texts', 'fix', { consumers, partitioning }) });
  };
  it.each([
    ['by key', shares(2, 'hash', 'a'), shares(3, 'hash', 'a'), 'other-shares'],
    ['by another key', shares(2, 'hash', 'a'), shares(3, 'hash', 'b'), 'different'],
    ['by key, for one', shares(2, 'hash', 'a'), shares(1, 'single', 'a'), 'other-shares'],
    ['by another key, for one', shares(2, 'hash', 'a'), shares(1, 'single', 'b'), 'different'],
    ['by key, for one that reads in turn', shares(2, 'hash', 'a'), shares(1, 'single'), 'different'],
    ['of one, by key', shares(1, 'single'), shares(3, 'hash', 'a'), 'other-shares'],
    ['of one, by another key', shares(1, 'single', 'a'), shares(1, 'single', 'b'), 'same'],
    ['in turn', shares(2, 'rebalance'), shares(3, 'rebalance'), 'other-shares'],
    ['in turn, for each', shares(2, 'rebalance'), shares(3, 'broadcast'), 'different'],
    ['for each', shares(2, 'broadcast'), shares(3, 'broadcast'), 'other-shares'],
  ])('with shares %s', (_, before, now, kind) => {
    expect(compareIdentities(before, now).edges[0]?.kind).toBe(kind);
  });

  it('of the same shares goes before one with others', () => {
    const edges = compareIdentities(two({}, { consumers: 3 }), two({ consumers: 3 }, { consumers: 4 })).edges;
    expect(edges).toMatchObject([
      { kind: 'same', before: 1 },
      { kind: 'other-shares', before: 0 },
    ]);
  });

  it('is found under its own name first, then by its meaning', () => {
    const [before, swapped] = [two({}, { consumers: 3 }), two({ consumers: 3 }, {})];
    expect(compareIdentities(before, before).edges).toEqual([
      { kind: 'same', before: 0 },
      { kind: 'same', before: 1 },
    ]);
    expect(compareIdentities(before, swapped).edges).toEqual([
      { kind: 'same', before: 1 },
      { kind: 'same', before: 0 },
    ]);
    const otherWay: JobIdentity = { ...job, edges: two({}, {}).edges.toReversed() };
    expect(compareIdentities(otherWay, two({}, {})).edges).toEqual([
      { kind: 'same', before: 1 },
      { kind: 'same', before: 0 },
    ]);
    expect(compareIdentities(two({}, {}), two({}, {})).edges).toEqual([
      { kind: 'same', before: 0 },
      { kind: 'same', before: 1 },
    ]);
  });

  it('is used for one edge only', () => {
    const comparison = compareIdentities(changed({}, { 1: edge('fix', 'out') }), two({}, {}));
    expect(comparison.edges).toEqual([
      { kind: 'same', before: 0 },
      { kind: 'different', reasons: ['each consumer has its own result, and "texts" wrote none for "out"'] },
    ]);
  });
});

describe('any job', () => {
  it('is unchanged compared with itself, also after it was stored', () => {
    fc.assert(
      fc.property(anyIdentity, (identity) => {
        for (const stored of [structuredClone(identity), JSON.parse(JSON.stringify(identity)) as JobIdentity]) {
          expect(stored).toEqual(identity);
          const { vertices, edges, removed } = compareIdentities(stored, identity);
          expect(vertices).toEqual(identity.vertices.map((_, before) => ({ kind: 'unchanged', before })));
          expect(edges).toEqual(identity.edges.map((_, before) => ({ kind: 'same', before })));
          expect(removed).toEqual([]);
        }
      }),
    );
  });

  it('shows a change at exactly the changed vertex, and the results before it stay', () => {
    fc.assert(
      fc.property(anyIdentity, fc.nat(), fc.nat(), fc.nat(3), (identity, atVertex, atStep, what) => {
        const index = atVertex % identity.vertices.length;
        const now = withChange(identity, index, atStep, what);
        const { vertices, edges } = compareIdentities(identity, now);
        expect(vertices.map(({ kind }) => kind)).toEqual(
          identity.vertices.map((_, at) => (at === index ? 'changed' : 'unchanged')),
        );
        expect(edges).toEqual(identity.edges.map((_, before) => ({ kind: 'same', before })));
      }),
    );
  });
});

/** One change to the vertex at `index`, or a step of it, that leaves its edges alone. */
function withChange(identity: JobIdentity, index: number, atStep: number, what: number): JobIdentity {
  const own = identity.vertices[index] as VertexIdentity;
  const at = atStep % own.steps.length;
  const replaced = (next: StepIdentity[]): VertexIdentity => ({ ...own, steps: own.steps.toSpliced(at, 1, ...next) });
  const given = own.steps[at] as StepIdentity;
  const changes: readonly (() => VertexIdentity)[] = [
    () => ({ ...own, parallelism: own.parallelism + 1 }),
    () => replaced([given, step('another')]),
    () => replaced([{ ...given, kind: 'filter' }]),
    () => replaced([{ ...given, parts: { ...given.parts, another: version(1) } }]),
  ];
  return { ...identity, vertices: identity.vertices.with(index, (changes[what] as () => VertexIdentity)()) };
}

it('has a text of short lines', () => {
  const now: JobIdentity = {
    ...changed({ 1: vertex(4, step('fix'), step('count')) }, { 0: edge('texts', 'fix', { consumers: 4 }) }),
    job: 'words',
  };
  expect(comparisonLines(compareIdentities(job, now), now)).toEqual([
    'the earlier job was called "texts"',
    'unchanged: texts, out',
    'fix changed: the parallelism of "fix" was 2, is 4',
    'an earlier result with other shares for texts → fix: its records are divided among 2 tasks, "fix" has 4',
  ]);
});
