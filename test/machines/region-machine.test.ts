import type { AnyActorRef } from 'xstate';
import { delayActor } from '../../src/actors/delay-actor.ts';
import type { RestartCommand, RestartPlan } from '../../src/failover/restart-plan.ts';
import type { AttemptNumber, ExecutionVertexId, FailoverId, RegionId } from '../../src/ids.ts';
import { regionMachine } from '../../src/machines/region/region-machine.ts';
import { regionGroups } from '../../src/machines/region/region-setup.ts';
import { regionStates } from '../../src/actors/protocol/states.ts';
import { lackOfSlots } from '../support/lack-of-slots.ts';
import { HandClock } from '../support/manual-cluster.ts';
import { listener, type RecordedActor, recorded, stateName, walks } from '../support/transition-table.ts';

const region = 5 as RegionId;
const vertices = [10, 11] as ExecutionVertexId[];
const [first, second] = vertices as [ExecutionVertexId, ExecutionVertexId];
const slots = [
  { executor: 'here', index: 0 },
  { executor: 'here', index: 1 },
];
const cause = new Error('boom');
const provided = [
  ...['recordState', 'registerPartitions', 'registerAdopted', 'releaseFinishedPartitions'],
  ...['declineSlot', 'registerRival', 'preferRival', 'reportPreferred', 'dropRival'],
];

/** A region of two tasks whose executions only record their commands. */
interface TestRegion extends RecordedActor {
  readonly clock: HandClock;
  /** Everything that was reported to the master. */
  readonly told: { readonly type: string }[];
}

function regionOfTwo(): TestRegion {
  const clock = new HandClock();
  const told: { readonly type: string }[] = [];
  const it = recorded(
    regionMachine,
    provided,
    (log) => ({
      region,
      vertices,
      feedsRegions: true,
      job: {
        master: listener((entry, event) => {
          log(entry);
          told.push(event);
        }),
        clock,
        slotRequestTimeoutMs: 50,
        lackOfSlots: () => lackOfSlots(2, 1, 'did not get them'),
        cancellationTimeoutMs: 70,
        spawnExecutions: (parent: AnyActorRef, _: unknown, attempt: AttemptNumber) =>
          vertices.map((vertex) =>
            listener((entry) => log(`${vertex}#${attempt} ${entry}`), { tags: ['active'], parent }),
          ),
      },
    }),
    { actors: { delay: delayActor } },
  );
  return { ...it, clock, told };
}

const failover = 1 as FailoverId;
const events = {
  schedule: { type: 'region.schedule', slots },
  queue: { type: 'region.schedule', slots: undefined },
  restore: { type: 'region.restore', executor: 'here', stored: new Map() },
  grant: { type: 'region.slotsGranted', slots },
  registered: { type: 'region.partitionsRegistered', token: 0 },
  unregistered: { type: 'region.partitionRegistrationFailed', token: 0, producer: second, cause },
  restart: { type: 'region.restart', failover, restartAtMs: 0, mode: 'again' },
  later: { type: 'region.restart', failover, restartAtMs: 1_000, mode: 'new' },
  quarantine: { type: 'region.quarantine', failover, mode: 'again' },
  cancel: { type: 'region.cancel' },
  suspend: { type: 'region.suspend' },
  up: { type: 'execution.running', vertex: first },
  prepared: { type: 'execution.prepared', vertex: first, attempt: 0 },
  finished: { type: 'execution.finished', vertex: first, attempt: 0 },
  failed: { type: 'execution.failed', vertex: first, attempt: 0, cause },
  canceled: { type: 'execution.canceled', vertex: second },
  hurry: { type: 'region.skipBackoff' },
  speculate: { type: 'region.speculate', slot: slots[0], ranMs: 2, allowedMs: 1 },
  delay: { type: 'delay.elapsed' },
} as const;

type EventName = keyof typeof events;

const running = ['schedule', 'registered', 'up', 'up'] as const;

const reach: Record<string, readonly EventName[]> = {
  created: [],
  adopting: ['restore'],
  'scheduled.allocating': ['queue'],
  'scheduled.registering': ['schedule'],
  deploying: ['schedule', 'registered'],
  'running.alone.working': [...running],
  finished: [...running, 'finished', 'finished'],
  'failed+awaited': [...running, 'failed'],
  'failed+ended': [...running, 'failed', 'canceled'],
  'restarting.waiting+awaited': [...running, 'restart'],
  'restarting.backingOff+ended': [...running, 'later', 'canceled', 'canceled'],
  'quarantined.emptying+awaited': [...running, 'quarantine'],
  'quarantined.empty+ended': [...running, 'quarantine', 'canceled', 'canceled'],
  'canceling+awaited': [...running, 'cancel'],
  canceled: [...running, 'cancel', 'canceled', 'canceled'],
};

