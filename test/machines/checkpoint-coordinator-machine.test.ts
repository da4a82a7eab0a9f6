import { type AnyActorRef, createActor, fromTransition } from 'xstate';
import { delayActor } from '../../src/actors/delay-actor.ts';
import type { CheckpointRequest } from '../../src/checkpoints/request-decider.ts';
import type { CheckpointId } from '../../src/ids.ts';
import { checkpointCoordinatorMachine } from '../../src/machines/checkpoint-coordinator/checkpoint-coordinator-machine.ts';
import type { CoordinatorSettings } from '../../src/machines/checkpoint-coordinator/coordinator-setup.ts';
import { HandClock } from '../support/manual-cluster.ts';
import { stateName, walks } from '../support/transition-table.ts';

const machine = checkpointCoordinatorMachine;

const usual: CoordinatorSettings = {
  intervalMs: 100,
  timeoutMs: 1_000,
  minPauseMs: 0,
  maxConcurrent: 1,
  tolerableFailures: 0,
  maxQueued: 10,
};

/** Stands for the charts of checkpoints: it logs what they are told. */
const silent = (log: (entry: string) => void, name: string): AnyActorRef =>
  createActor(
    fromTransition((state: object, { type, reason }: { type: string; reason?: string }) => {
      log(`${name} ${type.replace('checkpoint.', '')} ${reason ?? ''}`.trim());
      return state;
    }, {}),
  ).start() as AnyActorRef;

function coordinating(settings: Partial<CoordinatorSettings> = {}) {
  const clock = new HandClock();
  const log: string[] = [];
  const note = (entry: string): void => void log.push(entry);
  const requests: CheckpointRequest[] = [];
  const component = {
    cleaningCount: 0,
    spawnPending: (request: CheckpointRequest) => {
      requests.push(request);
      note(`begins ${named(request)}`);
      return silent(note, named(request));
    },
  };
  const named = ({ number }: CheckpointRequest): string => `request ${number}`;
  const provided = machine.provide({
    actors: { delay: delayActor },
    actions: {
      announceTriggered: (_, { checkpoint }) => note(`triggered ${checkpoint}`),
      announceCompleted: (_, { checkpoint }) => note(`completed ${checkpoint}`),
      announceFailed: (_, { checkpoint, reason }) => note(`failed ${checkpoint}: ${reason}`),
      announceRefused: (_, { request, reason }) => note(`refused ${named(request)}: ${reason}`),
      failComponent: (_, { reason }) => note(`component fails: ${reason}`),
    },
  });
  const actor = createActor(provided, {
    input: {
      settings: { ...usual, ...settings },
      clock,
      component: component as never,
    },
  }).start();
  const take = (): string[] => log.splice(0);
  const it = {
    actor,
    clock,
    component,
    take,
    passing: (ms: number): string[] => {
      clock.advance(ms);
      return take();
    },
    run: (): string[] => (actor.send({ type: 'component.running' }), take()),
    disturb: (): string[] => (actor.send({ type: 'component.disturbed' }), take()),
    ask: (kind: CheckpointRequest['kind'] = 'checkpoint', isForced = false): string[] => {
      actor.send({ type: 'checkpoint.requested', kind, isForced, isPeriodic: false });
      return take();
    },
    /** The chart of a request says that its checkpoint was triggered, under a number that is one greater. */
    triggered: (number: number): string[] => {
      const request = requests.find((one) => one.number === number) as CheckpointRequest;
      actor.send({ type: 'checkpoint.triggered', request, checkpoint: (number + 1) as CheckpointId });
      return take();
    },
    completed: (number: number): string[] => {
      const request = requests.find((one) => one.number === number) as CheckpointRequest;
      actor.send({ type: 'checkpoint.completed', request, checkpoint: (number + 1) as CheckpointId });
      return take();
    },
    failed: (number: number, reason: 'io' | 'failover' | 'expired' = 'io'): string[] => {
      const request = requests.find((one) => one.number === number) as CheckpointRequest;
      actor.send({ type: 'checkpoint.failed', request, checkpoint: (number + 1) as CheckpointId, reason });
      return take();
    },
  };
  return it;
}

const groups = ['open', 'timer', 'trigger'];
const shortened = (state: string): string => state.replace('on.waiting', 'on');
const stateOf = ({ value }: { readonly value: unknown }): string => shortened(stateName(value, groups));

