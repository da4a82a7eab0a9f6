import type { AnyActorRef } from 'xstate';
import { delayActor } from '../../src/actors/delay-actor.ts';
import type { AttemptNumber, ExecutionVertexId, FailoverId, RegionId } from '../../src/ids.ts';
import { regionMachine } from '../../src/machines/region/region-machine.ts';
import { regionGroups } from '../../src/machines/region/region-setup.ts';
import { HandClock } from '../support/manual-cluster.ts';
import { listener, type RecordedActor, recorded, stateName, walks } from '../support/transition-table.ts';

const region = 5 as RegionId;
const vertex = 10 as ExecutionVertexId;
const slot = { executor: 'here', index: 0 };
const provided = [
  ...['recordState', 'registerPartitions', 'registerAdopted', 'releaseFinishedPartitions'],
  ...['declineSlot', 'registerRival', 'preferRival', 'reportPreferred', 'dropRival'],
];

interface TestRegion extends RecordedActor {
  readonly clock: HandClock;
}

const boom = new Error('boom');
const lost = new Error('lost');
const fatal = new Error('fatal');
const kinds = new Map([
  [boom, 'recoverable'],
  [lost, 'partition-lost'],
  [fatal, 'unrecoverable'],
]);

const jobOf = (clock: HandClock, log: (entry: string) => void) => {
  const spawn = (parent: AnyActorRef | undefined, attempt: AttemptNumber) =>
    listener((entry) => log(`#${attempt} ${entry}`), { tags: ['active'], ...(parent && { parent }) });
  return {
    master: listener((entry) => log(entry)),
    clock,
    slotRequestTimeoutMs: 50,
    offeredSlots: () => 1,
    cancellationTimeoutMs: 70,
    spawnExecutions: (parent: AnyActorRef, _: unknown, attempt: AttemptNumber) => [spawn(parent, attempt)],
    spawnRival: (parent: AnyActorRef, _: unknown, attempt: AttemptNumber) => spawn(parent, attempt),
    classOf: (_: unknown, cause: Error) => kinds.get(cause),
  };
};

/** A region of one task, whose executions only record their commands. */
function regionOfOne(): TestRegion {
  const clock = new HandClock();
  const it = recorded(
    regionMachine,
    provided,
    (log) => ({ region, vertices: [vertex], feedsRegions: true, job: jobOf(clock, log) }),
    { actors: { delay: delayActor } },
  );
  return { ...it, clock };
}

const failover = 1 as FailoverId;
const [first, second] = [0, 1] as AttemptNumber[];
const events = {
  schedule: { type: 'region.schedule', slots: [slot] },
  registered: { type: 'region.partitionsRegistered', token: first },
  up: { type: 'execution.running', vertex, attempt: first },
  prepared: { type: 'execution.prepared', vertex, attempt: first },
  finished: { type: 'execution.finished', vertex, attempt: first },
  failed: { type: 'execution.failed', vertex, attempt: first, cause: boom },
  lost: { type: 'execution.failed', vertex, attempt: first, cause: lost },
  fatal: { type: 'execution.failed', vertex, attempt: first, cause: fatal },
  canceled: { type: 'execution.canceled', vertex, attempt: first },
  speculate: { type: 'region.speculate', slot, ranMs: 2, allowedMs: 1 },
  registered2: { type: 'region.partitionsRegistered', token: second },
  unregistered2: { type: 'region.partitionRegistrationFailed', token: second, producer: vertex, cause: boom },
  up2: { type: 'execution.running', vertex, attempt: second },
  prepared2: { type: 'execution.prepared', vertex, attempt: second },
  finished2: { type: 'execution.finished', vertex, attempt: second },
  failed2: { type: 'execution.failed', vertex, attempt: second, cause: boom },
  lost2: { type: 'execution.failed', vertex, attempt: second, cause: lost },
  fatal2: { type: 'execution.failed', vertex, attempt: second, cause: fatal },
  canceled2: { type: 'execution.canceled', vertex, attempt: second },
  restart: { type: 'region.restart', failover, restartAtMs: 0, mode: 'new' },
  quarantine: { type: 'region.quarantine', failover, mode: 'new' },
  cancel: { type: 'region.cancel' },
  suspend: { type: 'region.suspend' },
} as const;

