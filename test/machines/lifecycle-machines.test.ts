import { type AnyStateMachine, createActor, enqueueActions } from 'xstate';
import type { ResultFact } from '../../src/actors/protocol/messages.ts';
import { storageActor } from '../../src/actors/storage-actor.ts';
import type { ExecutorId } from '../../src/ids.ts';
import { partitionMachine } from '../../src/machines/partition/partition-machine.ts';
import { taskExecutorStates } from '../../src/actors/protocol/states.ts';
import { taskExecutorMachine } from '../../src/machines/task-executor/task-executor-machine.ts';
import { listener, recorded, stateName, walks } from '../support/transition-table.ts';

const cause = new Error('boom');
const trace = { isWhole: true };
const idle = { release: () => {}, trace: () => trace };
const silent = { report: () => {} };

/** The two small life-cycle charts, each with its complete table. */
const machines: {
  name: string;
  machine: AnyStateMachine;
  states: readonly string[];
  /** States below parents, by name. */
  groups?: readonly string[];
  provided: readonly string[];
  events: Record<string, { readonly type: string; readonly [detail: string]: unknown }>;
  reach: Record<string, readonly string[]>;
  input: (log: (entry: string) => void) => Record<string, unknown>;
  table: string;
}[] = [
  {
    name: 'partition machine',
    machine: partitionMachine.provide({ actors: { storage: storageActor } }),
    states: [
      'created',
      'producing',
      'finished',
      'truncated',
      'lost',
      'promoted',
      'released.traced',
      'released.traceless',
    ],
    groups: ['held', 'owned'],
    provided: [],
    events: {
      produce: { type: 'partition.produce', atMs: 1 },
      finish: { type: 'partition.finish', atMs: 2 },
      truncate: { type: 'partition.truncate' },
      lose: { type: 'partition.lose', cause },
      resume: { type: 'partition.resume', id: { partition: 0, attempt: 1 }, storage: idle, executor: silent },
      repeat: { type: 'partition.repeat', id: { partition: 0, attempt: 1 }, storage: idle, executor: silent },
      promote: { type: 'partition.promote' },
      release: { type: 'partition.release', traced: true },
      forget: { type: 'partition.release', traced: false },
      reclaim: { type: 'partition.reclaim' },
      allow: { type: 'partition.allowReclaim', traced: true },
      forbid: { type: 'partition.forbidReclaim' },
    },
    reach: {
      created: [],
      producing: ['produce'],
      finished: ['produce', 'finish'],
      truncated: ['produce', 'truncate'],
      lost: ['lose'],
      promoted: ['produce', 'finish', 'promote'],
      'released.traced': ['release'],
      'released.traceless': ['forget'],
    },
    input: () => ({ id: { partition: 0, attempt: 0 }, firstAttempt: 0, storage: idle, executor: silent }),
    table: `
                        produce    finish    truncate   lose  resume   repeat  promote   release          forget              reclaim  allow  forbid
    created             producing  -         truncated  lost  -        -       -         released.traced  released.traceless  -        -      -
    producing           -          finished  truncated  lost  created  -       -         released.traced  released.traceless  -        -      -
    finished            -          -         truncated  lost  -        -       promoted  released.traced  released.traceless  -        -      -
    truncated           -          -         -          lost  created  -       -         released.traced  released.traceless  -        -      -
    lost                -          -         -          -     created  -       -         released.traced  released.traceless  -        -      -
    promoted            -          -         -          -     -        -       -         -                -                   -        -      -
    released.traced     -          -         -          -     created  -       -         -                -                   -        -      -
    released.traceless  -          -         -          -     created  -       -         -                -                   -        -      -
    `,
  },
  {
    name: 'task executor machine',
    machine: taskExecutorMachine,
    states: taskExecutorStates,
    provided: ['recordState', 'failTasks', 'stopTasks'],
    events: {
      connected: { type: 'executor.connected' },
      drain: { type: 'executor.drain', graceMs: 100, isReplaced: true },
      idle: { type: 'executor.idle' },
      lose: { type: 'executor.declareLost', why: 'a task hangs' },
      stop: { type: 'executor.stop' },
    },
    reach: {
      ...{ connecting: [], registered: ['connected'], draining: ['connected', 'drain'] },
      ...{ lost: ['lose'], stopped: ['stop'] },
    },
    input: (log) => ({ executor: 'here', slots: 4, master: listener(log) }),
    table: `
                connected   drain     idle     lose  stop
    connecting  registered  -         -        lost  stopped
    registered  -           draining  -        lost  stopped
    draining    -           -         stopped  lost  stopped
    lost        -           -         -        -     -
    stopped     -           -         -        -     -
    `,
  },
];