// The complete table: state × event → state, `-` for no change. Two tasks: the effect of a second `up`, `finished`, …
// differs.
const table = `
                             schedule              queue                restore  grant                 registered unregistered restart                    later                       cancel            suspend  up finished     failed         canceled       delay   hurry   quarantine speculate prepared
created                      scheduled.registering scheduled.allocating adopting -                     -          -            restarting.waiting+awaited restarting.waiting+awaited  canceling+awaited canceled -  -            failed+awaited failed+awaited -       -       quarantined.emptying+awaited - -
adopting                     -                     -                    -        -                     -          -            restarting.waiting+awaited restarting.waiting+awaited  canceling+awaited canceled -  -            failed+awaited failed+awaited -       -       quarantined.emptying+awaited - -
scheduled.allocating         -                     -                    adopting scheduled.registering -          -            restarting.waiting+awaited restarting.waiting+awaited  canceling+awaited canceled -  -            failed+awaited failed+awaited -       -       quarantined.emptying+awaited - -
scheduled.registering        -                     -                    -        -                     deploying  -            restarting.waiting+awaited restarting.waiting+awaited  canceling+awaited canceled -  -            failed+awaited failed+awaited -       -       quarantined.emptying+awaited - -
deploying                    -                     -                    -        -                     -          -            restarting.waiting+awaited restarting.waiting+awaited  canceling+awaited canceled -  -            failed+awaited failed+awaited -       -       quarantined.emptying+awaited - -
running.alone.working        -                     -                    -        -                     -          -            restarting.waiting+awaited restarting.waiting+awaited  canceling+awaited canceled -  -            failed+awaited failed+awaited -       -       quarantined.emptying+awaited - -
finished                     -                     -                    -        -                     -          -            created                    restarting.backingOff+ended -                 -        -  -            -              -              -       -       quarantined.empty+ended - -
failed+awaited               -                     -                    -        -                     -          -            restarting.waiting+awaited restarting.waiting+awaited  canceling+awaited canceled -  failed+ended failed+ended   failed+ended   -       -       quarantined.emptying+awaited - -
failed+ended                 -                     -                    -        -                     -          -            created                    restarting.backingOff+ended canceled          canceled -  -            -              -              -       -       quarantined.empty+ended - -
restarting.waiting+awaited   -                     -                    -        -                     -          -            -                          -                           canceling+awaited canceled -  -            -              -              -       -       quarantined.emptying+awaited - -
restarting.backingOff+ended  -                     -                    -        -                     -          -            created                    -                           canceled          canceled -  -            -              -              created created quarantined.empty+ended - -
quarantined.emptying+awaited -                     -                    -        -                     -          -            restarting.waiting+awaited restarting.waiting+awaited  canceling+awaited canceled -  -            -              -              -       -       - - -
quarantined.empty+ended      -                     -                    -        -                     -          -            created                    restarting.backingOff+ended canceled          canceled -  -            -              -              -       -       - - -
canceling+awaited            -                     -                    -        -                     -          -            -                          -                           -                 canceled -  -            -              -              -       -       - - -
canceled                     -                     -                    -        -                     -          -            -                          -                           -                 -        -  -            -              -              -       -       - - -
`;

const stateOf = ({ actor }: RecordedActor): string => stateName(actor.getSnapshot().value, regionGroups);

const shownOf = (state: string): string => state.split(/[.+]/)[0] as string;

function inState(state: string): TestRegion {
  const it = regionOfTwo();
  for (const name of reach[state] as readonly EventName[]) it.actor.send(events[name]);
  expect(stateOf(it)).toBe(state);
  it.take();
  return it;
}