/** Without those that a chart takes like others, so that the walk is short. */
const { fatal: _, fatal2: __, quarantine: ___, ...walked } = events;

type EventName = keyof typeof events;

const contested = ['schedule', 'registered', 'up', 'speculate'] as const;
const racing = [...contested, 'registered2', 'up2'] as const;

const reach: Record<string, readonly EventName[]> = {
  preparing: contested,
  racing,
  'first came in': [...racing, 'finished'],
  'second came in': [...racing, 'finished2'],
  'first commits': [...racing, 'prepared'],
  'second commits': [...racing, 'prepared2'],
};

// state × event → state, `-` for no change: contested.* and settling are steps of `running`.
const table = `
               prepared finished   failed         lost           fatal          canceled       speculate registered2 unregistered2 up2    prepared2 finished2  failed2    lost2          fatal2     canceled2  restart    quarantine  cancel    suspend
preparing      awarded  settling   failed         failed         failed         failed         -         -           -             racing awarded   settling   working    failed         working    working    restarting quarantined canceling canceled
racing         awarded  settling   working        failed         failed         failed         -         -           -             -      awarded   settling   working    failed         working    working    restarting quarantined canceling canceled
first+came+in  -        finished   finished       finished       finished       finished       -         -           -             -      -         finished   finished   finished       finished   finished   restarting quarantined canceling canceled
second+came+in -        finished   finished       finished       finished       finished       -         -           -             -      -         finished   finished   finished       finished   finished   restarting quarantined canceling canceled
first+commits  -        settling   failed         failed         failed         failed         -         -           -             -      -         committing committing committing     committing committing restarting quarantined canceling canceled
second+commits -        committing committing     committing     committing     committing     -         -           -             -      -         settling   failed     failed         failed     failed     restarting quarantined canceling canceled
`;

const valueOf = ({ actor }: RecordedActor): string =>
  stateName(actor.getSnapshot().value, [...regionGroups, 'running', 'alone', 'contested']);

const shownOf = (it: RecordedActor): string => valueOf(it).split(/[.+]/)[0] as string;

function after(names: readonly EventName[]): TestRegion {
  const it = regionOfOne();
  for (const name of names) it.actor.send(events[name]);
  return it;
}

function inState(state: string): TestRegion {
  const it = after(reach[state] as readonly EventName[]);
  it.take();
  return it;
}