const aRequest: CheckpointRequest = { number: 0, kind: 'checkpoint', isForced: false, isPeriodic: false };
const events = {
  running: { type: 'component.running' },
  disturbed: { type: 'component.disturbed' },
  finished: { type: 'component.finished' },
  requested: { type: 'checkpoint.requested', kind: 'checkpoint', isForced: false, isPeriodic: false },
  due: { type: 'checkpoint.due' },
  postponed: { type: 'checkpoint.postponed' },
  delay: { type: 'delay.elapsed' },
  cleaned: { type: 'checkpoint.cleaned' },
  triggered: { type: 'checkpoint.triggered', request: aRequest, checkpoint: 1 as CheckpointId },
  completed: { type: 'checkpoint.completed', request: aRequest, checkpoint: 1 as CheckpointId },
  failed: { type: 'checkpoint.failed', request: aRequest, checkpoint: 1 as CheckpointId, reason: 'io' },
  stop: { type: 'coordinator.stop' },
} as const;

type EventName = keyof typeof events;

const reach: Record<string, readonly EventName[]> = {
  'off+free': [],
  'on+free': ['running'],
  'off+triggering': ['requested'],
  'on+triggering': ['running', 'requested'],
  stopped: ['stop'],
};

const table = `
                running        disturbed       finished        requested       due            postponed  delay          cleaned  triggered  completed  failed    stop
off+free        on+free        -               -               off+triggering  -              -          -              -        -          -          -         stopped
on+free         -              off+free        off+free        on+triggering   on+triggering  -          on+triggering  -        -          -          -         stopped
off+triggering  on+triggering  -               -               -               -              -          -              -        off+free   -          off+free  stopped
on+triggering   -              off+triggering  off+triggering  -               -              -          -              -        on+free    -          on+free   stopped
stopped         -              -               -               -               -              -          -              -        -          -          -         -
`;

