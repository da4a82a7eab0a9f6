import { type AnyStateMachine, createActor, enqueueActions } from 'xstate';
import type { ExecutorId } from '../../src/ids.ts';
import { partitionMachine } from '../../src/machines/partition/partition-machine.ts';
import { partitionStates, taskExecutorStates } from '../../src/actors/protocol/states.ts';
import { taskExecutorMachine } from '../../src/machines/task-executor/task-executor-machine.ts';
import { listener, recorded, stateName, walks } from '../support/transition-table.ts';

const cause = new Error('boom');
const idle = { release: () => {} };

/** The two small charts of things that come and go, each with its whole table. */
const machines: {
  name: string;
  machine: AnyStateMachine;
  states: readonly string[];
  provided: readonly string[];
  events: Record<string, { readonly type: string }>;
  reach: Record<string, readonly string[]>;
  input: (log: (entry: string) => void) => Record<string, unknown>;
  table: string;
}[] = [
  {
    name: 'partition machine',
    machine: partitionMachine,
    states: partitionStates,
    provided: ['recordState'],
    events: {
      produce: { type: 'partition.produce' },
      finish: { type: 'partition.finish' },
      curtail: { type: 'partition.curtail' },
      lose: { type: 'partition.lose', cause } as { type: string },
      resume: { type: 'partition.resume', id: { partition: 0, attempt: 1 }, storage: idle } as { type: string },
      promote: { type: 'partition.promote' },
      release: { type: 'partition.release' },
    },
    reach: {
      created: [],
      producing: ['produce'],
      finished: ['produce', 'finish'],
      truncated: ['produce', 'curtail'],
      lost: ['lose'],
      released: ['release'],
      promoted: ['produce', 'finish', 'promote'],
    },
    input: () => ({ id: { partition: 0, attempt: 0 }, storage: idle }),
    table: `
               produce    finish    curtail    lose  resume   promote   release
    created    producing  -         truncated  lost  created  -         released
    producing  -          finished  truncated  lost  created  -         released
    finished   -          -         -          lost  created  promoted  released
    truncated  -          -         -          lost  created  -         released
    lost       -          -         -          -     created  -         released
    released   -          -         -          -     -        -         -
    promoted   -          -         -          -     -        -         -
    `,
  },
  {
    name: 'task executor machine',
    machine: taskExecutorMachine,
    states: taskExecutorStates,
    provided: ['recordState', 'failTasks', 'stopTasks'],
    events: {
      connected: { type: 'executor.connected' },
      lose: { type: 'executor.declareLost', why: 'a task hangs' } as { type: string },
      stop: { type: 'executor.stop' },
    },
    reach: { connecting: [], registered: ['connected'], lost: ['lose'], stopped: ['stop'] },
    input: (log) => ({ executor: 'here', slots: 4, master: listener(log) }),
    table: `
                connected   lose  stop
    connecting  registered  lost  stopped
    registered  -           lost  stopped
    lost        -           -     -
    stopped     -           -     -
    `,
  },
];

describe.each(machines)('$name', ({ machine, states, provided, events, reach, input, table }) => {
  const [head, ...rows] = table
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  const columns = head as string[];
  const start = (path: readonly { readonly type: string }[]) => {
    const it = recorded(machine, provided, input);
    for (const event of path) it.actor.send(event);
    return it;
  };
  const eventsOf = (names: readonly string[]) => names.map((name) => events[name] as { type: string });

  it('the table is complete', () => {
    expect(rows.map(([state]) => state)).toEqual([...states]);
    expect(columns).toEqual(Object.keys(events));
    expect([...machine.events].sort()).toEqual(
      Object.values(events)
        .map(({ type }) => type)
        .sort(),
    );
  });

  describe.each(rows.map(([state, ...cells]) => ({ state: state as string, cells })))('$state', ({ state, cells }) => {
    it.each(columns.map((name, index) => ({ name, expected: cells[index] as string })))(
      'on $name: $expected',
      ({ name, expected }) => {
        const it = start(eventsOf(reach[state] as string[]));
        expect(stateName(it.actor.getSnapshot().value)).toBe(state);
        it.actor.send(events[name] as { type: string });
        expect(stateName(it.actor.getSnapshot().value)).toBe(expected === '-' ? state : expected);
      },
    );
  });

  it('every reachable path ends where it says when a live actor replays it', () => {
    const paths = walks(
      machine,
      Object.values(events),
      input(() => {}),
      (snapshot) => stateName(snapshot.value),
    );
    expect(new Set(paths.map((path) => path.state))).toEqual(new Set(states));
    for (const path of paths) expect(stateName(start(path.events).actor.getSnapshot().value)).toBe(path.state);
  });
});