describe('a region whose only task has two attempts', () => {
  const [head, ...rows] = table
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  const columns = head as EventName[];
  const cases = rows.flatMap(([row, ...cells]) =>
    columns.map((event, index) => ({
      state: (row as string).replaceAll('+', ' '),
      event,
      expected: cells[index] as string,
    })),
  );

  it.each(cases)('$state, on $event: $expected', ({ state, event, expected }) => {
    const it = inState(state);
    const before = shownOf(it);
    it.actor.send(events[event]);
    expect(shownOf(it)).toBe(expected === '-' ? before : expected);
  });

  it('begins beside the first: registered, then deployed, in a slot of its own', () => {
    const it = after(['schedule', 'registered', 'up']);
    it.take();
    it.actor.send(events.speculate);
    expect(it.take()).toEqual(['registerRival', '#1 → execution.schedule']);
    it.actor.send(events.registered2);
    expect(it.take()).toEqual(['#1 → execution.deploy']);
  });

  it('a slot is declined if the task does not run, or has two attempts', () => {
    for (const names of [[], ['schedule'], contested, [...racing, 'finished']] as const) {
      const it = after(names);
      it.take();
      it.actor.send(events.speculate);
      expect(it.take()).toEqual(['declineSlot']);
    }
  });

  it('R11: the first finishes first: the second is canceled, and the region is finished once it has ended', () => {
    const it = inState('racing');
    it.actor.send(events.finished);
    expect(it.take()).toEqual(['reportPreferred', '→ region.taskFinished', '#1 → execution.cancel']);
    it.actor.send(events.canceled2);
    expect(it.take()).toEqual(['dropRival', 'recordState finished', '#1 → xstate.stop', '→ region.finished']);
    expect(it.actor.getSnapshot().context).toMatchObject({ attempt: 0, finishedCount: 1, endedCount: 1 });
  });

  it('R11: the second finishes first: it is the task, the first is canceled, and what that does later changes nothing', () => {
    const it = inState('racing');
    it.actor.send(events.finished2);
    expect(it.take()).toEqual(['preferRival', '→ region.taskFinished', '#0 → execution.cancel']);
    it.actor.send(events.finished);
    expect(it.take()).toEqual(['dropRival', 'recordState finished', '#0 → xstate.stop', '→ region.finished']);
    expect(it.actor.getSnapshot().context).toMatchObject({ attempt: 1, finishedCount: 1, endedCount: 1 });
  });

  it('R13: of one attempt, the sinks commit when it asks, and it gets no rival from then on', () => {
    const it = after(['schedule', 'registered', 'up']);
    it.take();
    it.actor.send(events.prepared);
    it.actor.send(events.speculate);
    it.actor.send(events.prepared);
    expect(it.take()).toEqual(['#0 → execution.commit', 'declineSlot']);
    it.actor.send(events.finished);
    expect(it.take()).toEqual(['recordState finished', '→ region.taskFinished', '→ region.finished']);
  });

  it('R13: the first of two asks first: it may commit, and the second never does, although it asks', () => {
    const it = inState('racing');
    for (const event of [events.prepared, events.prepared2, events.prepared]) it.actor.send(event);
    expect(it.take()).toEqual(['reportPreferred', '#0 → execution.commit', '#1 → execution.cancel']);
    it.actor.send(events.canceled2);
    expect(it.take()).toEqual(['dropRival', '#1 → xstate.stop']);
    it.actor.send(events.finished);
    expect(it.take()).toEqual(['recordState finished', '→ region.taskFinished', '→ region.finished']);
    expect(it.actor.getSnapshot().context).toMatchObject({ attempt: 0, finishedCount: 1, endedCount: 1 });
  });

  it('R13: the second asks first: it is the task, whether it finishes before the first has ended or after that', () => {
    for (const order of [
      [events.finished2, events.canceled],
      [events.canceled, events.finished2],
    ]) {
      const it = inState('racing');
      for (const event of [events.prepared2, events.prepared]) it.actor.send(event);
      expect(it.take()).toEqual(['preferRival', '#1 → execution.commit', '#0 → execution.cancel']);
      for (const event of order) it.actor.send(event);
      expect(it.take().filter((entry) => entry !== '#0 → execution.cancel')).toEqual(
        order[0] === events.canceled
          ? ['dropRival', '#0 → xstate.stop', 'recordState finished', '→ region.taskFinished', '→ region.finished']
          : ['→ region.taskFinished', 'dropRival', 'recordState finished', '#0 → xstate.stop', '→ region.finished'],
      );
      expect(it.actor.getSnapshot().context).toMatchObject({ attempt: 1, finishedCount: 1, endedCount: 1 });
    }
  });

  it('R13: the attempt that may commit fails: the other one, which may not, ends too, and the task restarts', () => {
    const it = inState('second commits');
    it.actor.send(events.failed2);
    expect(it.take()).toContain('→ region.taskFailed');
    for (const event of [events.restart, events.canceled]) it.actor.send(event);
    expect(it.take()).toContain('→ region.restarted');
  });

  it('R5: an attempt that may not commit and does not end is reported', () => {
    const it = inState('first commits');
    it.clock.advance(70);
    expect(it.take()).toEqual(['→ region.cancellationTimedOut']);
  });

  it('R5: an attempt that came second and does not end is reported', () => {
    const it = inState('second came in');
    it.clock.advance(70);
    expect(it.take()).toEqual(['→ region.cancellationTimedOut']);
  });

  it('R12: the first fails while the second runs: nobody is told, and the second is the task', () => {
    const it = inState('racing');
    it.actor.send(events.failed);
    expect(it.take()).toEqual(['preferRival', 'dropRival', '#0 → xstate.stop']);
    it.actor.send(events.finished2);
    expect(it.take()).toEqual(['recordState finished', '→ region.taskFinished', '→ region.finished']);
  });

  it('R12: the second fails: the first goes on alone', () => {
    for (const name of ['failed2', 'fatal2'] as const) {
      const it = inState('racing');
      it.actor.send(events[name]);
      expect(it.take()).toEqual(['reportPreferred', 'dropRival', '#1 → xstate.stop']);
      it.actor.send(events.finished);
      expect(it.take()).toEqual(['recordState finished', '→ region.taskFinished', '→ region.finished']);
    }
  });

  it('R12: a result that is lost for one is lost for both: both end, as one failure', () => {
    for (const name of ['lost', 'lost2'] as const) {
      const it = inState('racing');
      it.actor.send(events[name]);
      expect(it.take()).toEqual([
        'recordState failed',
        '→ region.taskFailed',
        '#0 → execution.cancel',
        '#1 → execution.cancel',
      ]);
      it.actor.send(events.restart);
      it.actor.send(name === 'lost' ? events.canceled2 : events.canceled);
      expect(it.take()).toContain('→ region.restarted');
    }
  });

  it('R6: the attempt after two is the third, whichever of them was the task', () => {
    for (const name of ['failed2', 'failed'] as const) {
      const it = inState('racing');
      for (const event of [events[name], events.restart]) it.actor.send(event);
      it.actor.send(name === 'failed' ? events.canceled2 : events.canceled);
      it.actor.send(events.schedule);
      expect(it.take()).toContain('#2 → execution.schedule');
    }
  });

  it('R2: it restarts only after both have ended', () => {
    const it = inState('racing');
    for (const event of [events.restart, events.canceled]) it.actor.send(event);
    expect(it.take()).not.toContain('→ region.restarted');
    it.actor.send(events.canceled2);
    expect(it.take()).toContain('→ region.restarted');
  });

  it('a restart while the loser ends: it had not finished', () => {
    const it = inState('second came in');
    it.actor.send(events.restart);
    expect(it.take()).toContain('→ region.restarting');
    it.actor.send(events.canceled);
    expect(it.take()).toContain('→ region.restarted');
  });

  it('every reachable path ends in the expected state when a live region replays it', () => {
    const { actor } = regionOfOne();
    const paths = walks(
      regionMachine.provide({ actors: { delay: delayActor } } as never),
      Object.values(walked),
      { ...actor.getSnapshot().context, job: jobOf(new HandClock(), () => {}) },
      ({ value, context: { upCount, finishedCount, endedCount, attempt, lastAttempt, executions } }) =>
        [
          stateName(value, regionGroups),
          ...[upCount, finishedCount, endedCount, executions.length].map((count: number) => Math.min(count, 2)),
          ...[attempt, lastAttempt].map((count: number) => Math.min(count, 1)),
        ].join(),
      regionGroups,
    );
    expect(paths.some(({ state }) => state.includes('racing'))).toBe(true);
    for (const path of paths) {
      const it = regionOfOne();
      for (const event of path.events) it.actor.send(event);
      expect(stateName(it.actor.getSnapshot().value, regionGroups)).toBe(path.state);
    }
  });
});
