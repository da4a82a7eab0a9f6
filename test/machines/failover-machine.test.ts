import { delayActor } from '../../src/actors/delay-actor.ts';
import type { AttemptNumber, ExecutionVertexId, FailoverId, PartitionId, RegionId } from '../../src/ids.ts';
import type { Restart, RestartProposal, StrategyAnswer } from '../../src/failover/restart-proposal.ts';
import { failoverMachine } from '../../src/machines/failover/failover-machine.ts';
import { HandClock } from '../support/manual-cluster.ts';
import { listener, type RecordedActor, recorded, stateName, walks } from '../support/transition-table.ts';

const cause = new Error('boom');
const regions = [1, 2] as RegionId[];
const allRegions = [0, 1, 2, 3] as RegionId[];

interface TestFailover extends RecordedActor {
  readonly clock: HandClock;
}

const restartOf = (wanted: Partial<Restart>): Restart => ({
  kind: 'restart',
  regions,
  again: [],
  waiting: [],
  reads: [],
  why: undefined,
  ...wanted,
});

/** In these tests a strategy answers with the resulting proposal. */
const propose = (_failure: unknown, answer: StrategyAnswer | undefined): RestartProposal =>
  answer === undefined ? restartOf({}) : (answer.decision as RestartProposal);

/** Like `propose`, but each call adds one result to verify. */
function proposingToRead(): typeof propose {
  let next = 0;
  return (failure, answer) => {
    const proposal = propose(failure, answer);
    return proposal.kind === 'restart' ? { ...proposal, reads: [next++ as PartitionId] } : proposal;
  };
}

const failed = { vertex: 7 as ExecutionVertexId, attempt: 0 as AttemptNumber, cause, atMs: 0 };

function input(clock: HandClock, log: (entry: string) => void, overrides: Record<string, unknown> = {}) {
  return {
    failover: 1 as FailoverId,
    failed,
    classify: () => ({ kind: 'recoverable' }),
    propose,
    mayWait: () => false,
    judge: () => ({ kind: 'none' }),
    proposeEverything: () => restartOf({ regions: allRegions }),
    master: listener(log),
    clock,
    deadlineMs: 50,
    ...overrides,
  };
}

/** Its decision for a failure and an answer. */
const proposalOf = (it: RecordedActor): Restart => it.actor.getSnapshot().context.proposal as Restart;

function opened(overrides: Record<string, unknown> = {}): TestFailover {
  const clock = new HandClock();
  const it = recorded(
    failoverMachine,
    ['recordFailure', 'verifyResults', 'askStrategy', 'askBackoff', 'askDefaultBackoff'],
    (log) => input(clock, log, overrides),
    {
      actors: { delay: delayActor },
    },
  );
  return { ...it, clock };
}

const events = {
  verified: { type: 'failover.resultsVerified', lostCount: 0, found: [] },
  missing: { type: 'failover.resultsVerified', lostCount: 2, found: [] },
  restart: {
    type: 'failover.strategyDecided',
    decision: restartOf({ again: [2 as RegionId], why: 'said' }),
  },
  fail: { type: 'failover.strategyDecided', decision: { kind: 'fail', cause, why: undefined } },
  invalid: { type: 'failover.strategyDecided', decision: { kind: 'invalid', problem: 'it answered 7' } },
  threw: { type: 'failover.strategyFailed', cause },
  yes: { type: 'failover.backoffDecided', canRestart: true, delayMs: 30, newAttempt: true },
  no: { type: 'failover.backoffDecided', canRestart: false, delayMs: 0, newAttempt: true },
  badBackoff: { type: 'failover.backoffDecided', canRestart: true, delayMs: Number.NaN, newAttempt: true },
  defaultYes: { type: 'failover.defaultBackoffDecided', canRestart: true, delayMs: 150, newAttempt: false },
  defaultNo: { type: 'failover.defaultBackoffDecided', canRestart: false, delayMs: 0, newAttempt: false },
  backoffThrew: { type: 'failover.backoffFailed', cause },
  excused: { type: 'failover.regionsExcused', regions: [1] },
  settled: { type: 'failover.regionSettled', region: 1 },
  delay: { type: 'delay.elapsed' },
} as const;

