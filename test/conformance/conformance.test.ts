import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CannotRun,
  type ConformanceCase,
  DiffersOnPurpose,
  equals,
  type Handler,
  perStep,
  type Verdict,
} from './conformance-case.ts';
import {
  differsIn,
  type Handlers,
  type Outcome,
  readCases,
  readDeviations,
  report,
  runCase,
} from './conformance-runner.ts';
import { runRecovery } from './end-to-end.ts';
import { counterparts } from './exchange-properties.ts';
import { flinkExchangeTypes } from './flink-exchange-types.ts';
import { handlers } from './handlers.ts';

const folder = join(__dirname, 'cases');
const deviations = readDeviations(join(__dirname, 'deviations.md'));
const files = readdirSync(folder).filter((file) => file.endsWith('.json'));
const cases = files.flatMap((file) => readCases(join(folder, file))) as {
  id: string;
  area: string;
  kind?: string;
  given: ConformanceCase['given'];
  when: ConformanceCase['when'];
  expect: Record<string, unknown>;
}[];
const caseOf = (id: string): (typeof cases)[number] => {
  const found = cases.find((next) => next.id === id);
  if (found === undefined) throw new Error(`there is no case ${id}`);
  return found;
};
let outcomes: readonly Outcome[] = [];
const of = (kind: Verdict['kind']): Outcome[] => outcomes.filter(({ verdict }) => verdict.kind === kind);

/** The minimum number of passing cases, so that none stops running unnoticed. Raise it with new cases. */
const floors: Readonly<Record<string, number>> = {
  'region-building': 37,
  failover: 14,
  'failure-handler': 19,
  backoff: 39,
  scheduling: 51,
  'partition-release': 32,
  'state-machine': 106,
  heartbeat: 14,
  checkpoint: 45,
};

/** Kinds that are not run yet. */
const notRun: Readonly<Record<string, readonly string[]>> = {
  'failure-handler': ['order'],
};

/** Cases that differ in some fields only, */
let differing: ReadonlySet<string> = new Set();
/** and those, with all that are not skipped at all. */
let ran: ReadonlySet<string> = new Set();

beforeAll(async () => {
  outcomes = await Promise.all(cases.map((raw) => runCase(raw, handlers, deviations)));
  const ids = (kept: (outcome: Outcome) => boolean): Set<string> => new Set(outcomes.filter(kept).map(({ id }) => id));
  differing = ids(({ verdict }) => verdict.kind === 'skipped' && verdict.why.startsWith(differsIn));
  ran = ids(({ id, verdict }) => verdict.kind === 'passed' || verdict.kind === 'failed' || differing.has(id));
});

/** Fields that explain, say how to read others, or hold for an older version. */
const prose: ReadonlySet<string> = new Set(['why', 'note', 'asserted', 'everyValueSeenInSamples', 'legacyRegionCount']);