describe.each(machines)('$name', ({ machine, states, groups, provided, events, reach, input, table }) => {
  const nameOf = ({ value }: { readonly value: unknown }): string => stateName(value, groups);
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
    expect(new Set(machine.events)).toEqual(new Set(Object.values(events).map(({ type }) => type)));
  });

  describe.each(rows.map(([state, ...cells]) => ({ state: state as string, cells })))('$state', ({ state, cells }) => {
    it.each(columns.map((name, index) => ({ name, expected: cells[index] as string })))(
      'on $name: $expected',
      ({ name, expected }) => {
        const it = start(eventsOf(reach[state] as string[]));
        expect(nameOf(it.actor.getSnapshot())).toBe(state);
        it.actor.send(events[name] as { type: string });
        expect(nameOf(it.actor.getSnapshot())).toBe(expected === '-' ? state : expected);
      },
    );
  });

  it('every reachable path ends in the expected state when a live actor replays it', () => {
    const paths = walks(
      machine,
      Object.values(events),
      input(() => {}),
      nameOf,
      groups,
    );
    expect(new Set(paths.map((path) => path.state))).toEqual(new Set(states));
    for (const path of paths) expect(nameOf(start(path.events).actor.getSnapshot())).toBe(path.state);
  });
});

describe('partition machine', () => {
  function held({ traces = [trace] as readonly unknown[] } = {}) {
    const freed: string[] = [];
    const facts: ResultFact[] = [];
    const storage = (name: string) => ({ release: () => freed.push(name), trace: () => traces.at(-1) });
    const executor = { report: (fact: ResultFact) => facts.push(fact) };
    const { actor } = recorded(partitionMachine.provide({ actors: { storage: storageActor } }), [], () => ({
      id: { partition: 0, attempt: 0 },
      firstAttempt: 0,
      storage: storage('first'),
      executor,
    }));
    const next = { id: { partition: 0, attempt: 1 }, storage: storage('second'), executor };
    const send = (...names: readonly string[]): void => {
      for (const name of names) {
        const isNext = name === 'resume' || name === 'repeat';
        const traced = name === 'release' || name === 'allowReclaim';
        actor.send({
          type: `partition.${name === 'forget' ? 'release' : name}`,
          cause,
          traced,
          atMs: 0,
          ...(isNext && next),
        });
      }
    };
    const is = (tag: string): boolean => actor.getSnapshot().hasTag(tag);
    return { actor, freed, facts, send, is };
  }

  it.each<{ path: readonly string[]; freed: string }>([
    { path: ['release'], freed: 'first' },
    { path: ['forget'], freed: 'first' },
    { path: ['lose', 'release'], freed: 'first' },
    { path: ['produce', 'lose', 'release'], freed: 'first' },
    { path: ['produce', 'finish', 'release', 'lose'], freed: 'first' },
    { path: ['release', 'repeat'], freed: 'first' },
    { path: ['allowReclaim', 'reclaim'], freed: 'first' },
    { path: ['produce', 'truncate', 'finish', 'release'], freed: 'first' },
    { path: ['resume', 'release'], freed: 'second' },
    { path: ['lose', 'resume', 'release'], freed: 'second' },
    { path: ['produce', 'finish', 'resume', 'produce', 'lose'], freed: 'second' },
  ])('P1: after $path, frees its storage ($freed) exactly once', ({ path, freed: expected }) => {
    const { freed, send } = held();
    send(...path, 'release', 'lose', 'forget');
    expect(freed).toEqual([expected]);
  });

  it('P1: frees nothing before its release, even if it is lost', () => {
    const { freed, send } = held();
    send('produce', 'finish', 'lose', 'resume', 'produce', 'lose');
    expect(freed).toEqual([]);
  });

  it('P1: its storage is freed with it when it is stopped', () => {
    const { actor, freed } = held();
    actor.stop();
    expect(freed).toEqual(['first']);
  });

  it('P2: the attempt that reproduces it takes it over: id and storage change, and it is no longer lost', () => {
    const { actor, send, is } = held();
    send('produce', 'lose');
    expect(actor.getSnapshot().context).toMatchObject({ id: { attempt: 0 }, cause });
    send('resume');
    expect(is('created')).toBe(true);
    expect(actor.getSnapshot().context).toMatchObject({ id: { attempt: 1 }, firstAttempt: 0, cause: undefined });
    expect(actor.getSnapshot().children.storage.getSnapshot().storage).toBe(actor.getSnapshot().context.output);
  });

  it('P2: released, it is held again by an attempt that produces it again, and stays released for one that only repeats it', () => {
    const { actor, freed, send, is } = held();
    send('release', 'repeat');
    expect([is('released'), actor.getSnapshot().context.trace]).toEqual([true, trace]);
    send('resume');
    expect([is('created'), is('held'), actor.getSnapshot().context.trace, freed]).toEqual([
      true,
      true,
      undefined,
      ['first'],
    ]);
    send('forget');
    expect(freed).toEqual(['first', 'second']);
  });

  it('P3: a truncated result does not become complete and cannot be promoted: only its next attempt leads out of it', () => {
    const { freed, send, is } = held();
    send('produce', 'truncate', 'finish', 'promote');
    expect(is('truncated')).toBe(true);
    send('resume', 'produce', 'finish');
    expect([is('finished'), freed]).toEqual([true, []]);
  });

  it('P3: a complete result stays complete while an attempt reproduces it', () => {
    const { actor, send, is } = held();
    send('produce', 'finish', 'resume', 'produce');
    expect([is('finished'), actor.getSnapshot().context.id.attempt]).toEqual([true, 1]);
  });

  it('P4: a promoted result no longer belongs to the job: no event frees it', () => {
    const { freed, send, is } = held();
    send('produce', 'finish', 'promote', 'release', 'lose', 'resume', 'forget', 'allowReclaim', 'reclaim');
    expect([freed, is('promoted')]).toEqual([[], true]);
  });

  const id = { partition: 0, attempt: 0 };
  it.each<{ path: readonly string[]; traces?: readonly unknown[]; reports: readonly object[] }>([
    { path: ['produce', 'truncate', 'truncate', 'finish'], reports: [{ type: 'result.truncated', id }] },
    { path: ['lose', 'truncate', 'release', 'truncate'], reports: [] },
    {
      path: ['truncate', 'resume', 'truncate'],
      reports: [id, { ...id, attempt: 1 }].map((of) => ({ type: 'result.truncated', id: of })),
    },
    { path: ['release'], reports: [] },
    { path: ['release'], traces: [], reports: [{ type: 'result.traceless', id }] },
    { path: ['forget'], traces: [], reports: [] },
    { path: ['allowReclaim', 'reclaim', 'reclaim'], reports: [{ type: 'results.reclaimed', ids: [id] }] },
    {
      path: ['allowReclaim', 'reclaim'],
      traces: [],
      reports: [
        { type: 'results.reclaimed', ids: [id] },
        { type: 'result.traceless', id },
      ],
    },
  ])('P5: after $path it reports $reports', ({ path, traces, reports }) => {
    const { facts, send } = held(traces && { traces });
    send(...path);
    expect(facts).toEqual(reports);
  });

  it.each<{ path: readonly string[]; isReclaimed: boolean }>([
    { path: [], isReclaimed: false },
    { path: ['allowReclaim'], isReclaimed: true },
    { path: ['allowReclaim', 'forbidReclaim'], isReclaimed: false },
    { path: ['allowReclaim', 'resume'], isReclaimed: false },
    { path: ['allowReclaim', 'lose'], isReclaimed: true },
  ])('P6: after $path it can be reclaimed: $isReclaimed', ({ path, isReclaimed }) => {
    const { send, is } = held();
    send(...path, 'reclaim');
    expect(is('released')).toBe(isReclaimed);
  });
});

