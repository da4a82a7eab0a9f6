import type { AttemptNumber, ExecutionVertexId } from '../../src/ids.ts';
import { executionGroups, executionMachine } from '../../src/machines/execution/execution-machine.ts';
import { executionStates, isTerminalExecutionState } from '../../src/actors/protocol/states.ts';
import { listener, type RecordedActor, recorded, stateName, walks } from '../support/transition-table.ts';

const attempt = 3 as AttemptNumber;
const vertex = 7 as ExecutionVertexId;
const slot = { executor: 'here', index: 0 };
const cause = new Error('boom');
const provided = [
  'recordState',
  'deployTask',
  'cancelTask',
  'commitTask',
  'returnSlot',
  'returnLateSlot',
  'releasePartitions',
  'releaseTransientPartitions',
];

const events = {
  schedule: { type: 'execution.schedule', slot },
  assignSlot: { type: 'execution.assignSlot', slot },
  deploy: { type: 'execution.deploy', mode: 'new' },
  restore: { type: 'execution.restore' },
  commit: { type: 'execution.commit' },
  cancel: { type: 'execution.cancel' },
  suspend: { type: 'execution.suspend' },
  fail: { type: 'execution.fail', cause },
  initializing: { type: 'task.initializing', vertex, attempt },
  running: { type: 'task.running', vertex, attempt },
  prepared: { type: 'task.prepared', vertex, attempt },
  finished: { type: 'task.finished', vertex, attempt, statistics: { recordsIn: 0, recordsOut: 0 } },
  canceled: { type: 'task.canceled', vertex, attempt },
  failed: { type: 'task.failed', vertex, attempt, cause },
} as const;

type EventName = keyof typeof events;

/** How to reach each state. */
const reach: Record<string, readonly EventName[]> = {
  created: [],
  scheduled: ['schedule'],
  deploying: ['schedule', 'deploy'],
  initializing: ['schedule', 'deploy', 'initializing'],
  running: ['schedule', 'deploy', 'initializing', 'running'],
  canceling: ['schedule', 'deploy', 'cancel'],
  finished: ['schedule', 'deploy', 'initializing', 'running', 'finished'],
  canceled: ['cancel'],
  failed: ['schedule', 'deploy', 'failed'],
};

// The complete table: state × event → state, `-` for no change, `!` for no change but a global failure.
const table = `
              schedule   assignSlot deploy     restore    commit cancel     suspend    fail       initializing running   prepared finished   canceled   failed
created       scheduled  -          !          finished   -      canceled   canceled   failed     failed       failed    failed   failed     !          failed
scheduled     -          -          deploying  finished   -      canceled   canceled   failed     failed       failed    failed   failed     !          failed
deploying     -          -          !          -          -      canceling  canceled   failed     initializing failed    failed   finished   canceled   failed
initializing  -          -          !          -          -      canceling  canceled   failed     failed       running   failed   finished   canceled   failed
running       -          -          !          -          -      canceling  canceled   failed     failed       failed    -        finished   canceled   failed
canceling     -          -          !          -          -      -          canceled   canceled   -            -         -        canceled   canceled   canceled
finished      -          -          !          -          -      -          -          -          -            -         -        -          !          -
canceled      -          -          !          -          -      -          -          -          -            -         -        -          -          -
failed        -          -          !          -          -      -          -          -          -            -         -        -          -          -
`;

function execution(state: keyof typeof reach): RecordedActor {
  const recordedActor = recorded(executionMachine, provided, (log) => ({ vertex, attempt, region: listener(log) }));
  for (const name of reach[state] as readonly EventName[]) recordedActor.actor.send(events[name]);
  recordedActor.take();
  return recordedActor;
}

const stateOf = ({ actor }: RecordedActor): string => stateName(actor.getSnapshot().value, executionGroups);