describe('the catalogue', () => {
  it.each(Object.entries(floors))('%s: nothing fails, at least %i cases pass', (area, floor) => {
    const ofArea = outcomes.filter((outcome) => outcome.area === area);
    expect(report(ofArea).filter((line) => line.startsWith('FAILED'))).toEqual([]);
    expect(ofArea.filter(({ verdict }) => verdict.kind === 'passed').length).toBeGreaterThanOrEqual(floor);
  });

  it('no case has a word that nobody knows', () => {
    expect(report(of('refused')).slice(0, -1)).toEqual([]);
  });

  it('every area with passing cases has a floor, nothing fails, every id is unique', () => {
    const passing = new Set(of('passed').map(({ area }) => area));
    expect([...passing].sort()).toEqual(Object.keys(floors).sort());
    expect(of('failed')).toEqual([]);
    expect(new Set(outcomes.map(({ id }) => id)).size).toBe(outcomes.length);
  });

  it('the kinds that are not run are those on the list', () => {
    const listed = Object.entries(notRun).flatMap(([area, kinds]) => kinds.map((kind) => `${area}/${kind}`));
    const kinds = of('skipped').filter(({ area, kind }) => !Object.hasOwn(handlers[area] ?? {}, kind));
    expect([...new Set(kinds.map(({ area, kind }) => `${area}/${kind}`))].sort()).toEqual(listed.sort());
  });

  it('every deviation names an existing case or kind', () => {
    const known = new Set(
      cases.flatMap(({ id, area, kind = 'default', expect }) => [
        id,
        `${area}/${kind}`,
        ...Object.keys(expect).map((field) => `${id}.${field}`),
      ]),
    );
    expect([...deviations.keys()].filter((name) => !name.includes('#') && !known.has(name))).toEqual([]);
  });

  it('a word in the list of deviations is one that keeps a case from passing', () => {
    const words = [...deviations.keys()].filter((name) => name.includes('#'));
    const skippedFor = of('skipped').map(({ area, kind, verdict }) => {
      const [, word] = /^differs on purpose (?:in|with) `([^`]+)`/.exec('why' in verdict ? verdict.why : '') ?? [];
      return `${area}/${kind}#${word}`;
    });
    expect(words.filter((word) => !skippedFor.includes(word))).toEqual([]);
  });

  it('a listed deviation is one: without the list, none of them passes', async () => {
    const passing: string[] = [];
    for (const raw of cases) {
      const { id, area, kind = 'default', expect } = raw;
      const isListed = deviations.has(id) || deviations.has(`${area}/${kind}`);
      const differing = Object.keys(expect).filter((field) => isListed || deviations.has(`${id}.${field}`));
      for (const field of differing) {
        const only = { ...raw, expect: { [field]: expect[field] } };
        const { verdict } = await runCase(only, handlers, new Map());
        if (verdict.kind === 'passed') passing.push(`${id}.${field}`);
      }
    }
    expect(passing).toEqual([]);
  });

  // The reasons in the list describe us.
  it.each([
    ['pr-life-canceled-by-tm', { tracker: 'stop tracking and release' }],
    ['pr-life-failed-by-tm', { tracker: 'stop tracking and release' }],
    ['fo-batch-finegrained-itcase', { attemptNumber: { map0: 4, map1: 3, map2: 2 } }],
  ])('%s: we differ, by %j', async (id, actual) => {
    expect((await runCase(caseOf(id), handlers, new Map())).verdict).toMatchObject({ kind: 'failed', actual });
  });

  it('fo-batch-finegrained-itcase, with any draws: the same output, half the restarts, no more attempts', async () => {
    const { given, when } = caseOf('fo-batch-finegrained-itcase');
    for (let seed = 2; seed < 7; seed++) {
      const restartStrategy = { type: 'fixed-delay', maxAttempts: 6, delayMs: 10 };
      const run = await runRecovery({ given: { ...given, restartStrategy }, when }, seed);
      expect(run.output).toEqual(Array.from({ length: 1_000 }, (_, n) => n + 3));
      expect(run.end.receipt.failovers).toHaveLength(6);
      expect(run.attemptNumbers).toEqual({ source: 3, map0: 4, map1: 3, map2: 2, sink: 0 });
    }
  });

  it('our exchanges have the properties of the types that they stand for in cases', () => {
    for (const [type, exchanges] of Object.entries(counterparts)) {
      for (const { waitsForConsumer: _, ...exchange } of exchanges) {
        expect({ ...exchange, name: type }).toEqual(flinkExchangeTypes[type]);
      }
    }
  });

  it.each(Object.keys(floors))('%s: a case passes for its expectation; any other expectation fails', async (area) => {
    const survivors: string[] = [];
    for (const raw of cases) {
      if (raw.area !== area || !ran.has(raw.id)) continue;
      for (const [field, value] of Object.entries(raw.expect)) {
        if (prose.has(field)) continue;
        if (differing.has(raw.id)) {
          const only = { ...raw, expect: { [field]: value } };
          if ((await runCase(only, handlers, deviations)).verdict.kind === 'skipped') continue;
        }
        const changed = { ...raw, expect: { [field]: altered(field, value) } };
        const { verdict } = await runCase(changed, handlers, deviations);
        if (verdict.kind === 'passed') survivors.push(`${raw.id}: ${field}`);
      }
    }
    expect(survivors).toEqual([]);
  });
});

