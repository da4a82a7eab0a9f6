import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type AnyStateMachine,
  assign,
  createActor,
  createMachine,
  type EventObject,
  enqueueActions,
  initialTransition,
  sendTo,
  transition,
} from 'xstate';
import { compiled } from '../../../src/machines/compiled/compiled.ts';
import { installedVersion, knownVersions } from '../../../src/machines/compiled/known-versions.ts';
import { whyInterpreted } from '../../../src/machines/compiled/why-interpreted.ts';

const chart = (config: object, implementations: object = {}): AnyStateMachine =>
  createMachine(config as never, implementations as never) as unknown as AnyStateMachine;

describe('CF2: a machine stays interpreted, whole', () => {
  it.each<[why: string, config: object]>([
    [
      'the state (machine).a.back is a history state',
      { initial: 'a', states: { a: { initial: 'b', states: { b: {}, back: { type: 'history' } } } } },
    ],
    ['it limits the microsteps of a macrostep', { options: { maxIterations: 7 } }],
    [
      'the output of (machine).a maps its properties one by one',
      { initial: 'a', states: { a: { type: 'final', output: { n: () => 1 } } } },
    ],
    ['the event descriptor a.*.* of (machine) has a wildcard before its end', { on: { 'a.*.*': {} } }],
    ['an action of (machine) is neither a function nor a name', { on: { go: { actions: [7] } } }],
  ])('if %s', (why, config) => {
    const machine = chart(config);
    expect(whyInterpreted(machine)).toBe(why);
    expect(compiled(machine)).toBe(machine);
  });

  it.each(['5.32.6', '5.33.4', '5.34.0', '6.0.0'])('under XState %s', (version) => {
    expect(whyInterpreted(chart({}), version)).toBe(`XState ${version} was not compared with its compiled form`);
  });

  it('but not under the installed version, nor the first of the peer range', () => {
    const { peerDependencies } = JSON.parse(readFileSync(join(__dirname, '../../../package.json'), 'utf8')) as {
      peerDependencies: Record<string, string>;
    };
    expect(knownVersions).toContain(installedVersion);
    expect(knownVersions).toContain(peerDependencies['xstate']?.replace('^', ''));
    expect(whyInterpreted(chart({}))).toBeUndefined();
  });
});

describe('CF3: machines that provide makes of one another', () => {
  const named = compiled(chart({ initial: 'a', states: { a: { on: { go: 'b' } }, b: { entry: 'arrive' } } }));

  it('do what they are given, and what their origin was given', () => {
    const done: string[] = [];
    const act = (what: string) => () => done.push(what);
    const first = named.provide({ actions: { arrive: act('first'), other: act('other') } } as never);
    const second = first.provide({ actions: { arrive: act('second') } } as never);
    for (const machine of [second, first, named, second]) {
      const actor = createActor(machine).start();
      actor.send({ type: 'go' });
      expect(actor.getSnapshot().machine).toBe(machine);
    }
    expect(done).toEqual(['second', 'first', 'second']);
    expect(Object.keys(second.implementations.actions)).toEqual(['arrive', 'other']);
  });

  it('share the states, with the machine that was compiled too', () => {
    const machine = named.provide({});
    expect(machine.root).toBe(named.root);
    expect(machine).not.toBe(named);
    expect(compiled(machine)).toBe(machine);
    expect(whyInterpreted(machine)).toBeUndefined();
    expect(machine.config).toBe(named.config);
    expect(JSON.stringify(machine)).toBe(JSON.stringify(named));
  });

  it('restore their own snapshots, and hand those of others to the interpreter', () => {
    const machine = named.provide({});
    const restored = createActor(machine, {
      snapshot: machine.getPersistedSnapshot(createActor(named).start().getSnapshot()),
    }).start();
    expect(restored.getSnapshot().machine).toBe(machine);
    restored.send({ type: 'go' });
    expect(restored.getSnapshot().value).toBe('b');
    const foreign = createActor(named).start().getSnapshot();
    expect(transition(machine, foreign, { type: 'go' })[0]).toMatchObject({ value: 'b', machine: named });
  });

  it('are not compiled twice', () => {
    expect(compiled(named)).toBe(named);
  });
});

it('CF4: 20,000 messages, events and children of one reaction are no long array that XState shifts', () => {
  const count = 20_000;
  const heard: EventObject[] = [];
  const child = chart({ on: { told: { actions: ({ event }: { event: EventObject }) => heard.push(event) } } });
  const machine = compiled(
    chart({
      context: ({ spawn }: { spawn: (logic: unknown) => unknown }) => ({
        children: Array.from({ length: count }, () => spawn(child)),
      }),
      on: {
        tell: {
          actions: enqueueActions(({ context, enqueue }) => {
            for (const one of (context as { children: never[] }).children)
              enqueue.sendTo(one, { type: 'told' } as never);
          }),
        },
        raise: {
          actions: enqueueActions(({ enqueue }) => {
            for (let n = 0; n < count; n++) enqueue.raise({ type: 'raised' });
          }),
        },
        raised: {
          actions: assign({
            raised: ({ context }: never) => ((context as { raised?: number }).raised ?? 0) + 1,
          } as never),
        },
      },
    }),
  );
  let longShifts = 0;
  const { shift } = Array.prototype;
  const spy = jest.spyOn(Array.prototype, 'shift').mockImplementation(function (this: unknown[]) {
    if (this.length > 100) longShifts++;
    return shift.call(this) as unknown;
  });
  try {
    const actor = createActor(machine).start();
    actor.send({ type: 'tell' });
    actor.send({ type: 'raise' });
    expect(heard.length).toBe(count);
    expect(actor.getSnapshot().context).toMatchObject({ raised: count });
    expect(longShifts).toBe(0);
  } finally {
    spy.mockRestore();
  }
});

it('CF1: the actions that XState lists without an actor are the same, and nothing is done', () => {
  const heard: unknown[] = [];
  const listening = createActor(
    chart({ on: { told: { actions: ({ event }: { event: unknown }) => heard.push(event) } } }),
  ).start();
  const machine = chart({
    context: { n: 0 },
    entry: sendTo(listening as never, { type: 'told', of: 'entry' } as never),
    on: {
      go: {
        actions: [
          sendTo(listening as never, (({ context }: { context: unknown }) => ({ type: 'told', context })) as never),
          enqueueActions(({ enqueue }) => {
            enqueue.assign({ n: 1 } as never);
            enqueue.sendTo(
              listening as never,
              (({ context }: { context: unknown }) => ({ type: 'told', context })) as never,
            );
          }),
          { type: 'act', params: 1 },
        ],
      },
    },
  });
  const listed = (of: AnyStateMachine) => {
    const [first, begun] = initialTransition(of);
    const [next, done] = transition(of, first, { type: 'go' });
    const shown = [...begun, ...done].map(({ type, params }) => ({ type, params: params as unknown }));
    return { shown, context: next.context as unknown };
  };
  expect(listed(compiled(machine))).toEqual(listed(machine));
  expect(listed(machine).shown).toHaveLength(4);
  expect(heard).toEqual([]);
});

it('CF1: what snapshots share cannot be changed by accident', () => {
  const machine = compiled(chart({ initial: 'a', states: { a: { initial: 'b', states: { b: {} } } } }));
  const [one, other] = [createActor(machine).start().getSnapshot(), createActor(machine).start().getSnapshot()];
  expect(one.value).toBe(other.value);
  expect(Object.isFrozen(one.value)).toBe(true);
});