describe('partition machine', () => {
  function held() {
    const freed: string[] = [];
    const storage = (name: string) => ({ release: () => freed.push(name) });
    const { actor } = recorded(partitionMachine, ['recordState'], () => ({
      id: { partition: 0, attempt: 0 },
      storage: storage('first'),
    }));
    const send = (name: string): void => {
      actor.send({
        type: `partition.${name}`,
        cause,
        ...(name === 'resume' && { id: { partition: 0, attempt: 1 }, storage: storage('second') }),
      });
    };
    return { actor, freed, send };
  }

  it.each<{ path: readonly string[]; freed: string }>([
    { path: ['release'], freed: 'first' },
    { path: ['lose', 'release'], freed: 'first' },
    { path: ['produce', 'lose', 'release'], freed: 'first' },
    { path: ['produce', 'finish', 'release', 'lose'], freed: 'first' },
    { path: ['release', 'resume'], freed: 'first' },
    { path: ['produce', 'curtail', 'finish', 'release'], freed: 'first' },
    { path: ['resume', 'release'], freed: 'second' },
    { path: ['lose', 'resume', 'release'], freed: 'second' },
    { path: ['produce', 'finish', 'resume', 'produce', 'lose'], freed: 'second' },
  ])('P1: after $path, frees what it holds ($freed) exactly once', ({ path, freed: expected }) => {
    const { freed, send } = held();
    for (const name of [...path, 'release', 'lose', 'release']) send(name);
    expect(freed).toEqual([expected]);
  });

  it('P1: frees nothing before its release, not even what is lost', () => {
    const { freed, send } = held();
    for (const name of ['produce', 'finish', 'lose', 'resume', 'produce', 'lose']) send(name);
    expect(freed).toEqual([]);
  });

  it('P3: what is truncated becomes complete by no finish, and cannot be promoted: only its next attempt leads out of it', () => {
    const { actor, freed, send } = held();
    for (const name of ['produce', 'curtail', 'finish', 'promote']) send(name);
    expect([actor.getSnapshot().value, actor.getSnapshot().hasTag('readable')]).toEqual(['truncated', false]);
    for (const name of ['resume', 'produce', 'finish']) send(name);
    expect([actor.getSnapshot().value, freed]).toEqual(['finished', []]);
  });

  it('P4: what is promoted belongs to the job no more: whatever comes, nothing of it is freed', () => {
    const { actor, freed, send } = held();
    for (const name of ['produce', 'finish', 'promote', 'release', 'lose', 'resume', 'release']) send(name);
    expect(freed).toEqual([]);
    expect(actor.getSnapshot().value).toBe('promoted');
  });

  it('P2: who produces it again takes it over: id and storage are theirs, and it is lost no more', () => {
    const { actor, send } = held();
    for (const name of ['produce', 'lose']) send(name);
    expect(actor.getSnapshot().context).toMatchObject({ id: { attempt: 0 }, cause });
    send('resume');
    expect(actor.getSnapshot()).toMatchObject({
      value: 'created',
      context: { id: { partition: 0, attempt: 1 }, cause: undefined },
    });
  });
});

describe('task executor machine', () => {
  it('T1: announces its slots when it is registered, not before', () => {
    const it = recorded(taskExecutorMachine, ['recordState', 'failTasks'], (log) => ({
      executor: 'here',
      master: listener(log),
    }));
    expect(it.take()).toEqual(['recordState connecting']);
    it.actor.send({ type: 'executor.connected', slots: 4 });
    expect(it.take()).toEqual(['recordState registered', '→ executor.registered']);
  });

  it('T2: the master hears that it is lost before any of its tasks is failed', () => {
    const heard: string[] = [];
    const master = listener((entry) => heard.push(entry));
    const actor = createActor(
      taskExecutorMachine.provide({
        actions: {
          recordState: () => {},
          failTasks: enqueueActions(({ enqueue }) => enqueue.sendTo(master, { type: 'task.failed' })),
        },
      }),
      { input: { executor: 'here' as ExecutorId, master } },
    );
    actor.start();
    actor.send({ type: 'executor.declareLost', why: 'a task hangs' });
    expect(heard).toEqual(['→ executor.lost', '→ task.failed']);
  });
});
