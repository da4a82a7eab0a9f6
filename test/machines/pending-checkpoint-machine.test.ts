import { delayActor } from '../../src/actors/delay-actor.ts';
import type { CheckpointId } from '../../src/ids.ts';
import { pendingCheckpointMachine } from '../../src/machines/checkpoint-coordinator/pending-checkpoint-machine.ts';
import { HandClock } from '../support/manual-cluster.ts';
import { listener, type RecordedActor, recorded, stateName, walks } from '../support/transition-table.ts';

const cause = new Error('boom');
const machine = pendingCheckpointMachine;
const provided = ['prepare', 'begin', 'store', 'giveUp', 'discard'];
const request = { number: 0, kind: 'checkpoint', isForced: false, isPeriodic: true };

const input = (clock: HandClock, log: (entry: string) => void) => ({
  request,
  timeoutMs: 50,
  clock,
  coordinator: listener(log),
  component: undefined as never,
});

function begun(...names: readonly EventName[]): RecordedActor & { readonly clock: HandClock } {
  const clock = new HandClock();
  const it = recorded(machine, provided, (log) => input(clock, log), { actors: { delay: delayActor } });
  for (const name of names) it.actor.send(events[name]);
  return { ...it, clock };
}

const events = {
  prepared: { type: 'checkpoint.prepared', checkpoint: 7 as CheckpointId },
  unprepared: { type: 'checkpoint.unprepared', reason: 'io', cause },
  begun: { type: 'checkpoint.begun', openCount: 2 },
  alone: { type: 'checkpoint.begun', openCount: 0 },
  acknowledged: { type: 'checkpoint.acknowledged' },
  declined: { type: 'checkpoint.declined', reason: 'declined', vertex: 3, cause },
  stored: { type: 'checkpoint.stored' },
  unstored: { type: 'checkpoint.unstored', reason: 'storing', cause },
  abort: { type: 'checkpoint.abort', reason: 'failover' },
  subsume: { type: 'checkpoint.abort', reason: 'subsumed' },
  over: { type: 'checkpoint.abort', reason: 'stopped' },
  delay: { type: 'delay.elapsed' },
} as const;

type EventName = keyof typeof events;

const groups = ['underWay'];
const stateOf = ({ value }: { readonly value: unknown }): string => stateName(value, groups);
/** `collecting'`: for the last of its tasks. */
const rowOf = ({ actor }: RecordedActor): string => {
  const snapshot = actor.getSnapshot();
  return stateOf(snapshot) === 'collecting' && snapshot.context.openCount === 1 ? "collecting'" : stateOf(snapshot);
};

const reach: Record<string, readonly EventName[]> = {
  'triggering.preparing': [],
  'triggering.beginning': ['prepared'],
  collecting: ['prepared', 'begun'],
  "collecting'": ['prepared', 'begun', 'acknowledged'],
  completing: ['prepared', 'alone'],
  completed: ['prepared', 'alone', 'stored'],
  declined: ['prepared', 'begun', 'declined'],
  expired: ['delay'],
  aborted: ['abort'],
  subsumed: ['subsume'],
  failed: ['unprepared'],
};

const table = `
                      prepared              unprepared  begun       alone       acknowledged  declined  stored     unstored  abort    subsume  over    delay
triggering.preparing  triggering.beginning  failed      -           -           -             -         -          -         aborted  subsumed  aborted expired
triggering.beginning  -                     failed      collecting  completing  -             -         -          -         aborted  subsumed  aborted expired
collecting            -                     -           -           -           collecting'   declined  -          -         aborted  subsumed  aborted expired
collecting'           -                     -           -           -           completing    declined  -          -         aborted  subsumed  aborted expired
completing            -                     -           -           -           -             -         completed  failed    -        -  -       -
completed             -                     -           -           -           -             -         -          -         -        -  -       -
declined              -                     -           -           -           -             -         -          -         -        -  -       -
expired               -                     -           -           -           -             -         -          -         -        -  -       -
aborted               -                     -           -           -           -             -         -          -         -        -  -       -
subsumed              -                     -           -           -           -             -         -          -         -        -  -       -
failed                -                     -           -           -           -             -         -          -         -        -  -       -
`;

describe('pending checkpoint machine', () => {
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
        const it = begun(...(reach[state] as readonly EventName[]));
        expect(rowOf(it)).toBe(state);
        if (it.actor.getSnapshot().status === 'active') it.actor.send(events[name]);
        expect(rowOf(it)).toBe(expected === '-' ? state : expected);
      },
    );
  });

  it('every reachable path ends in the expected state when a live actor replays it', () => {
    const clock = new HandClock();
    const paths = walks(
      machine.provide({ actors: { delay: delayActor } } as never),
      Object.values(events),
      input(clock, () => {}) as never,
      (snapshot) => `${stateOf(snapshot)} ${(snapshot.context as { openCount: number }).openCount}`,
      groups,
    );
    expect(new Set(paths.map(({ state }) => state))).toEqual(
      new Set(Object.keys(reach).filter((state) => state !== "collecting'")),
    );
    for (const path of paths) {
      const it = begun();
      for (const event of path.events) it.actor.send(event as never);
      expect(stateOf(it.actor.getSnapshot())).toBe(path.state);
    }
  });

  it('CK1: it is announced once it is stored', () => {
    const it = begun('prepared', 'begun');
    expect(it.take()).toEqual(['prepare', 'begin', '→ checkpoint.triggered']);
    it.actor.send(events.acknowledged);
    expect(it.take()).toEqual([]);
    it.actor.send(events.acknowledged);
    expect(it.take()).toEqual(['store']);
    it.actor.send(events.stored);
    expect(it.take()).toEqual(['→ checkpoint.completed']);
  });

  it('CK2: it ends at its timeout', () => {
    const it = begun('prepared', 'begun', 'acknowledged');
    it.take();
    it.clock.advance(49);
    expect(rowOf(it)).toBe("collecting'");
    it.clock.advance(1);
    expect([rowOf(it), it.take(), it.actor.getSnapshot().context.failure]).toEqual([
      'expired',
      ['discard', '→ checkpoint.failed'],
      { reason: 'expired' },
    ]);
    expect(it.clock.pendingCount).toBe(0);
  });

  it('CK3: once it is complete, no time is too long and nobody can abort it', () => {
    const it = begun('prepared', 'alone');
    it.take();
    it.clock.advance(1_000);
    it.actor.send(events.abort);
    expect([rowOf(it), it.take()]).toEqual(['completing', []]);
  });

  it('CK3: when the run ends, its component may give it up', () => {
    const it = begun('prepared', 'alone');
    it.take();
    it.actor.send(events.over);
    expect([rowOf(it), it.take()]).toEqual(['completing', ['giveUp']]);
    it.actor.send({ type: 'checkpoint.unstored', reason: 'stopped' });
    expect([rowOf(it), it.take()]).toEqual(['failed', ['discard', '→ checkpoint.failed']]);
  });

  it.each<[EventName, readonly EventName[]]>([
    ['declined', ['prepared', 'begun']],
    ['abort', ['prepared', 'begun']],
    ['subsume', ['prepared', 'begun']],
    ['unstored', ['prepared', 'alone']],
    ['unprepared', ['prepared']],
  ])('CK4: on %s it is discarded and reported, once', (name, path) => {
    const it = begun(...path);
    it.take();
    it.actor.send(events[name]);
    expect(it.take()).toEqual(['discard', '→ checkpoint.failed']);
    const { type: _, ...problem } = events[name] as { type: string };
    expect(it.actor.getSnapshot().context.failure).toEqual({ vertex: undefined, cause: undefined, ...problem });
  });
});