describe('the runner', () => {
  const isThree: Handler = () => ({ count: equals(3), perStep: perStep([equals(1), equals(2)]) });
  const table: Handlers = {
    demo: {
      default: isThree,
      unknown: () => {
        throw new CannotRun('step {} is not known');
      },
      throws: () => {
        throw new Error('the engine broke');
      },
      refuses: () => {
        throw Object.assign(new Error('no'), { code: 'INVALID_ARGUMENT' });
      },
      more: () => ({ count: equals(3), sum: equals(4) }),
      differs: () => {
        throw new DiffersOnPurpose('word');
      },
      unlisted: () => ({
        count: () => {
          throw new DiffersOnPurpose('word');
        },
        sum: equals(4),
      }),
      waits: async (conformanceCase) => isThree(conformanceCase),
      refusesLater: () => Promise.reject(Object.assign(new Error('no'), { code: 'INVALID_ARGUMENT' })),
      late: () => ({
        count: () => {
          throw new CannotRun('who would count that');
        },
      }),
    },
  };
  const differs = new Map([
    ['on-purpose', 'we count otherwise'],
    ['demo/odd', 'a kind of its own'],
    ['in-part.count', 'one more'],
    ['demo/differs#word', 'a word of ours'],
  ]);
  const demo = (more: object): object => ({ id: 'it', area: 'demo', given: {}, when: [], ...more });
  const skipped = (why: string): Verdict => ({ kind: 'skipped', why });
  const refused = (why: string): Verdict => ({ kind: 'refused', why });
  const failed = (expected: unknown, actual: unknown): Verdict => ({ kind: 'failed', expected, actual });
  const passed: Verdict = { kind: 'passed' };

  it.each<[string, unknown, Verdict]>([
    ['no object', 3, skipped('kind (no area)/default is not run')],
    ['null', null, skipped('kind (no area)/default is not run')],
    ['a list', [], skipped('kind (no area)/default is not run')],
    ['an unknown area', { id: 'x', area: 'y', expect: { z: 1 } }, skipped('kind y/default is not run')],
    ['an unknown kind', demo({ kind: 'new', expect: { count: 3 } }), skipped('kind demo/new is not run')],
    [
      'a kind that every object has',
      demo({ kind: 'toString', expect: { a: 1 } }),
      skipped('kind demo/toString is not run'),
    ],
    ['no expectation', demo({}), refused('expects nothing')],
    ['an empty expectation', demo({ expect: {} }), refused('expects nothing')],
    ['an expectation that is no object', demo({ expect: 'much' }), refused('expects nothing')],
    ['a list of no expectation', demo({ expect: { perStep: [null, null] } }), refused('expects nothing of any step')],
    ['a list of another length', demo({ expect: { perStep: [1] } }), refused('1 entries for 2 steps')],
    ['an unknown field', demo({ expect: { count: 3, sum: 3 } }), refused('`sum` is not known to the handler')],
    [
      'a field that every object has',
      demo({ expect: { valueOf: 3 } }),
      refused('`valueOf` is not known to the handler'),
    ],
    ['a failure beside an unknown field', demo({ expect: { sum: 3, count: 4 } }), failed({ count: 4 }, { count: 3 })],
    ['what is so', demo({ expect: { count: 3 } }), passed],
    ['what is not so', demo({ expect: { count: 4 } }), failed({ count: 4 }, { count: 3 })],
    [
      'what is not so in a step',
      demo({ expect: { perStep: [null, 1] } }),
      failed({ perStep: { step: 1, is: 1 } }, { perStep: { step: 1, is: 2 } }),
    ],
    [
      'an error that did not come',
      demo({ expect: { error: 'illegal-state' } }),
      failed({ error: 'illegal-state' }, 'no error'),
    ],
    ['the error', demo({ kind: 'refuses', expect: { error: 'invalid-argument' } }), passed],
    [
      'another error',
      demo({ kind: 'refuses', expect: { error: 'illegal-state' } }),
      failed({ error: 'illegal-state' }, { error: 'invalid-argument' }),
    ],
    ['a step that is not known', demo({ kind: 'unknown', expect: { count: 3 } }), refused('step {} is not known')],
    ['an expectation that is not known', demo({ kind: 'late', expect: { count: 3 } }), refused('who would count that')],
    ['a proposal', demo({ generation: 'proposal', expect: { count: 4 } }), skipped('a proposal, in no release')],
    ['a legacy case', demo({ generation: 'legacy', expect: { count: 4 } }), skipped('holds for an older version only')],
    [
      'a deviation',
      demo({ id: 'on-purpose', expect: { count: 4 } }),
      skipped('differs on purpose: we count otherwise'),
    ],
    [
      'a kind that deviates',
      demo({ kind: 'odd', expect: { count: 4 } }),
      skipped('differs on purpose: a kind of its own'),
    ],
    [
      'a deviation in a field',
      demo({ id: 'in-part', expect: { count: 4, perStep: [1, 2] }, when: [{}, {}] }),
      skipped('differs on purpose in `count`: one more'),
    ],
    [
      'a failure beside a deviation',
      demo({ id: 'in-part', kind: 'more', expect: { count: 4, sum: 3 } }),
      failed({ sum: 3 }, { sum: 4 }),
    ],
    [
      'a word in which we differ',
      demo({ kind: 'differs', expect: { count: 4 } }),
      skipped('differs on purpose with `word`: a word of ours'),
    ],
    [
      'a word in which we differ without a reason',
      demo({ kind: 'unlisted', expect: { count: 4, sum: 4 } }),
      refused('demo/unlisted#word is not in the list of deviations'),
    ],
    [
      'a failure beside a word',
      demo({ kind: 'unlisted', expect: { count: 4, sum: 3 } }),
      failed({ sum: 3 }, { sum: 4 }),
    ],
    ['no deviation', demo({ id: 'in-part', kind: 'more', expect: { sum: 4 } }), passed],
    ['what comes later', demo({ kind: 'waits', expect: { count: 3 } }), passed],
    ['an error that comes later', demo({ kind: 'refusesLater', expect: { error: 'invalid-argument' } }), passed],
  ])('%s', async (_, raw, verdict) => {
    expect((await runCase(raw, table, differs)).verdict).toEqual(verdict);
  });

  it('an engine that throws has failed, and the report says where', async () => {
    const outcome = await runCase(demo({ kind: 'throws', expect: { count: 3 } }), table, differs);
    expect(outcome.verdict).toMatchObject({ kind: 'failed', expected: { count: 3 } });
    expect(report([outcome]).join('\n')).toMatch(/FAILED it: .*the engine broke[\s\S]*0 passed, 1 failed, 0 skipped/);
  });

  it('a report names each failure with expected and actual and each refusal, groups skipped cases, and adds up', async () => {
    const none = { kind: 'none', expect: { count: 3 } };
    const raws = [
      ...[demo({ expect: { count: 4 } }), demo({}), demo(none), demo({ ...none, id: 'other' })],
      demo({ expect: { count: 3 } }),
    ];
    const lines = report(await Promise.all(raws.map((raw) => runCase(raw, table, differs))));
    expect(lines).toEqual([
      'FAILED it: expected {"count":4}, actual {"count":3}',
      'REFUSED it: expects nothing',
      'skipped 2 (kind demo/none is not run): it, other',
      '1 passed, 1 failed, 2 skipped, 1 refused',
    ]);
  });

  it.each([
    ['given', [null, 3, 'text', [], [{}]], /^`given` is no object/],
    ['given', [{ unknown: 1 }], /^given unknown is not known/],
    ['when', [null, 3, 'text', {}, [null], [3], ['text'], [[]]], /^`when` is no list of steps/],
    ['when', [[{ unknown: 1 }], [{ op: 'unknown' }]], /(unknown|op).* is not known/],
    ['expect', [undefined, null, 3, 'text', [], [{}], {}], /^expects nothing/],
    ['expect', [{ unknown: null }, { toString: 1 }], /^`(unknown|toString)` is not known/],
  ] as [string, unknown[], RegExp][])('no case runs with an invalid `%s`: %j', async (field, invalid, why) => {
    const wasRun: string[] = [];
    for (const raw of cases) {
      // An engine that throws fails any expectation.
      if (!ran.has(raw.id) || 'error' in raw.expect) continue;
      for (const value of invalid) {
        const { verdict } = await runCase({ ...raw, [field]: value }, handlers, deviations);
        if (verdict.kind !== 'refused' || !why.test(verdict.why))
          wasRun.push(`${raw.id} ${JSON.stringify([value, verdict])}`);
      }
    }
    expect(wasRun).toEqual([]);
  });

  it.each([
    ['no JSON', '[{', /JSON/],
    ['no list', '{}', /holds no array of cases/],
  ])('a file that is %s is refused', (_, text, message) => {
    const place = mkdtempSync(join(tmpdir(), 'conformance-'));
    try {
      writeFileSync(join(place, 'cases.json'), text);
      expect(() => readCases(join(place, 'cases.json'))).toThrow(message);
      expect(() => readCases(join(place, 'nowhere.json'))).toThrow(/ENOENT/);
    } finally {
      rmSync(place, { recursive: true });
    }
  });
});

/** The same value with its last leaf changed: a bound so that nothing satisfies it, a choice so that it is empty. */
function altered(name: string, value: unknown): unknown {
  if (typeof value === 'boolean') return !value;
  if (typeof value === 'number') return -1 - value;
  if (Array.isArray(value)) {
    if (name.endsWith('OneOf')) return value.map((entry) => altered('', entry));
    const last = value.findLastIndex((entry) => entry !== null);
    return last === -1 ? ['~'] : value.with(last, altered('', value[last]));
  }
  if (typeof value === 'object' && value !== null) {
    const [field, entry] = Object.entries(value).findLast(([key]) => !prose.has(key)) ?? ['~', true];
    return { ...value, [field]: altered(field, entry) };
  }
  return `${JSON.stringify(value)}~`;
}