describe('region machine', () => {
  const [head, ...rows] = table
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  const columns = head as EventName[];

  it('the table has a row for every state in which a region rests, and a column for every event', () => {
    expect(new Set(rows.map(([state]) => shownOf(state as string)))).toEqual(new Set(regionStates));
    expect([...columns].sort()).toEqual(Object.keys(events).sort());
    const known = new Set<string>([...columns.map((name) => events[name].type), 'execution.inexplicable']);
    const inChart = [...regionMachine.events].filter((type) => !type.startsWith('xstate.'));
    expect(inChart.filter((type) => !known.has(type))).toEqual([]);
  });

  describe.each(rows.map(([state, ...cells]) => ({ state: state as string, cells })))('$state', ({ state, cells }) => {
    it.each(columns.map((name, index) => ({ name, expected: cells[index] as string })))(
      'on $name: $expected',
      ({ name, expected }) => {
        const it = inState(state);
        it.actor.send(events[name]);
        expect(stateOf(it)).toBe(expected === '-' ? state : expected);
        expect(it.actor.getSnapshot().status).toBe('active');
      },
    );
  });

  it('R1: deploys nothing before it has slots and registered partitions', () => {
    const it = inState('created');
    it.actor.send(events.queue);
    expect(it.take()).toEqual(['recordState scheduled', '10#0 → execution.schedule', '11#0 → execution.schedule']);
    it.actor.send(events.grant);
    expect(it.take()).toEqual(['registerPartitions', '10#0 → execution.assignSlot', '11#0 → execution.assignSlot']);
    it.actor.send({ ...events.registered, token: 7 });
    expect(stateOf(it)).toBe('scheduled.registering');
    it.actor.send(events.registered);
    expect(it.take()).toEqual(['recordState deploying', '10#0 → execution.deploy', '11#0 → execution.deploy']);
  });

  it('R1: fails the first task if no slot comes, the producer if its partition cannot be registered', () => {
    const waiting = inState('scheduled.allocating');
    waiting.clock.advance(50);
    expect(waiting.take()).toEqual(['10#0 → execution.fail']);
    const registering = inState('scheduled.registering');
    registering.actor.send(events.unregistered);
    expect(registering.take()).toEqual(['11#0 → execution.fail']);
  });

  it('R1: a failed registration for an earlier attempt does not fail the current one', () => {
    const it = inState('scheduled.registering');
    it.actor.send({ ...events.unregistered, token: 7 });
    expect(it.take()).toEqual([]);
  });

  it.each(['created', 'scheduled.allocating', 'deploying', 'running.alone.working'])(
    'R7: in %s, a task that is canceled without a request is a failure, and has ended',
    (state) => {
      const it = inState(state);
      it.actor.send(events.canceled);
      expect(it.take()).toEqual([
        'recordState failed',
        '→ region.taskFailed',
        '10#0 → execution.cancel',
        '11#0 → execution.cancel',
      ]);
      it.actor.send({ ...events.canceled, vertex: first });
      expect(stateOf(it)).toBe('failed+ended');
    },
  );

  it('R2, R6: creates new attempts of all tasks after the last has ended and the backoff is over, not before', () => {
    const it = inState('running.alone.working');
    it.actor.send(events.failed);
    expect(it.take()).toEqual([
      'recordState failed',
      '→ region.taskFailed',
      '10#0 → execution.cancel',
      '11#0 → execution.cancel',
    ]);
    it.actor.send({ ...events.restart, restartAtMs: 40 });
    expect(it.take()).toEqual(['recordState restarting', '→ region.restarting']);
    it.actor.send(events.canceled);
    expect(stateOf(it)).toBe('restarting.backingOff+ended');
    it.clock.advance(39);
    expect(it.take()).toEqual([]);
    it.clock.advance(1);
    expect(it.take()).toEqual([
      'releaseFinishedPartitions',
      'recordState created',
      '10#0 → xstate.stop',
      '11#0 → xstate.stop',
      '→ region.restarted',
    ]);
    it.actor.send(events.schedule);
    expect(it.take()).toContain('10#1 → execution.schedule');
  });

  it('R3: reports only the first failure of a run', () => {
    const it = inState('running.alone.working');
    it.actor.send(events.failed);
    it.actor.send({ ...events.failed, vertex: second });
    expect(it.take().filter((entry) => entry === '→ region.taskFailed')).toHaveLength(1);
    expect(stateOf(it)).toBe('failed+ended');
  });

  it('R4: follows the newest failover and notifies the one it replaces', () => {
    const it = inState('restarting.waiting+awaited');
    it.actor.send({ ...events.later, failover: 2 });
    expect(it.take()).toEqual(['→ region.overtaken']);
    it.actor.send(events.canceled);
    it.actor.send(events.canceled);
    expect(stateOf(it)).toBe('restarting.backingOff+ended');
    it.actor.send({ ...events.restart, failover: 3 });
    expect(stateOf(it)).toBe('created');
    expect(it.actor.getSnapshot().context.failover).toBe(3);
  });

  it('R4: is recovered when all tasks run again, once', () => {
    const it = inState('failed+ended');
    for (const event of [events.restart, events.schedule, { ...events.registered, token: 1 }, events.up]) {
      it.actor.send(event);
    }
    expect(it.take()).not.toContain('→ region.recovered');
    it.actor.send(events.up);
    expect(it.take()).toEqual(['recordState running', '→ region.recovered']);
    // That failover is over, so it is not notified.
    it.actor.send({ ...events.restart, failover: 2 });
    expect(it.take().filter((entry) => entry.startsWith('→'))).toEqual(['→ region.restarting']);
  });

  it('R5: a hanging cancellation is not reported again because its region is to restart, or to end', () => {
    const it = inState('failed+awaited');
    it.clock.advance(70);
    for (const event of [events.restart, events.cancel]) {
      it.actor.send(event);
      it.clock.advance(70);
    }
    expect(it.take().filter((entry) => entry === '→ region.cancellationTimedOut')).toHaveLength(1);
  });

  it.each<{ told: RestartCommand[]; plan: RestartPlan; begun: RestartPlan }>([
    { told: [], plan: 'new', begun: 'new' },
    { told: ['again'], plan: 'to-be-again', begun: 'again' },
    { told: ['new', 'again'], plan: 'to-be-new', begun: 'new' },
    { told: ['wait'], plan: 'to-wait', begun: 'again' },
  ])('R8: told $told, its plan is $plan until its attempt begins to write, then $begun', ({ told, plan, begun }) => {
    const it = inState('created');
    const planOf = () => it.actor.getSnapshot().context.plan;
    for (const mode of told) it.actor.send({ ...events.later, mode });
    if (told.length > 0) for (let ended = 0; ended < 2; ended++) it.actor.send(events.canceled);
    expect(planOf()).toBe(plan);
    it.clock.advance(1_000);
    it.actor.send(events.queue);
    expect(planOf()).toBe(plan);
    it.actor.send(events.grant);
    expect(planOf()).toBe(begun);
  });

  it('R9: adopts the results of an earlier run and is finished, without a slot or a deployment', () => {
    const it = inState('adopting');
    it.actor.send({ ...events.registered, token: 7 });
    expect(it.take()).toEqual([]);
    it.actor.send(events.registered);
    expect(it.take()).toEqual(['10#0 → execution.restore', '11#0 → execution.restore']);
    it.actor.send(events.finished);
    it.actor.send({ ...events.finished, vertex: second });
    expect(it.take()).toEqual([
      '→ region.taskFinished',
      'recordState finished',
      '→ region.taskFinished',
      '→ region.finished',
    ]);
  });

  it('R9: waits for an executor that can hold the results of an earlier run, as long as others wait for slots', () => {
    const patient = inState('scheduled.allocating');
    patient.actor.send(events.restore);
    expect(patient.take()).toEqual(['registerAdopted', 'recordState adopting']);
    patient.clock.advance(100_000_000);
    expect(patient.take()).toEqual([]);
    const late = inState('scheduled.allocating');
    late.clock.advance(100_000_000);
    expect(late.take()).toEqual(['10#0 → execution.fail']);
  });

  it('R10: quarantined, it reports once its attempts have ended, and begins none until it is released', () => {
    const it = inState('failed+awaited');
    it.actor.send(events.quarantine);
    expect(it.take()).toEqual(['recordState quarantined', '→ region.restarting']);
    it.actor.send(events.canceled);
    expect(it.take()).toEqual(['→ region.quarantined']);
    it.clock.advance(100_000);
    expect(it.take()).toEqual([]);
    it.actor.send({ ...events.restart, failover: 2 });
    expect(it.take()).toEqual([
      'recordState restarting',
      'releaseFinishedPartitions',
      'recordState created',
      '→ region.released',
      '→ region.overtaken',
      '10#0 → xstate.stop',
      '11#0 → xstate.stop',
      '→ region.restarted',
    ]);
  });

  it('R10: a failover that names a quarantined region changes its plan, and takes it over', () => {
    const it = inState('quarantined.empty+ended');
    it.actor.send({ ...events.quarantine, failover: 2, mode: 'new' });
    expect(it.take()).toEqual(['→ region.overtaken']);
    expect(it.actor.getSnapshot().context).toMatchObject({ plan: 'to-be-new', failover: 2 });
  });

  it('fails the task whose results of an earlier run cannot be adopted', () => {
    const it = inState('adopting');
    it.actor.send(events.unregistered);
    expect(it.take()).toEqual(['11#0 → execution.fail']);
  });

  it.each([
    { state: 'finished', wasFinished: true },
    { state: 'running.alone.working', wasFinished: false },
  ])('reports of a restart whether it had finished: $state', ({ state, wasFinished }) => {
    const it = inState(state);
    it.actor.send(events.restart);
    expect(it.told).toContainEqual({ type: 'region.restarting', region, failover, wasFinished });
  });

  it.each([
    { state: 'finished', event: 'cancel', command: 'execution.cancel' },
    { state: 'finished', event: 'suspend', command: 'execution.suspend' },
    { state: 'running.alone.working', event: 'cancel', command: 'execution.cancel' },
    { state: 'running.alone.working', event: 'suspend', command: 'execution.suspend' },
  ] as const)('passes $event on to its tasks in state $state', ({ state, event, command }) => {
    const it = inState(state);
    it.actor.send(events[event]);
    expect(it.take()).toEqual(expect.arrayContaining([`10#0 → ${command}`, `11#0 → ${command}`]));
  });

  it.each(['failed+awaited', 'restarting.waiting+awaited', 'canceling+awaited'])(
    'R5: reports a hanging cancellation in %s',
    (state) => {
      const it = inState(state);
      it.clock.advance(70);
      expect(it.take()).toEqual(['→ region.cancellationTimedOut']);
      it.clock.advance(1_000);
      expect(it.take()).toEqual([]);
      expect(stateOf(it)).toBe(state);
    },
  );

  it('finishes with its last task, whichever that is', () => {
    const it = inState('running.alone.working');
    it.actor.send(events.finished);
    expect(it.take()).toEqual(['→ region.taskFinished']);
    it.actor.send({ ...events.finished, vertex: second });
    expect(it.take()).toEqual(['recordState finished', '→ region.taskFinished', '→ region.finished']);
  });

  it('finishes even if a task had finished before the last one ran', () => {
    const it = inState('deploying');
    for (const event of [events.up, events.finished, events.up, events.finished]) it.actor.send(event);
    expect(stateOf(it)).toBe('finished');
  });

  it.each([
    {
      state: 'scheduled.allocating',
      afterMs: 50,
      comes: 'grant',
      reaches: 'scheduled.registering',
      not: /execution.fail/,
    },
    { state: 'canceling+awaited', afterMs: 70, comes: 'canceled', reaches: 'canceled', not: /TimedOut/ },
  ] as const)(
    '$state: a report that was already waiting at the deadline counts',
    ({ state, afterMs, comes, reaches, not }) => {
      const it = inState(state);
      it.clock.setTimeout(() => {
        it.clock.setImmediate(() => {
          it.actor.send(events[comes]);
          if (comes === 'canceled') it.actor.send({ ...events.canceled, vertex: first });
        });
      }, afterMs);
      it.clock.advance(afterMs);
      expect(it.take().filter((told) => not.test(told))).toEqual([]);
      expect(stateOf(it)).toBe(reaches);
    },
  );

  it('every reachable path ends in the expected state when a live region replays it', () => {
    const { actor } = regionOfTwo();
    const paths = walks(
      regionMachine.provide({ actors: { delay: delayActor } } as never),
      Object.values(events),
      {
        ...actor.getSnapshot().context,
        job: { ...actor.getSnapshot().context.job, spawnExecutions: () => vertices.map(() => listener(() => {})) },
      },
      (snapshot) => {
        const { upCount, finishedCount, endedCount, attempt } = snapshot.context;
        return [
          stateName(snapshot.value, regionGroups),
          Math.min(upCount, 3),
          Math.min(finishedCount, 3),
          Math.min(endedCount, 3),
          Math.min(attempt, 1),
        ].join();
      },
      regionGroups,
    );
    expect(new Set(paths.map((path) => shownOf(path.state)))).toEqual(new Set(regionStates));
    for (const path of paths) {
      const it = regionOfTwo();
      for (const event of path.events) it.actor.send(event);
      expect(stateOf(it)).toBe(path.state);
    }
  });
});