describe('execution machine', () => {
  const [head, ...rows] = table
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  const columns = head as EventName[];

  it('the table has a row for every state and a column for every event', () => {
    expect(rows.map(([state]) => state)).toEqual([...executionStates]);
    expect([...columns].sort()).toEqual(Object.keys(events).sort());
    const inTable = new Set<string>(columns.map((name) => events[name].type));
    expect(executionMachine.events.filter((type) => !inTable.has(type))).toEqual([]);
  });

  describe.each(rows.map(([state, ...cells]) => ({ state: state as string, cells })))('$state', ({ state, cells }) => {
    it.each(columns.map((name, index) => ({ name, expected: cells[index] as string })))(
      'on $name: $expected',
      ({ name, expected }) => {
        const it = execution(state);
        expect(stateOf(it)).toBe(state);
        it.actor.send(events[name]);
        expect(stateOf(it)).toBe(expected === '-' || expected === '!' ? state : expected);
        expect(it.take().includes('→ execution.inexplicable')).toBe(expected === '!');
      },
    );

    it('E1: ignores reports of other attempts', () => {
      const it = execution(state);
      for (const name of ['initializing', 'running', 'prepared', 'finished', 'canceled', 'failed'] as const) {
        it.actor.send({ ...events[name], attempt: attempt - 1 });
      }
      expect(stateOf(it)).toBe(state);
      expect(it.take()).toEqual([]);
    });
  });

  it.each([
    { from: 'running', event: 'cancel', does: ['cancelTask', 'recordState canceling'] },
    {
      from: 'created',
      event: 'cancel',
      does: [
        'recordState canceling',
        'recordState canceled',
        'releasePartitions',
        'returnSlot',
        '→ execution.canceled',
      ],
    },
    {
      from: 'running',
      event: 'suspend',
      does: ['cancelTask', 'recordState canceled', 'releasePartitions', 'returnSlot', '→ execution.canceled'],
    },
    {
      from: 'running',
      event: 'failed',
      does: ['recordState failed', 'releasePartitions', 'returnSlot', '→ execution.failed'],
    },
    {
      from: 'running',
      event: 'fail',
      does: ['cancelTask', 'recordState failed', 'releasePartitions', 'returnSlot', '→ execution.failed'],
    },
    { from: 'running', event: 'finished', does: ['recordState finished', 'returnSlot', '→ execution.finished'] },
    {
      from: 'deploying',
      event: 'finished',
      does: ['recordState finished', 'returnSlot', '→ execution.running', '→ execution.finished'],
    },
    {
      from: 'initializing',
      event: 'finished',
      does: ['recordState finished', 'returnSlot', '→ execution.running', '→ execution.finished'],
    },
    {
      from: 'canceling',
      event: 'finished',
      does: ['recordState canceled', 'releasePartitions', 'returnSlot', '→ execution.canceled'],
    },
    {
      from: 'canceling',
      event: 'failed',
      does: ['recordState canceled', 'releasePartitions', 'returnSlot', '→ execution.canceled'],
    },
    { from: 'running', event: 'prepared', does: ['→ execution.prepared'] },
    { from: 'running', event: 'commit', does: ['commitTask'] },
    { from: 'finished', event: 'commit', does: [] },
    { from: 'canceling', event: 'commit', does: [] },
    { from: 'canceling', event: 'prepared', does: ['cancelTask'] },
    { from: 'failed', event: 'prepared', does: ['cancelTask'] },
    { from: 'canceling', event: 'initializing', does: ['cancelTask'] },
    { from: 'canceling', event: 'running', does: ['cancelTask'] },
    { from: 'failed', event: 'running', does: ['cancelTask'] },
    { from: 'failed', event: 'initializing', does: ['cancelTask'] },
    { from: 'finished', event: 'cancel', does: ['releaseTransientPartitions'] },
    { from: 'finished', event: 'suspend', does: ['releaseTransientPartitions'] },
    { from: 'canceled', event: 'assignSlot', does: ['returnLateSlot'] },
    { from: 'failed', event: 'assignSlot', does: ['returnLateSlot'] },
    { from: 'scheduled', event: 'assignSlot', does: ['returnLateSlot'] },
    { from: 'scheduled', event: 'deploy', does: ['deployTask', 'recordState deploying'] },
  ] as const)('E3–E7: $event in $from does, in this order, $does', ({ from, event, does }) => {
    const it = execution(from);
    it.actor.send(events[event]);
    expect(it.take()).toEqual(does);
  });

  it('tells where in its task a failure occurred', () => {
    const place = { operator: 'parse', record: { position: 'a.jsonl:7', picture: '{}' } };
    const told: { readonly type: string }[] = [];
    const { actor } = recorded(executionMachine, provided, () => ({
      vertex,
      attempt,
      region: listener((_, event) => told.push(event)),
    }));
    for (const name of reach['running'] as readonly EventName[]) actor.send(events[name]);
    actor.send({ ...events.failed, place });
    expect(told.at(-1)).toEqual({ type: 'execution.failed', vertex, attempt, place, cause });
  });

  it('E5: releases its slot once on every way to an end', () => {
    for (const [state, path] of Object.entries(reach)) {
      for (const name of columns) {
        const it = recorded(executionMachine, provided, (log) => ({ vertex, attempt, region: listener(log) }));
        for (const step of [...path, name, ...columns]) it.actor.send(events[step]);
        expect([state, name, it.take().filter((entry) => entry === 'returnSlot').length]).toEqual([state, name, 1]);
      }
    }
  });

  it('every reachable path ends in the expected state when a live actor replays it, and no terminal state is left (E2)', () => {
    const inert = { vertex, attempt, region: listener(() => {}) };
    const paths = walks(
      executionMachine,
      Object.values(events),
      inert,
      (snapshot) => `${stateName(snapshot.value)} ${snapshot.context['slot'] === undefined ? 'without' : 'with'} slot`,
      executionGroups,
    );
    expect(new Set(paths.map((path) => path.state))).toEqual(new Set(executionStates));
    for (const path of paths) {
      const it = recorded(executionMachine, provided, (log) => ({ vertex, attempt, region: listener(log) }));
      let ended: string | undefined;
      for (const event of path.events) {
        it.actor.send(event);
        ended ??= isTerminalExecutionState(stateOf(it) as never) ? stateOf(it) : undefined;
      }
      expect(stateOf(it)).toBe(path.state);
      if (ended !== undefined) expect(stateOf(it)).toBe(ended);
    }
  });
});