type EventName = keyof typeof events;

const reach: Record<string, readonly EventName[]> = {
  verifying: [],
  askingStrategy: ['verified'],
  "verifying'": ['verified', 'restart'],
  askingBackoff: ['verified', 'restart', 'verified'],
  askingDefaultBackoff: ['verified', 'restart', 'verified', 'badBackoff'],
  restarting: ['verified', 'restart', 'verified', 'yes'],
  completed: ['verified', 'restart', 'verified', 'yes', 'settled', 'settled'],
  refused: ['verified', 'restart', 'verified', 'no'],
};

/** `verifying'`: once the strategy has answered. */
const table = `
                      verified        missing    restart     fail     invalid        threw          yes         no       badBackoff            defaultYes  defaultNo  backoffThrew          settled  delay                 excused
verifying             askingStrategy  verifying  -           -        -              -              -           -        -                     -           -          -                     -        askingStrategy        -
askingStrategy        -               -          verifying'  refused  askingBackoff  askingBackoff  -           -        -                     -           -          -                     -        askingBackoff         -
verifying'            askingBackoff   -          -           -        -              -              -           -        -                     -           -          -                     -        askingBackoff         -
askingBackoff         -               -          -           -        -              -              restarting  refused  askingDefaultBackoff  -           -          askingDefaultBackoff  -        askingDefaultBackoff  -
askingDefaultBackoff  -               -          -           -        -              -              -           -        -                     restarting  refused    -                     -        -                     -
restarting            -               -          -           -        -              -              -           -        -                     -           -          -                     -        -                     -
completed             -               -          -           -        -              -              -           -        -                     -           -          -                     -        -                     -
refused               -               -          -           -        -              -              -           -        -                     -           -          -                     -        -                     -
`;

const stateOf = ({ actor }: RecordedActor): string => stateName(actor.getSnapshot().value);
/** The row of the table. */
const rowOf = (it: RecordedActor): string =>
  stateOf(it) === 'verifying' && it.actor.getSnapshot().context.answer !== undefined ? "verifying'" : stateOf(it);

