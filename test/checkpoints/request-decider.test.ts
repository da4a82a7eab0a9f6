import {
  type CheckpointRequest,
  nextRequest,
  type RequestDecision,
  type RequestLimits,
  type RequestSituation,
  submitRequest,
} from '../../src/checkpoints/request-decider.ts';

const limits: RequestLimits = { maxConcurrent: 1, minPauseMs: 10, maxQueued: 3 };

const idle: RequestSituation = {
  nowMs: 100,
  isTriggering: false,
  pendingCount: 0,
  cleaningCount: 0,
  lastCompletedMs: undefined,
};

/** `sFp3`: the savepoint or checkpoint with number 3, forced, periodic. */
const request = (drawing: string): CheckpointRequest => ({
  number: Number(drawing.at(-1)),
  kind: drawing.startsWith('s') ? 'savepoint' : 'checkpoint',
  isForced: drawing.includes('F'),
  isPeriodic: drawing.includes('p'),
});

const drawing = ({ number, kind, isForced, isPeriodic }: CheckpointRequest): string =>
  `${kind[0] as string}${isForced ? 'F' : ''}${isPeriodic ? 'p' : ''}${number}`;

const shown = ({ queue, next, refused, earliestMs }: RequestDecision): string =>
  [
    next && `triggers ${drawing(next)}`,
    ...refused.map(({ request: one, reason }) => `refuses ${drawing(one)}: ${reason}`),
    queue.length > 0 && `keeps ${queue.map(drawing).join(' ')}`,
    earliestMs !== undefined && `timer to ${earliestMs}`,
  ]
    .filter((part) => part !== undefined && part !== false)
    .join(', ');

interface Row {
  readonly what: string;
  readonly queue?: readonly string[];
  readonly submits: string;
  readonly situation?: Partial<RequestSituation>;
  readonly decision: string;
}

describe('requests for checkpoints', () => {
  it.each<Row>([
    { what: 'nothing is under way', submits: 'cp1', decision: 'triggers cp1' },
    { what: 'RQ2: one is being triggered', submits: 'cp1', situation: { isTriggering: true }, decision: 'keeps cp1' },
    { what: 'RQ2: even for a forced one', submits: 'sF1', situation: { isTriggering: true }, decision: 'keeps sF1' },
    { what: 'RQ3: one is pending', submits: 'c1', situation: { pendingCount: 1 }, decision: 'keeps c1' },
    { what: 'RQ3: forced', submits: 'sF1', situation: { pendingCount: 9 }, decision: 'triggers sF1' },
    { what: 'RQ3: cleaning lags behind', submits: 'sF1', situation: { cleaningCount: 2 }, decision: 'keeps sF1' },
    { what: 'RQ3: cleaning', submits: 'c1', situation: { cleaningCount: 1 }, decision: 'triggers c1' },
    {
      what: 'RQ4: within the pause',
      submits: 'cp1',
      situation: { lastCompletedMs: 91 },
      decision: 'refuses cp1: tooSoon, timer to 101',
    },
    { what: 'RQ4: after it', submits: 'cp1', situation: { lastCompletedMs: 90 }, decision: 'triggers cp1' },
    { what: 'RQ4: of a user', submits: 'c1', situation: { lastCompletedMs: 100 }, decision: 'triggers c1' },
    { what: 'RQ4: forced', submits: 'sFp1', situation: { lastCompletedMs: 100 }, decision: 'triggers sFp1' },
    {
      what: 'RQ4: all periodic ones',
      queue: ['cp1'],
      submits: 'cp2',
      situation: { lastCompletedMs: 95 },
      decision: 'refuses cp1: tooSoon, refuses cp2: tooSoon, timer to 105',
    },
    {
      what: 'RQ1: in order',
      queue: ['cp1', 'cp2'],
      submits: 'sp3',
      situation: { isTriggering: true },
      decision: 'keeps sp3 cp1 cp2',
    },
    { what: 'RQ1: users', queue: ['cp1'], submits: 'c2', situation: {}, decision: 'triggers c2, keeps cp1' },
    { what: 'RQ1: forced first', queue: ['s1', 'c2'], submits: 'sFp3', decision: 'triggers sFp3, keeps s1 c2' },
    { what: 'RQ1: savepoints', queue: ['cF1'], submits: 'sp2', decision: 'triggers sp2, keeps cF1' },
    { what: 'RQ1: older first', queue: ['c1'], submits: 'c2', decision: 'triggers c1, keeps c2' },
    {
      what: 'RQ5: the least urgent',
      queue: ['c1', 'cp2', 'cp3'],
      submits: 's4',
      situation: { isTriggering: true },
      decision: 'refuses cp3: tooManyRequests, keeps s4 c1 cp2',
    },
    {
      what: 'RQ5: perhaps the new one',
      queue: ['c1', 'c2', 'cp3'],
      submits: 'cp4',
      situation: { isTriggering: true },
      decision: 'refuses cp4: tooManyRequests, keeps c1 c2 cp3',
    },
    {
      what: 'RQ5: all of users',
      queue: ['c1', 'c2', 'c3'],
      submits: 's4',
      situation: { isTriggering: true },
      decision: 'refuses s4: tooManyRequests, keeps c1 c2 c3',
    },
  ])('$what: $submits after $queue', ({ queue = [], submits, situation, decision }) => {
    expect(shown(submitRequest(queue.map(request), request(submits), limits, { ...idle, ...situation }))).toBe(
      decision,
    );
  });

  it.each<{
    readonly what: string;
    readonly queue: readonly string[];
    readonly situation?: Partial<RequestSituation>;
    readonly decision: string;
  }>([
    { what: 'nothing waits', queue: [], decision: '' },
    { what: 'one ended', queue: ['c1', 'c2'], decision: 'triggers c1, keeps c2' },
    { what: 'RQ3: another is pending', queue: ['c1'], situation: { pendingCount: 1 }, decision: 'keeps c1' },
    {
      what: 'RQ4: it waited for one that completed just now',
      queue: ['cp1'],
      situation: { lastCompletedMs: 100 },
      decision: 'refuses cp1: tooSoon, timer to 110',
    },
  ])('something changes, $what', ({ queue, situation, decision }) => {
    expect(shown(nextRequest(queue.map(request), limits, { ...idle, ...situation }))).toBe(decision);
  });
});
