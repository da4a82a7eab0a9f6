import type { ExecutionState, JobEvent, JobStatus } from '../../src/index.ts';
import { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import { createJobGraph } from '../../src/graph/job-graph.ts';
import { pipelinedRegions } from '../../src/graph/pipelined-region.ts';
import { JobHistory } from '../../src/testing/index.ts';

//  (a) ══▶ (b)    blocking: two regions
const graph = new ExecutionGraph(
  createJobGraph(
    'pair',
    [
      { id: 'a', parallelism: 1 },
      { id: 'b', parallelism: 1 },
    ],
    [{ source: 'a', target: 'b', pattern: 'pointwise', exchange: exchangeTypes.blocking }],
  ),
);
const regions = pipelinedRegions(graph);

/** `a created scheduled …`: a task, its attempt after `#` (default 0), the states it enters. */
function task(name: string, ...states: ExecutionState[]): JobEvent[] {
  const [id = '', attempt = '0'] = name.split('#');
  const vertex = ['a', 'b'].indexOf(id);
  return states.map((state) => ({
    type: 'task.stateChanged',
    atMs: 0,
    task: `${id}[0]`,
    vertex,
    attempt: Number(attempt) as never,
    state,
  }));
}

const status = (name: JobStatus): JobEvent => ({ type: 'job.statusChanged', atMs: 0, status: name });
const decided = (...regionIds: number[]): JobEvent => ({
  type: 'failover.decided',
  atMs: 0,
  failover: 1 as never,
  regions: regionIds as never,
  again: [],
  consumersKeepRunning: false,
  reused: [],
  taskCount: regionIds.length,
  delayMs: 0,
  newAttempt: true,
  why: undefined,
});

const toDeployed: readonly ExecutionState[] = ['created', 'scheduled', 'deploying'];
const whole: readonly ExecutionState[] = [...toDeployed, 'initializing', 'running', 'finished'];

const begins = (attempt: number, beside: number): JobEvent => ({
  ...{ type: 'task.speculated', atMs: 0, task: 'a[0]', vertex: 0, attempt: attempt as never, beside: beside as never },
  ...{ executor: 'other' as never, ranMs: 2, allowedMs: 1 },
});

const prefers = (attempt: number, instead: number): JobEvent => ({
  ...{ type: 'speculation.decided', atMs: 0, task: 'a[0]', vertex: 0, attempt: attempt as never },
  ...{ instead: instead as never, why: 'finished first' },
});

const running = task('a', ...toDeployed, 'initializing', 'running');

const sound: Readonly<Record<string, readonly JobEvent[]>> = {
  'an undisturbed run': [...task('a', ...whole), ...task('b', ...whole), status('finished')],
  'a consumer that restarts': [
    ...task('a', ...whole),
    ...task('b', ...toDeployed, 'failed'),
    decided(1),
    ...task('b#1', ...whole),
    status('finished'),
  ],
  'a producer that restarts, and its consumer with it': [
    ...task('a', ...whole),
    ...task('b', ...toDeployed, 'canceling', 'canceled'),
    decided(0, 1),
    ...task('a#1', ...whole),
    ...task('b#1', ...whole),
    status('finished'),
  ],
  'a slow task whose second attempt is preferred': [
    ...running,
    begins(1, 0),
    prefers(1, 0),
    ...task('a#1', 'finished'),
    ...task('b', ...whole),
    status('finished'),
  ],
  'a restart after two attempts': [
    ...running,
    begins(1, 0),
    ...task('a', 'failed'),
    decided(0, 1),
    ...task('a#2', ...whole),
    ...task('b', ...whole),
    status('finished'),
  ],
  'a job that is canceled before anything runs': [
    ...task('a', 'created', 'canceling', 'canceled'),
    ...task('b', 'created', 'canceling', 'canceled'),
    status('canceled'),
  ],
};

const quarantined = (region: number): JobEvent => ({
  ...{ type: 'region.quarantined', atMs: 0, failover: 1 as never, region: region as never, task: 'a[0]' },
  ...{ taskCount: 1, failures: 1, why: 'often', cause: new Error('boom') },
});

const broken: readonly (readonly [string, RegExp, readonly JobEvent[]])[] = [
  ['H1: a state is skipped', /^H1.*a\[0\]#0 goes from created to deploying/, task('a', 'created', 'deploying')],
  ['H1: a finished task runs on', /^H1.*from finished to running/, task('a', ...whole, 'running')],
  ['H1: an attempt begins in the middle', /^H1.*from none to running/, task('a', 'running')],
  [
    'H2: an attempt number is left out',
    /^H2.*attempt 2, not 1/,
    [...task('a', ...whole), decided(0), decided(0), ...task('a#2', 'created')],
  ],
  [
    'H2: an attempt begins while the one before runs',
    /^H2.*while the one before is deploying/,
    [...task('a', ...toDeployed), decided(0), ...task('a#1', 'created')],
  ],
  [
    'H3: a restart without a decision',
    /^H3.*region 0/,
    [...task('a', ...whole), decided(1), ...task('a#1', 'created')],
  ],
  [
    'H8: a second attempt of a task that does not run',
    /^H8.*while it is created/,
    [...task('a', 'created'), begins(1, 0)],
  ],
  ['H8: a third attempt at once', /^H8.*a third/, [...running, begins(1, 0), begins(2, 0)]],
  ['H8: a number that is not the next', /^H8.*attempt 2 of a\[0\] is beside 0/, [...running, begins(2, 0)]],
  ['H8: an attempt is preferred twice', /^H8.*of undefined/, [...running, begins(1, 0), prefers(1, 0), prefers(0, 1)]],
  ['H8: an attempt is preferred to itself', /^H8.*preferred to 1/, [...running, begins(1, 0), prefers(1, 1)]],
  ['H6: a task is deployed in quarantine', /^H6.*a\[0\] is deployed/, [quarantined(0), ...task('a', ...toDeployed)]],
  [
    'H7: a job is incomplete without a quarantined region',
    /^H7.*no region is quarantined/,
    [...task('a', ...whole), ...task('b', ...whole), status('incomplete')],
  ],
  [
    'H7: a job is incomplete before the rest has finished',
    /^H7.*a\[0\], which depends on no quarantined region/,
    [...task('a', 'created'), quarantined(1), ...task('b', 'created'), status('incomplete')],
  ],
  ['H4: a consumer of a missing result', /^H4.*before a\[0\] has finished/, task('b', ...toDeployed)],
  [
    'H4: a consumer of the result of an old attempt',
    /^H4.*b\[0\]#0 is deployed/,
    [...task('a', ...whole), decided(0), ...task('a#1', 'created'), ...task('b', ...toDeployed)],
  ],
  [
    'H5: a job that finishes with a task under way',
    /^H5.*b\[0\] is deploying/,
    [...task('a', ...whole), ...task('b', ...toDeployed), status('finished')],
  ],
  ['H5: a job that finishes without a task', /^H5.*1 of 2 tasks/, [...task('a', ...whole), status('finished')]],
];

const violations = (events: readonly JobEvent[]): string[] => {
  const history = new JobHistory();
  for (const event of events) history.add(event);
  return history.violations(graph, regions);
};

describe('JobHistory', () => {
  it.each(Object.entries(sound))('finds no violation in %s', (_, events) => {
    expect(violations(events)).toEqual([]);
  });

  it.each(broken)('reports %s', (_, expected, events) => {
    const found = violations(events);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(expected);
  });
});
