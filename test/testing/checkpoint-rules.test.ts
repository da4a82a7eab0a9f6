import type { JobEvent } from '../../src/index.ts';
import { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import { createJobGraph } from '../../src/graph/job-graph.ts';
import { pipelinedRegions } from '../../src/graph/pipelined-region.ts';
import { CheckpointRules } from '../../src/testing/checkpoints/checkpoint-rules.ts';

//  (a) ──▶ (b), (c) ──▶ (d)    two components of one region each
const graph = new ExecutionGraph(
  createJobGraph(
    'pairs',
    ['a', 'b', 'c', 'd'].map((id) => ({ id, parallelism: 1 })),
    [
      { source: 'a', target: 'b', pattern: 'pointwise', exchange: exchangeTypes.pipelined },
      { source: 'c', target: 'd', pattern: 'pointwise', exchange: exchangeTypes.pipelined },
    ],
  ),
);
const regions = pipelinedRegions(graph);

const settings = {
  ...{ intervalMs: 10, timeoutMs: 1_000, minPauseMs: 5, maxConcurrent: 1, tolerableFailures: 0 },
  ...{ mode: 'exactly-once' as const, retained: 1 },
};

type Told = readonly [atMs: number, type: string, more?: object];

/** Checkpoint events of component 0, unless told otherwise. */
const eventsOf = (told: readonly Told[]): JobEvent[] =>
  told.map(([atMs, type, more]) => ({ type, atMs, component: 0, head: 'a[0]', kind: 'checkpoint', ...more }) as never);

const running = (region: number, atMs = 0): Told => [atMs, 'region.stateChanged', { region, state: 'running' }];
/** It fails, and begins anew later. */
const failing = (region: number, atMs: number, againMs: number): Told[] => [
  [atMs, 'region.stateChanged', { region, state: 'failed' }],
  [againMs, 'region.stateChanged', { region, state: 'created' }],
];
const begun = (atMs: number, checkpoint: number): Told => [atMs, 'checkpoint.triggered', { checkpoint }];
const done = (atMs: number, checkpoint: number): Told => [atMs, 'checkpoint.completed', { checkpoint }];

function violations(
  told: readonly Told[],
  counts = { completed: 0, failed: 0, restored: 0 },
  { stops = false } = {},
): string[] {
  const report = { component: 0, head: 'a[0]', latest: [], ...counts };
  const run = { checkpoints: () => [report], receipt: () => ({ checkpoints: counts }) as never };
  return new CheckpointRules(
    graph,
    regions,
    { settings, savepoint: { atMs: 0, stops, drains: false, parallelism: 1 } },
    0,
  ).violations(eventsOf(told), run);
}

describe('the rules of checkpoints', () => {
  it('hold for a component that goes on', () => {
    const told = [running(0), begun(10, 1), done(12, 1), begun(20, 2), done(21, 2)];
    expect(violations(told, { completed: 2, failed: 0, restored: 0 })).toEqual([]);
  });

  it('hold for savepoints, which are taken when they are wanted, and from which no region continues', () => {
    const savepoint = { checkpoint: 3, kind: 'savepoint' };
    const told: Told[] = [
      ...[running(0), begun(10, 1), done(12, 1), begun(20, 2)],
      ...[[21, 'checkpoint.triggered', savepoint] as const, [22, 'checkpoint.completed', savepoint] as const],
      ...[done(23, 2), [24, 'checkpoint.restored', { checkpoint: 2, region: 0 }] as const],
    ];
    expect(violations(told, { completed: 3, failed: 0, restored: 1 })).toEqual([]);
  });

  it('hold for a region that continues from a savepoint with which the run was to stop, and did not', () => {
    const savepoint = { checkpoint: 2, kind: 'savepoint' };
    const told: Told[] = [
      ...[running(0), begun(10, 1), done(12, 1)],
      ...[[13, 'checkpoint.triggered', savepoint] as const, [14, 'checkpoint.completed', savepoint] as const],
      [20, 'checkpoint.restored', { checkpoint: 2, region: 0 }],
    ];
    const counts = { completed: 2, failed: 0, restored: 1 };
    expect(violations(told, counts, { stops: true })).toEqual([]);
    expect(violations(told, counts)).toEqual([expect.stringMatching(/^K3.*checkpoint 2, not 1/)]);
  });

  it.each([
    ['fails, as it must', 'failed', []],
    ['has a process that dies before it fails', undefined, []],
    ['finishes all the same', 'finished', [expect.stringMatching(/^K3.*checkpoint 1, not undefined/)]],
  ])(
    'K3: a region continues from one that another could not read, none is left, and the job %s',
    (_, status, expected) => {
      const told: Told[] = [
        ...[running(0), begun(10, 1), done(12, 1)],
        [20, 'checkpoint.unreadable', { checkpoint: 1, task: 'b[0]' }],
        [21, 'checkpoint.restored', { checkpoint: 1, region: 0 }],
        ...(status === undefined ? [] : [[22, 'job.statusChanged', { status }] as const]),
      ];
      expect(violations(told, { completed: 1, failed: 0, restored: 1 })).toEqual(expected);
    },
  );

  it.each<[string, RegExp, readonly Told[], object?]>([
    ['K1: numbers that do not grow', /^K1.*checkpoint 1 follows 1/, [begun(10, 1), done(11, 1), begun(20, 1)]],
    ['K1: more under way than may be', /^K1.*2 checkpoints are under way/, [begun(10, 1), begun(20, 2)]],
    ['K1: one within the pause', /^K1.*within the pause/, [begun(10, 1), done(19, 1), begun(20, 2)]],
    [
      'K2: one that is aborted for a failure of another component',
      /^K2.*checkpoint 1 of component 0/,
      [
        running(0),
        running(1),
        begun(10, 1),
        [11, 'region.stateChanged', { region: 1, state: 'failed' }],
        [11, 'checkpoint.failed', { checkpoint: 1, reason: 'failover' }],
      ],
    ],
    [
      'K3: a restart from one that is not the latest',
      /^K3.*checkpoint 1, not 2/,
      [begun(10, 1), done(11, 1), begun(20, 2), done(21, 2), [30, 'checkpoint.restored', { checkpoint: 1, region: 0 }]],
    ],
    [
      'K3: a restart from one whose input was produced anew',
      /^K3.*checkpoint 1, not undefined/,
      [
        begun(10, 1),
        done(11, 1),
        [12, 'checkpoint.outdated', { checkpoint: 1, task: 'z[0]' }],
        [30, 'checkpoint.restored', { checkpoint: 1, region: 0 }],
      ],
    ],
    [
      'K3: a region that begins while one is under way',
      /^K3.*region 0 begins while checkpoint 1 is under way/,
      [running(0), begun(10, 1), [11, 'region.stateChanged', { region: 0, state: 'deploying' }]],
    ],
    [
      'K4: a component that waits while another one fails',
      /^K4.*component 0 runs since 0 ms, and begins no checkpoint until 40 ms/,
      [running(0), running(1), ...failing(1, 5, 40)],
    ],
  ])('%s', (_, expected, told) => {
    const found = violations(told).filter((one) => !one.startsWith('K5'));
    expect(found).toEqual([expect.stringMatching(expected)]);
  });

  it('K5: a report that counts what did not happen', () => {
    expect(violations([begun(10, 1), done(11, 1)], { completed: 2, failed: 0, restored: 0 })).toEqual([
      'K5: component 0 reports {"completed":2,"failed":0,"restored":0}, and had {"completed":1,"failed":0,"restored":0}',
      'K5: the receipt has {"completed":2,"failed":0,"restored":0}, and there were {"completed":1,"failed":0,"restored":0}',
    ]);
  });
});