describe('failover machine', () => {
  const [head, ...rows] = table
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  const columns = head as EventName[];

  it('the table has a row for every state in which it waits', () => {
    const waits = (path: string, states: Record<string, { states: object }>): string[] =>
      Object.entries(states).flatMap(([name, { states: inner }]) =>
        Object.keys(inner).length === 0 ? [`${path}${name}`] : waits(`${path}${name}.`, inner as typeof states),
      );
    const passedThrough = ['classifying', 'proposing', 'proposed', 'checking'];
    const listed = rows.map(([state]) => state as string).filter((state) => state !== "verifying'");
    expect([...listed, ...passedThrough].sort()).toEqual(waits('', failoverMachine.states as never).sort());
  });

  it('the table has a column for every event', () => {
    expect([...columns].sort()).toEqual(Object.keys(events).sort());
    const inTable = new Set<string>(columns.map((name) => events[name].type));
    expect(failoverMachine.events.filter((type) => !type.startsWith('xstate.') && !inTable.has(type))).toEqual([]);
  });

  describe.each(rows.map(([state, ...cells]) => ({ state: state as string, cells })))('$state', ({ state, cells }) => {
    it.each(columns.map((name, index) => ({ name, expected: cells[index] as string })))(
      'on $name: $expected',
      ({ name, expected }) => {
        const it = opened({ propose: proposingToRead() });
        for (const step of reach[state] as readonly EventName[]) it.actor.send(events[step]);
        expect(rowOf(it)).toBe(state);
        if (it.actor.getSnapshot().status === 'active') it.actor.send(events[name]);
        expect(rowOf(it)).toBe(expected === '-' ? state : expected);
      },
    );
  });

  it('F0: verifies the results until none is missing, then asks the strategy', () => {
    const it = opened({ propose: proposingToRead() });
    it.actor.send(events.missing);
    it.actor.send(events.missing);
    it.actor.send(events.verified);
    expect(it.take()).toEqual(['recordFailure', 'verifyResults', 'verifyResults', 'verifyResults', 'askStrategy']);
  });

  it('F0: stops verifying at its deadline', () => {
    const it = opened({ propose: proposingToRead() });
    it.clock.advance(50);
    expect(stateOf(it)).toBe('askingStrategy');
    it.actor.send(events.restart);
    it.clock.advance(50);
    expect(stateOf(it)).toBe('askingBackoff');
  });

  it('F0: verifies each result once, however often it will be read', () => {
    const read = (reads: number[]) => restartOf({ reads: reads as PartitionId[] });
    const it = opened({
      propose: (_: unknown, answer: unknown) => (answer === undefined ? read([4, 5]) : read([5, 6])),
    });
    it.actor.send(events.verified);
    it.actor.send(events.restart);
    expect(stateOf(it)).toBe('verifying');
    expect([...it.actor.getSnapshot().context.verified]).toEqual([4, 5]);
    it.actor.send(events.verified);
    expect([...it.actor.getSnapshot().context.verified]).toEqual([4, 5, 6]);
  });

  it('F0: verifies what the decision reads until all is verified; the same answer then restarts more', () => {
    // Each verification finds the producer lost of a result that the regions so far read.
    let found = 0;
    const wanted: unknown[] = [];
    const it = opened({
      propose: (_: unknown, answer: StrategyAnswer | undefined) => {
        if (answer === undefined) return restartOf({});
        wanted.push(answer.decision);
        const all = [1, 2, 3, 0].slice(0, 2 + found) as RegionId[];
        const reads = (all.length < 4 ? [found] : []) as PartitionId[];
        return restartOf({ regions: all, again: all.slice(2), reads, why: `${found} found` });
      },
    });
    it.take();
    it.actor.send(events.restart);
    for (found = 1; found <= 2; found++) it.actor.send(events.missing);
    expect(it.take()).toEqual(['verifyResults', 'verifyResults', 'askBackoff']);
    expect(proposalOf(it)).toMatchObject({ regions: [1, 2, 3, 0], again: [3, 0], why: '2 found' });
    expect(new Set(wanted)).toEqual(new Set([events.restart.decision]));
  });

  it('F4: announces the regions that reproduce their output; none if it is overruled', () => {
    const again = (name: EventName): unknown => {
      const it = opened();
      it.actor.send(events[name]);
      return proposalOf(it).again;
    };
    expect(again('restart')).toEqual([2]);
    expect(again('invalid')).toEqual([]);
  });

  it('F4: of an answer that becomes invalid when more is lost, nothing remains', () => {
    const told: { readonly type: string }[] = [];
    let isSound = true;
    const it = opened({
      master: listener((_, event) => told.push(event)),
      propose: (_: unknown, answer: StrategyAnswer | undefined): RestartProposal => {
        if (answer === undefined) return restartOf({});
        return isSound
          ? restartOf({ again: [2 as RegionId], waiting: [1 as RegionId], reads: [0 as PartitionId], why: 'too few' })
          : { kind: 'invalid', problem: 'it answered 7' };
      },
    });
    it.actor.send(events.restart);
    isSound = false;
    it.actor.send(events.missing);
    it.actor.send(events.yes);
    expect(told.map(({ type }) => type)).toEqual(['failover.overruled', 'failover.decided']);
    expect(told[0]).toMatchObject({ problem: 'it answered 7' });
    expect(told[1]).toMatchObject({ restart: { regions: allRegions, again: [], waiting: [], why: undefined } });
  });

  it('F6: classifies and records the failure before it proposes anything', () => {
    const steps: unknown[] = [];
    const it = opened({
      classify: (given: unknown) => {
        steps.push(['classify', given]);
        return { kind: 'partition-lost', partitions: [3] };
      },
      propose: (failure: unknown, answer: StrategyAnswer | undefined) => {
        steps.push(['propose', failure]);
        return propose(failure, answer);
      },
    });
    const failure = { ...failed, lostPartitions: [3] };
    expect(steps).toEqual([
      ['classify', failed],
      ['propose', failure],
    ]);
    expect(it.take()).toEqual(['recordFailure', 'askStrategy']);
  });

  it('F5: is complete without the regions that had not begun', () => {
    const it = opened({ mayWait: (region: number) => region === 2 });
    for (const name of ['restart', 'yes'] as const) it.actor.send(events[name]);
    it.actor.send({ type: 'failover.regionSettled', region: 2 });
    expect(stateOf(it)).toBe('restarting');
    it.actor.send({ type: 'failover.regionSettled', region: 1 });
    expect(stateOf(it)).toBe('completed');
  });

  it('F5: is complete at once if none of its regions had begun', () => {
    const told: { readonly type: string }[] = [];
    const it = opened({ mayWait: () => true, master: listener((_, event) => told.push(event)) });
    for (const name of ['restart', 'yes'] as const) it.actor.send(events[name]);
    expect(told.map(({ type }) => type)).toEqual(['failover.decided', 'failover.completed']);
  });

  const requested = () => ({ kind: 'requested', region: 1 });

  it('F7: a requested restart asks neither the strategy nor the backoff, and does not wait', () => {
    const told: { readonly type: string }[] = [];
    const it = opened({ judge: requested, master: listener((_, event) => told.push(event)) });
    expect(it.take()).toEqual(['recordFailure']);
    expect(told).toMatchObject([{ type: 'failover.decided', restart: { regions }, restartAtMs: 0, newAttempt: true }]);
    expect(stateOf(it)).toBe('restarting');
  });

  it('F7: what a requested restart will read is verified, as ever', () => {
    const it = opened({ judge: requested, propose: proposingToRead() });
    expect(stateOf(it)).toBe('verifying');
    it.actor.send(events.missing);
    it.actor.send(events.verified);
    expect(it.take()).toEqual(['recordFailure', 'verifyResults', 'verifyResults', '→ failover.decided']);
  });

  it.each([
    { kind: 'flapping', region: 1, failures: 3, withinMs: 50 },
    { kind: 'quarantined', region: 1 },
  ] as const)('F8: for a region that is $kind neither the strategy nor the backoff is asked', (verdict) => {
    const told: { readonly type: string }[] = [];
    const it = opened({ judge: () => verdict, master: listener((_, event) => told.push(event)) });
    expect(it.take()).toEqual(['recordFailure']);
    expect(told).toMatchObject([
      { type: 'failover.decided', restart: { regions }, restartAtMs: 0, quarantine: verdict },
    ]);
  });

  it('F8: judges a failure by its class, once, however often it proposes', () => {
    const judged: unknown[] = [];
    const it = opened({
      propose: proposingToRead(),
      judge: (failure: unknown, verdict: unknown) => {
        judged.push([failure, verdict]);
        return { kind: 'none' };
      },
    });
    for (const name of ['missing', 'verified', 'restart'] as const) it.actor.send(events[name]);
    expect(judged).toEqual([[{ ...failed, lostPartitions: [] }, { kind: 'recoverable' }]]);
  });

  it('F8: an unrecoverable failure of a flapping region fails the job', () => {
    const it = opened({
      classify: () => ({ kind: 'unrecoverable', why: 'bad input' }),
      judge: () => ({ kind: 'flapping', region: 1, failures: 3, withinMs: 50 }),
    });
    expect(stateOf(it)).toBe('refused');
  });

  it('F9: does not wait for regions that are quarantined, held up or added', () => {
    const it = opened();
    for (const name of ['restart', 'yes'] as const) it.actor.send(events[name]);
    it.actor.send({ type: 'failover.regionsExcused', regions: [2, 3] });
    it.actor.send({ type: 'failover.regionSettled', region: 3 });
    expect(stateOf(it)).toBe('restarting');
    it.actor.send({ type: 'failover.regionSettled', region: 1 });
    expect(stateOf(it)).toBe('completed');
  });

  it('F9: is complete if it waits for none', () => {
    const it = opened();
    for (const name of ['restart', 'yes'] as const) it.actor.send(events[name]);
    it.actor.send({ type: 'failover.regionsExcused', regions });
    expect(stateOf(it)).toBe('completed');
  });

  it('evaluates an answer once', () => {
    for (const name of ['restart', 'fail', 'invalid'] as const) {
      const judged: unknown[] = [];
      const it = opened({
        propose: (failure: unknown, answer: StrategyAnswer | undefined) => {
          if (answer !== undefined) judged.push(answer.decision);
          return propose(failure, answer);
        },
      });
      it.actor.send(events[name]);
      expect(judged).toEqual([events[name].decision]);
    }
  });

  it('F1: asks the strategy before the backoff', () => {
    const it = opened();
    expect(it.take()).toEqual(['recordFailure', 'askStrategy']);
    it.actor.send(events.restart);
    expect(it.take()).toEqual(['askBackoff']);
  });

  it('F2: refuses an unrecoverable failure after the strategy answered, without asking the backoff', () => {
    const it = opened({ classify: () => ({ kind: 'unrecoverable', why: 'bad input' }) });
    it.actor.send(events.restart);
    expect(it.take()).toEqual(['recordFailure', 'askStrategy', '→ failover.refused']);
    expect(stateOf(it)).toBe('refused');
  });

  it.each(['invalid', 'threw', 'delay'] as const)('F3: restarts all, with a warning, on %s of the strategy', (name) => {
    const it = opened();
    it.take();
    it.actor.send(events[name]);
    expect(it.take()).toEqual(['askBackoff', '→ failover.overruled']);
    expect(proposalOf(it).regions).toEqual(allRegions);
  });

  it.each(['badBackoff', 'backoffThrew', 'delay'] as const)(
    'F3: asks the default backoff, with a warning, on %s of the backoff',
    (name) => {
      const told: unknown[] = [];
      const it = opened({ master: listener((_, event) => told.push(event)) });
      it.actor.send(events.restart);
      it.take();
      it.actor.send(events[name]);
      expect(it.take()).toEqual(['askDefaultBackoff']);
      expect(told).toMatchObject([
        { type: 'failover.overruled', part: 'restartBackoff', instead: 'the default backoff' },
      ]);
    },
  );

  it('F3: restarts when the default backoff says, even if that merged the failure into an earlier one', () => {
    const it = opened();
    it.clock.advance(7);
    for (const name of ['restart', 'badBackoff', 'defaultYes'] as const) it.actor.send(events[name]);
    expect(it.actor.getSnapshot().context).toMatchObject({ restartAtMs: 157, newAttempt: false });
  });

  it('F3: a restart that the default backoff does not allow is refused, naming it', () => {
    const told: unknown[] = [];
    const it = opened({ master: listener((_, event) => told.push(event)) });
    for (const name of ['restart', 'badBackoff', 'defaultNo'] as const) it.actor.send(events[name]);
    expect(told.at(-1)).toMatchObject({
      type: 'failover.refused',
      newAttempt: false,
      cause,
      why: expect.stringContaining('the default backoff'),
    });
  });

  it.each([
    { delayMs: Number.POSITIVE_INFINITY },
    { delayMs: 2 ** 31 },
    { delayMs: -1 },
    { delayMs: '5' },
    { delayMs: undefined },
    { canRestart: 'yes' },
    { canRestart: undefined },
    { newAttempt: 'no' },
  ])('F3: a backoff that answers %p is overruled with a warning', (odd) => {
    const it = opened();
    it.actor.send(events.restart);
    it.actor.send({ ...events.yes, newAttempt: false, ...odd });
    const { restartAtMs, newAttempt } = it.actor.getSnapshot().context;
    expect([stateOf(it), restartAtMs, newAttempt]).toEqual(['askingDefaultBackoff', 0, true]);
    expect(it.take()).toContain('→ failover.overruled');
  });

  it('F3: accepts the longest delay that a timer can have', () => {
    const it = opened();
    it.actor.send(events.restart);
    it.actor.send({ ...events.yes, delayMs: 2 ** 31 - 1 });
    expect(it.take()).not.toContain('→ failover.overruled');
    expect(it.actor.getSnapshot().context.restartAtMs).toBe(2 ** 31 - 1);
  });

  it('F3: ignores the delay of a refusal', () => {
    const it = opened();
    it.actor.send(events.restart);
    it.actor.send({ ...events.no, delayMs: Number.POSITIVE_INFINITY });
    expect(stateOf(it)).toBe('refused');
  });

  it('F3: has a deadline for each answer, and none once it is decided', () => {
    const it = opened();
    it.clock.advance(50);
    expect(stateOf(it)).toBe('askingBackoff');
    it.clock.advance(50);
    expect(stateOf(it)).toBe('askingDefaultBackoff');
    expect(it.clock.pendingCount).toBe(0);
  });

  it.each(['restart', 'fail'] as const)(
    'F3: an answer (%s) that was already waiting at the deadline counts',
    (answer) => {
      const it = opened();
      it.clock.setTimeout(() => it.clock.setImmediate(() => it.actor.send(events[answer])), 50);
      it.clock.advance(50);
      expect(it.take()).not.toContain('→ failover.overruled');
      expect(stateOf(it)).toBe(answer === 'restart' ? 'askingBackoff' : 'refused');
    },
  );

  it('a global failure restarts every region and bypasses the strategy', () => {
    const it = opened({
      failed: { vertex: undefined, attempt: undefined, cause, atMs: 0 },
      propose: () => restartOf({ regions: allRegions }),
    });
    expect(it.take()).toEqual(['recordFailure', 'askBackoff']);
    expect(proposalOf(it).regions).toEqual(allRegions);
  });

  it('F5: is completed when its last region has settled', () => {
    const it = opened();
    for (const name of ['restart', 'yes', 'settled'] as const) it.actor.send(events[name]);
    expect(stateOf(it)).toBe('restarting');
    it.take();
    it.actor.send(events.settled);
    expect(it.take()).toEqual(['→ failover.completed']);
    expect(it.actor.getSnapshot().status).toBe('done');
  });

  /** One result to verify before the answer, and another after it. */
  const unseen = (answer: StrategyAnswer | undefined): RestartProposal => {
    const proposal = propose(undefined, answer);
    const reads = [answer === undefined ? 0 : 1] as PartitionId[];
    return proposal.kind === 'restart' ? { ...proposal, reads } : proposal;
  };

  it('every reachable path ends in the expected state when a live failover replays it', () => {
    const paths = walks(
      failoverMachine.provide({ actors: { delay: delayActor } } as never),
      Object.values(events),
      input(new HandClock(), () => {}, { propose: (_: unknown, answer: StrategyAnswer | undefined) => unseen(answer) }),
      ({ value, context }) =>
        `${stateName(value)} ${context.answer !== undefined} ${context.pendingCount} ${context.waiting.size} ${context.verified.size}`,
    );
    const states = rows.map(([state]) => state?.replace("'", ''));
    expect(new Set(paths.map((path) => path.state))).toEqual(new Set(states));
    for (const path of paths) {
      const it = opened({ propose: (_: unknown, answer: StrategyAnswer | undefined) => unseen(answer) });
      for (const event of path.events) it.actor.send(event);
      expect(stateOf(it)).toBe(path.state);
    }
  });
});