describe('checkpoint coordinator machine', () => {
  const [head, ...rows] = table
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  const columns = head as EventName[];

  it('the table is complete', () => {
    expect([...columns].sort()).toEqual(Object.keys(events).sort());
    const inTable = new Set<string>(columns.map((name) => events[name].type));
    expect(machine.events.filter((type) => !type.startsWith('xstate.') && !inTable.has(type))).toEqual([]);
    expect(rows.map(([state]) => state)).toEqual(Object.keys(reach));
  });

  describe.each(rows.map(([state, ...cells]) => ({ state: state as string, cells })))('$state', ({ state, cells }) => {
    it.each(columns.map((name, index) => ({ name, expected: cells[index] as string })))(
      'on $name: $expected',
      ({ name, expected }) => {
        const { actor } = coordinating();
        for (const step of reach[state] as readonly EventName[]) actor.send(events[step]);
        expect(stateOf(actor.getSnapshot())).toBe(state);
        actor.send(events[name]);
        expect(stateOf(actor.getSnapshot())).toBe(expected === '-' ? state : expected);
      },
    );
  });

  it('every reachable path ends in the expected state when a live actor replays it', () => {
    const clock = new HandClock();
    const input = { settings: usual, clock, component: { cleaningCount: 0, spawnPending: () => silent(() => {}, '') } };
    const few = Object.values(events);
    const paths = walks(
      machine.provide({ actors: { delay: delayActor } } as never),
      few,
      input as never,
      (snapshot) => {
        const { queue, pending } = snapshot.context as { queue: unknown[]; pending: unknown[] };
        return `${stateOf(snapshot)} ${Math.min(queue.length, 1)} ${Math.min(pending.length, 1)}`;
      },
      groups,
    );
    expect(new Set(paths.map(({ state }) => shortened(state)))).toEqual(new Set(Object.keys(reach)));
    for (const path of paths) {
      const { actor } = coordinating();
      for (const event of path.events) actor.send(event as never);
      expect(stateOf(actor.getSnapshot())).toBe(shortened(path.state));
    }
  });

  it('CQ1: the timer triggers only while every task runs', () => {
    const it = coordinating();
    expect(it.passing(1_000)).toEqual([]);
    it.run();
    expect(it.passing(99)).toEqual([]);
    expect(it.passing(1)).toEqual(['begins request 0']);
    it.disturb();
    it.failed(0, 'failover');
    expect(it.passing(1_000)).toEqual([]);
    it.run();
    expect(it.passing(100)).toEqual(['begins request 1']);
  });

  it('CQ1: without running tasks a periodic request is refused, and one of a user is tried', () => {
    const it = coordinating();
    it.actor.send(events.due);
    expect(it.take()).toEqual(['refused request 0: periodicStopped']);
    expect(it.ask()).toEqual(['begins request 1']);
  });

  it('CQ2: a disturbance aborts all that are under way, and refuses those that wait', () => {
    const it = coordinating({ maxConcurrent: 2 });
    it.run();
    it.ask();
    it.triggered(0);
    it.ask();
    it.ask();
    expect(it.disturb()).toEqual([
      'refused request 2: failover',
      'request 0 abort failover',
      'request 1 abort failover',
    ]);
    expect(it.failed(0, 'failover')).toEqual(['failed 1: failover']);
    expect(it.actor.getSnapshot().context.pending).toEqual([]);
  });

  it('CQ2: a disturbance also aborts what is under way when all tasks have finished, or had not all begun to run', () => {
    const it = coordinating();
    it.ask();
    it.triggered(0);
    expect(it.disturb()).toEqual(['request 0 abort failover']);
    it.failed(0, 'failover');
    it.run();
    it.ask();
    it.actor.send({ type: 'component.finished' });
    expect(it.take()).toEqual([]);
    expect(it.disturb()).toEqual(['request 1 abort failover']);
  });

  it('CQ3: the next request waits until the first is triggered', () => {
    const it = coordinating({ maxConcurrent: 3 });
    expect([it.ask(), it.ask(), it.triggered(0)]).toEqual([
      ['begins request 0'],
      [],
      ['triggered 1', 'begins request 1'],
    ]);
  });

  it('CQ3: one that cannot be triggered takes no other down', () => {
    const it = coordinating({ tolerableFailures: 9 });
    it.ask();
    it.ask();
    expect(it.failed(0)).toEqual(['failed 1: io', 'begins request 1']);
  });

  it('CQ3: the end of a pending one, or of its cleaning, lets the next begin', () => {
    const it = coordinating();
    it.ask();
    it.triggered(0);
    expect(it.ask()).toEqual([]);
    it.component.cleaningCount = 2;
    expect(it.completed(0)).toEqual(['completed 1']);
    it.component.cleaningCount = 1;
    it.actor.send(events.cleaned);
    expect(it.take()).toEqual(['begins request 1']);
  });

  it('CQ4: a checkpoint makes older checkpoints superfluous, no savepoint', () => {
    const it = coordinating({ maxConcurrent: 9 });
    for (const [number, kind] of (['checkpoint', 'savepoint', 'checkpoint'] as const).entries()) {
      it.ask(kind, kind === 'savepoint');
      it.triggered(number);
    }
    expect(it.completed(2)).toEqual(['completed 3', 'request 0 abort subsumed']);
    expect(it.completed(1)).toEqual(['completed 2']);
  });

  it('CQ5: too many failures in a row fail the component, once', () => {
    const it = coordinating({ tolerableFailures: 1 });
    const ends = (['io', 'failover', 'expired', 'io'] as const).map((reason, number) => {
      it.ask();
      it.triggered(number);
      return it.failed(number, reason);
    });
    expect(ends).toEqual([
      ['failed 1: io'],
      ['failed 2: failover'],
      ['failed 3: expired', 'component fails: expired'],
      ['failed 4: io'],
    ]);
  });

  it('CQ5: a success between two failures begins the count anew', () => {
    const it = coordinating({ tolerableFailures: 1 });
    const ends = (['failed', 'completed', 'failed', 'failed'] as const).map((end, number) => {
      it.ask();
      it.triggered(number);
      return it[end](number);
    });
    expect(ends.flat()).toEqual(['failed 1: io', 'completed 2', 'failed 3: io', 'failed 4: io', 'component fails: io']);
  });

  it('CQ6: while a checkpoint takes its time, one periodic request waits', () => {
    const it = coordinating();
    it.run();
    it.passing(100);
    it.triggered(0);
    expect(it.passing(1_000)).toEqual([]);
    expect(it.actor.getSnapshot().context.queue).toHaveLength(1);
    expect(it.completed(0)).toEqual(['completed 1', 'begins request 1']);
    it.triggered(1);
    expect(it.completed(1)).toEqual(['completed 2']);
  });

  it('a periodic request that waited for another is subject to the pause after it', () => {
    const it = coordinating({ minPauseMs: 250 });
    it.run();
    it.passing(100);
    it.triggered(0);
    it.passing(130);
    expect(it.completed(0)).toEqual(['completed 1', 'refused request 1: tooSoon']);
    expect(it.passing(249)).toEqual([]);
    expect(it.passing(1)).toEqual(['begins request 2']);
  });

  it('CQ7: once stopped it triggers nothing; what is complete is still announced', () => {
    const it = coordinating();
    it.run();
    it.ask();
    it.triggered(0);
    it.ask();
    it.actor.send(events.stop);
    expect(it.take()).toEqual(['refused request 1: stopped', 'request 0 abort stopped']);
    expect(it.clock.pendingCount).toBe(0);
    expect([it.ask(), it.completed(0), it.run(), it.passing(1_000)]).toEqual([
      ['refused request 2: stopped'],
      ['completed 1'],
      [],
      [],
    ]);
  });
});