describe('task executor machine', () => {
  it('T1: offers its slots when it is registered, not before', () => {
    const it = recorded(taskExecutorMachine, ['recordState', 'failTasks'], (log) => ({
      executor: 'here',
      master: listener(log),
    }));
    expect(it.take()).toEqual(['recordState connecting']);
    it.actor.send({ type: 'executor.connected', slots: 4 });
    expect(it.take()).toEqual(['recordState registered', '→ executor.registered']);
  });

  it('T2: the master hears that it is lost before its tasks fail, and when all have failed', () => {
    const heard: string[] = [];
    const master = listener((entry) => heard.push(entry));
    const actor = createActor(
      taskExecutorMachine.provide({
        actions: {
          recordState: () => {},
          failTasks: enqueueActions(({ enqueue }) => enqueue.sendTo(master, { type: 'task.failed' })),
        },
      }),
      { input: { executor: 'here' as ExecutorId, master, attempts: () => [] } },
    );
    actor.start();
    actor.send({ type: 'executor.declareLost', why: 'a task hangs' });
    expect(heard).toEqual(['→ executor.lost', '→ task.failed', '→ executor.tasksFailed']);
  });

  it('T4: one that is drained says so, and that it has stopped once it is idle', () => {
    const it = recorded(taskExecutorMachine, ['recordState', 'failTasks'], (log) => ({
      executor: 'here',
      master: listener(log),
    }));
    it.actor.send({ type: 'executor.connected', slots: 4 });
    it.take();
    it.actor.send({ type: 'executor.drain', graceMs: 100, isReplaced: true });
    expect(it.take()).toEqual(['recordState draining', '→ executor.draining']);
    it.actor.send({ type: 'executor.idle' });
    expect(it.take()).toEqual(['recordState stopped', '→ executor.drained']);
  });

  it.each(['lost', 'stopped'])('T3: nothing leads out of %s, and nothing more is reported', (end) => {
    const connected = { type: 'executor.connected', slots: 4 } as const;
    const declareLost = { type: 'executor.declareLost', why: 'a task hangs' } as const;
    const stop = { type: 'executor.stop' } as const;
    const it = recorded(taskExecutorMachine, ['recordState', 'failTasks'], (log) => ({
      executor: 'here',
      master: listener(log),
    }));
    it.actor.send(connected);
    it.actor.send(end === 'lost' ? declareLost : stop);
    it.take();
    for (const event of [connected, declareLost, stop, connected]) it.actor.send(event);
    expect([it.actor.getSnapshot().value, it.take()]).toEqual([end, []]);
  });
});
