import type { ConformanceCase } from './conformance-case.ts';
import { runCase } from './conformance-runner.ts';
import { handlers } from './handlers.ts';

type Given = ConformanceCase['given'];
type When = ConformanceCase['when'];
type Expect = ConformanceCase['expect'];

const two = { vertices: [{ id: 'v', parallelism: 2 }] };
const one = { vertices: [{ id: 'v', parallelism: 1 }] };
const start = { op: 'startScheduling' };
const fails = { report: 'v[0]', state: 'FAILED' };
const waiting = 'never granted';

/** Words of the catalogue that none of its own cases uses, with the kind of case that may. */
const words: readonly [word: string, kind: string, given: Given, when: When, expect: Expect][] = [
  [
    'crossRegionGroups',
    'pipelined-region',
    {
      level: 'job',
      vertices: [
        { id: 'a', parallelism: 4 },
        { id: 'b', parallelism: 3 },
        { id: 'c', parallelism: 2 },
      ],
      edges: [
        { from: 'a', to: 'b', type: 'PIPELINED', pattern: 'pointwise' },
        { from: 'b', to: 'c', type: 'BLOCKING', pattern: 'pointwise' },
        { from: 'a', to: 'c', type: 'PIPELINED', pattern: 'pointwise' },
      ],
    },
    [{ op: 'crossRegionGroups' }],
    { crossRegionGroups: [{ consumer: 'c[1]', partitionsFrom: ['b[1]', 'b[2]'] }] },
  ],
  [
    'coLocationGroups',
    'slot-sharing',
    { level: 'job', ...two, edges: [], slotSharingGroups: [['v']], coLocationGroups: [['v']] },
    [{ op: 'computeSlotGroups' }],
    { groups: [['v[0]'], ['v[1]']] },
  ],
  [
    'offeredSlots',
    'deployment',
    { ...two, offeredSlots: 1 },
    [start],
    { pendingSlotRequests: [1], deployedCounts: [1] },
  ],
  [
    'N slots',
    'deployment',
    { vertices: [{ id: 'v', parallelism: 'N+50' }], offeredSlots: 'N' },
    [start],
    { pendingSlotRequests: [50], deployedCounts: ['N'] },
  ],
  ['restart none', 'deployment', { ...one, restart: 'none' }, [start, fails], { jobStatus: 'FAILED' }],
  ['strategy full', 'deployment', { ...two, strategy: 'full' }, [start, fails], { states: { 'v[1]': 'CANCELING' } }],
  [
    'strategy region',
    'deployment',
    { ...two, strategy: 'region' },
    [start, fails],
    { states: { 'v[1]': 'DEPLOYING' } },
  ],
  [
    'returned slots',
    'deployment',
    { ...two, offeredSlots: 1, slots: 'returned slots go to the next pending request' },
    [start, fails],
    { deployed: ['v[0]', 'v[1]'], pendingSlotRequests: [1, 0], returnedSlots: 1 },
  ],
  [
    'cancelJob',
    'deployment',
    { ...two, slots: waiting },
    [start, { op: 'cancelJob' }],
    { pendingSlotRequests: [2, 0], cancelledRequests: ['v[0]', 'v[1]'], jobStatus: 'CANCELED' },
  ],
  [
    'globalFailure',
    'deployment',
    { ...two, slots: waiting, strategy: 'full' },
    [start, { op: 'globalFailure' }],
    { pendingSlotRequests: [2, 0] },
  ],
  [
    'bumpVertexVersion',
    'deployment',
    { ...one, slots: 'granted manually' },
    [start, { op: 'bumpVertexVersion', vertex: 'v[0]' }, { op: 'grantSlot', vertex: 'v[0]' }],
    { deployed: [], returnedSlots: 1 },
  ],
  [
    'a slot too late',
    'deployment',
    { ...one, slots: 'granted manually' },
    [start, { op: 'cancelJob' }, { op: 'grantSlot', vertex: 'v[0]' }],
    { deployed: [], returnedSlots: 1 },
  ],
  ['errors', 'deployment', two, [start, { op: 'schedule', vertices: ['v[0]'] }], { errors: [null, 'illegal-state'] }],
];

describe('a case of scheduling with words that the catalogue does not use itself', () => {
  it.each(words)('%s: passes, and fails with another expectation', async (word, kind, given, when, expected) => {
    const verdictOf = async (expectation: Expect) => {
      const raw = { id: word, area: 'scheduling', kind, given, when, expect: expectation };
      return (await runCase(raw, handlers, new Map())).verdict.kind;
    };
    expect(await verdictOf(expected)).toBe('passed');
    for (const field of Object.keys(expected)) {
      const list = expected[field];
      const wrong = Array.isArray(list) ? Array.from({ length: Math.max(1, list.length) }, () => 'other') : 'other';
      expect(await verdictOf({ [field]: wrong }).catch(() => 'failed')).not.toBe('passed');
    }
  });
});
