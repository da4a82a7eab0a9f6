import {
  and,
  type AnyStateMachine,
  assign,
  cancel,
  createActor,
  createMachine,
  emit,
  enqueueActions,
  type EventObject,
  forwardTo,
  fromCallback,
  fromPromise,
  log,
  not,
  or,
  raise,
  sendParent,
  sendTo,
  spawnChild,
  stateIn,
  stopChild,
} from 'xstate';
import type { Note, StoryOptions } from './actor-story.ts';

/** A chart for one construct, and what happens to it. */
export interface Construct extends StoryOptions {
  readonly make: (note: Note) => AnyStateMachine;
}

// Charts of tests name events, guards and actions that they do not declare.
const chart = (config: object, implementations: object = {}): AnyStateMachine =>
  createMachine(config as never, implementations as never) as unknown as AnyStateMachine;

/** What XState gives to functions of a chart. */
interface Args {
  readonly context: object;
  readonly event: EventObject;
}

interface Enqueuing extends Args {
  readonly self: unknown;
  readonly system: unknown;
  readonly check: (guard: unknown) => boolean;
  readonly enqueue: ((action: unknown) => void) &
    Record<
      'assign' | 'raise' | 'emit' | 'sendTo' | 'spawnChild' | 'stopChild' | 'cancel',
      (...args: unknown[]) => void
    >;
}

const failure = { type: 'xstate.error', data: new Error('told') };
const on = (type: string, rest: object = {}) => ({ type, ...rest });
const count = assign(({ context }: { context: { n?: number } }) => ({ n: (context.n ?? 0) + 1 }));
const echo = (note: Note) =>
  fromCallback(({ sendBack, receive, input }) => {
    note('child begins', input);
    receive((event) => {
      note('child hears', event);
      sendBack({ type: 'echo', of: event.type });
    });
    return () => note('child ends');
  });
const child = (note: Note) =>
  chart(
    {
      id: 'child',
      context: ({ input }: { input: object }) => ({ input }),
      initial: 'open',
      entry: { type: 'note', params: { what: 'enter' } },
      exit: { type: 'note', params: { what: 'exit' } },
      states: {
        open: {
          on: { step: { target: 'open', reenter: true, actions: sendParent({ type: 'stepped' }) }, close: 'closed' },
        },
        closed: { type: 'final' },
      },
      on: { crash: { actions: 'crash' } },
      output: ({ context }: { context: object }) => ({ of: context }),
    },
    {
      actions: {
        note: (_: unknown, params: unknown) => note('child', params),
        crash: () => {
          throw new Error('child crashed');
        },
      },
    },
  );

/** By what they show. */
export const constructs: Readonly<Record<string, Construct>> = {
  'entry, exit and transition actions, inside out and outside in': {
    steps: [on('go'), on('back'), on('inner'), on('stay'), on('again'), on('unknown')],
    matched: ['a', { a: 'a1' }, { a: 'a2' }, 'b', { b: 'b1' }],
    make: (note) => {
      const act = (what: string) => ({ type: 'note', params: { what } });
      return chart(
        {
          initial: 'a',
          entry: act('enter root'),
          exit: act('exit root'),
          states: {
            a: {
              entry: [act('enter a'), 'plain'],
              exit: act('exit a'),
              tags: ['first', 'both'],
              meta: { of: 'a' },
              initial: 'a1',
              states: {
                a1: { entry: act('enter a1'), exit: act('exit a1'), tags: 'inner', on: { inner: 'a2' } },
                a2: { entry: act('enter a2'), exit: act('exit a2') },
              },
              on: {
                go: { target: 'b', actions: [act('go'), 'plain'] },
                stay: { actions: act('stay') },
                again: { target: '.a1', reenter: true, actions: act('again') },
              },
            },
            b: {
              entry: act('enter b'),
              exit: act('exit b'),
              tags: ['both'],
              initial: { target: 'b1', actions: act('initial of b') },
              states: { b1: { entry: act('enter b1'), exit: act('exit b1') } },
              on: { back: 'a' },
            },
          },
        },
        { actions: { note: (_: unknown, params: unknown) => note('acts', params), plain: () => note('plain') } },
      );
    },
  },
  'params that are functions, of actions and guards': {
    steps: [on('set', { to: 2 }), on('set', { to: 5 }), on('set', { to: 1 })],
    make: (note) =>
      chart(
        {
          context: { limit: 4 },
          on: {
            set: [
              {
                guard: { type: 'below', params: ({ context, event }: never) => ({ context, event }) },
                actions: { type: 'note', params: ({ context, event }: never) => ({ context, event }) },
              },
              { actions: { type: 'note', params: 'else' } },
            ],
          },
        },
        {
          actions: { note: (args: object, params: unknown) => note(Object.keys(args).join(), params) },
          guards: {
            below: (args: object, { context, event }: { context: { limit: number }; event: { to: number } }) => {
              note('asked', Object.keys(args).join());
              return event.to < context.limit;
            },
          },
        },
      ),
  },
  'guards by name, inline, and composed': {
    steps: ['a', 'b', 'c', 'd', 'e', 'f', 'g'].flatMap((type) => [on(type, { yes: true }), on(type)]),
    make: () => {
      const isYes = ({ event }: { event: { yes?: boolean } }) => event.yes === true;
      return chart(
        {
          type: 'parallel',
          states: {
            left: { initial: 'one', states: { one: { id: 'one' }, two: {} } },
            right: {
              on: {
                a: { guard: isYes, actions: count },
                b: { guard: 'isYes', actions: count },
                c: { guard: not('isYes'), actions: count },
                d: { guard: and(['isYes', isYes as never]), actions: count },
                e: { guard: or([{ type: 'isYes' }, not('isYes')]), actions: count },
                f: { guard: stateIn('#one'), actions: count },
                g: { guard: and([stateIn({ left: 'two' }), 'also']), actions: count },
              },
            },
          },
        },
        { guards: { isYes, also: and(['isYes']) } },
      );
    },
  },
  'guards that throw, and guards without an implementation': {
    steps: [on('broken')],
    make: () =>
      chart(
        { on: { broken: { guard: 'throws' } } },
        {
          guards: {
            throws: () => {
              throw new Error('no answer');
            },
          },
        },
      ),
  },
  'a guard that is missing': { steps: [on('go')], make: () => chart({ on: { go: { guard: { type: 'missing' } } } }) },
  'a guard of an eventless transition that throws': {
    steps: [on('go')],
    make: () =>
      chart({
        initial: 'a',
        states: {
          a: { on: { go: 'b' } },
          b: {
            always: {
              guard: () => {
                throw new Error('no answer');
              },
              target: 'a',
            },
          },
        },
      }),
  },
  'assign by a function and by properties, with params': {
    steps: [on('whole', { to: 3 }), on('parts', { to: 4 }), on('none')],
    make: () =>
      chart(
        {
          context: { n: 0, kept: ['k'] },
          on: {
            whole: { actions: [{ type: 'set', params: ({ event }: { event: { to: number } }) => event.to }, count] },
            parts: {
              actions: assign({ n: ({ event }: { event: { to: number } }) => event.to, other: 'constant' } as never),
            },
            none: { actions: assign(() => ({})) },
          },
        },
        { actions: { set: assign((_: unknown, n: number) => ({ n })) } },
      ),
  },
  'a context that is a function of the input, and spawns': {
    steps: [on('ping'), on('more'), { stop: true }],
    input: { start: 7 },
    make: (note) =>
      chart(
        {
          context: ({ input, spawn, self }: never) => ({
            input,
            me: (self as { id: string }).id,
            ref: (spawn as (src: string, options: object) => unknown)('echo', {
              id: 'first',
              input: { from: 'context' },
            }),
          }),
          on: {
            ping: { actions: sendTo('first', { type: 'hello' }) },
            echo: { actions: { type: 'note', params: ({ event }: { event: object }) => event } },
            more: {
              actions: assign({
                second: ({ spawn }: never) =>
                  (spawn as (src: unknown, options: object) => unknown)(echo(note), { id: 'second', systemId: 'two' }),
                third: ({ spawn }: never) =>
                  (spawn as (src: unknown, options: object) => unknown)('echo', {
                    id: 'third',
                    input: ({ event }: { event: object }) => event,
                  }),
              } as never),
            },
          },
        },
        { actors: { echo: echo(note) }, actions: { note: (_: unknown, params: unknown) => note('acts', params) } },
      ),
  },
  'a context that throws': {
    steps: [on('go')],
    make: () =>
      chart({
        context: () => {
          throw new Error('no context');
        },
        on: { go: {} },
      }),
  },
  'an unknown actor in assign': {
    steps: [on('go')],
    make: () =>
      chart({
        on: { go: { actions: assign(({ spawn }: never) => ({ ref: (spawn as (src: string) => unknown)('nobody') })) } },
      }),
  },
  'raise, now and later, and cancel': {
    steps: [
      on('go'),
      on('later'),
      { pass: 5 },
      { pass: 5 },
      on('later'),
      on('no'),
      { pass: 20 },
      on('named'),
      { pass: 30 },
    ],
    make: () =>
      chart(
        {
          context: { n: 0 },
          initial: 'a',
          states: {
            a: {
              on: {
                go: {
                  actions: [
                    raise({ type: 'one' }),
                    raise((({ context }: Args) => ({ type: 'two', context })) as never),
                  ],
                },
                one: { actions: [count, raise({ type: 'two' })] },
                two: { actions: count },
                later: { actions: raise({ type: 'late' }, { delay: 10, id: 'late' }) },
                late: { target: 'a', reenter: true, actions: count },
                no: { actions: cancel('late') },
                named: { actions: raise({ type: 'late' }, { delay: 'short' } as never) },
              },
            },
          },
        },
        { delays: { short: ({ context }: { context: { n: number } }) => context.n } },
      ),
  },
  'after, with exits in between': {
    steps: [{ pass: 99 }, on('reset'), { pass: 99 }, { pass: 1 }, { pass: 50 }, { pass: 100 }],
    make: () =>
      chart(
        {
          initial: 'a',
          context: { n: 1 },
          states: {
            a: { after: { 100: 'b' }, on: { reset: { target: 'a', reenter: true } } },
            b: {
              after: {
                half: [
                  { guard: () => false, target: 'a' },
                  { target: 'c', actions: count },
                ],
              },
            },
            c: { after: { 100: { actions: count } } },
          },
        },
        { delays: { half: 50 } },
      ),
  },
  'sendTo by name, by reference and by function; sendParent; forwardTo; an inner event': {
    steps: [
      on('byName'),
      on('byRef'),
      on('late'),
      { pass: 10 },
      on('step'),
      on('self'),
      on('echo'),
      on('crash'),
      on('byName'),
    ],
    make: (note) =>
      chart(
        {
          context: ({ spawn }: never) => ({
            ref: (spawn as (src: string, o: object) => unknown)('echo', { id: 'echoing' }),
          }),
          entry: spawnChild('child', { id: 'kid', input: { a: 1 } as never }),
          on: {
            byName: { actions: sendTo('echoing' as never, (({ event }: Args) => ({ type: 'named', event })) as never) },
            byRef: {
              actions: sendTo(
                (({ context }: { context: { ref: unknown } }) => context.ref) as never,
                { type: 'ref' } as never,
              ),
            },
            late: { actions: sendTo('echoing', { type: 'late' }, { delay: 10 }) },
            step: { actions: forwardTo('kid') },
            self: { actions: sendTo((({ self }: { self: unknown }) => self) as never, { type: 'byRef' } as never) },
            crash: { actions: sendTo('kid', { type: 'crash' }) },
            'xstate.error.actor.kid': { actions: 'heard' },
          },
        },
        {
          actors: { echo: echo(note), child: child(note) },
          actions: { heard: ({ event }: never) => note('heard', event) },
        },
      ),
  },
  'a message to nobody': {
    steps: [on('go')],
    make: () => chart({ on: { go: { actions: [count, sendTo('nobody', { type: 'x' })] } } }),
  },
  'sendTo with functions that name a child, nobody, or a time': {
    steps: [on('named'), on('ours'), on('soon'), on('later'), on('enqueued'), { pass: 10 }, on('failed'), on('named')],
    make: (note) =>
      chart(
        {
          entry: [
            spawnChild('echo', { id: 'echoing' }),
            sendTo((() => 'echoing') as never, (() => ({ type: 'begun' })) as never),
            sendTo((({ self }: { self: unknown }) => self) as never, { type: 'inner', of: 'entry' } as never),
          ],
          on: {
            named: { actions: ['act', sendTo((() => 'echoing') as never, (() => ({ type: 'told' })) as never), 'act'] },
            ours: { actions: sendTo((() => undefined) as never, { type: 'inner' } as never) },
            soon: { actions: sendTo('echoing', { type: 'soon' }, { delay: (() => 5) as never, id: 'one' }) },
            later: {
              actions: sendTo((() => 'echoing') as never, { type: 'later' } as never, { delay: 'long' as never }),
            },
            enqueued: {
              actions: enqueueActions((({ enqueue }: Enqueuing) => {
                enqueue.sendTo('echoing', { type: 'enqueued' }, { delay: 4, id: 'other' });
                enqueue.sendTo('echoing', { type: 'never' }, { delay: 3, id: 'never' });
                enqueue.cancel('never');
                enqueue.sendTo(
                  () => 'echoing',
                  ({ event }: Args) => ({ type: 'of', event }),
                  { id: 'third' },
                );
              }) as never),
            },
            failed: { actions: sendTo((({ self }: { self: unknown }) => self) as never, failure as never) },
            inner: { actions: ({ event }: Args) => note('inner', event) },
            'xstate.error.actor.root': { actions: ({ event }: Args) => note('failed', event) },
          },
        },
        { actors: { echo: echo(note) }, actions: { act: () => note('acts') }, delays: { long: () => 7 } },
      ),
  },
  ...Object.fromEntries(
    Object.entries<readonly [to: unknown, event: unknown]>({
      'a text': [undefined, 'text'],
      'a function that makes a text': [undefined, () => 'text'],
      'a function that makes none': [undefined, () => undefined],
      'a function that throws': [
        undefined,
        () => {
          throw new Error('no event');
        },
      ],
      'nobody, by a function': [() => 'nobody', { type: 'x' }],
    }).map(([what, [to, event]]): [string, Construct] => [
      `sendTo with ${what}`,
      {
        steps: [on('go'), on('go')],
        make: () => chart({ on: { go: { actions: [count, sendTo(to as never, event as never), count] }, x: {} } }),
      },
    ]),
  ),
  'an enqueue that is used once more by an action of its own, and when it is too late': {
    steps: [on('go'), on('late'), { turn: true }, on('go')],
    make: (note) => {
      let kept: Enqueuing['enqueue'] | undefined;
      return chart(
        {
          context: { n: 0 },
          on: {
            go: {
              actions: enqueueActions((({ enqueue, context }: Enqueuing) => {
                const { sendTo: tell, assign: set, raise: soon } = enqueue;
                kept = enqueue;
                set({ n: (context as { n: number }).n + 1 });
                soon({ type: 'raised' });
                enqueue(() => enqueue('act'));
                tell(({ self }: { self: unknown }) => self, { type: 'told' });
                void Promise.resolve().then(() => enqueue('act'));
              }) as never),
            },
            late: { actions: () => kept?.('act') },
            told: { actions: 'act' },
            raised: { actions: enqueueActions((() => kept?.('act')) as never) },
          },
        },
        { actions: { act: (args: Args) => note('acts', args.event, args.context, Object.keys(args).join()) } },
      );
    },
  },
  'events that are enqueued while an action of another actor runs': {
    steps: [on('go'), { turn: true }, on('go')],
    make: (note) => {
      const other = createActor(
        chart({
          on: {
            '*': {
              actions: ({ event }: { event: { of: { send(told: EventObject): void } } & EventObject }) =>
                event.of.send({ type: 'tell' }),
            },
          },
        }),
      ).start();
      return chart({
        on: {
          go: {
            actions: ({ self }: { self: unknown }) =>
              void Promise.resolve().then(() => other.send({ type: 'go', of: self } as EventObject)),
          },
          tell: {
            actions: enqueueActions((({ enqueue, self }: Enqueuing) =>
              enqueue.sendTo(self, { type: 'told' })) as never),
          },
          told: { actions: ({ event }: Args) => note('told', event) },
        },
      });
    },
  },
  'an assign that changes the context in place too': {
    steps: [on('go'), on('go')],
    make: () =>
      chart({
        context: { n: 0, m: 0 },
        on: {
          go: {
            actions: [
              assign({ n: (({ context }: { context: { m: number } }) => ++context.m) as never } as never),
              assign((({ context }: { context: { m: number } }) => ({ k: ++context.m })) as never),
            ],
          },
        },
      }),
  },
  'emit and log': {
    steps: [on('go', { n: 1 })],
    make: () =>
      chart({
        entry: log('entered'),
        on: {
          go: {
            actions: [
              emit((({ event }: Args) => ({ type: 'went', event })) as never),
              emit({ type: 'plain' }),
              log((({ event }: Args) => event) as never, 'label'),
              log(),
            ],
          },
        },
      }),
  },
  'spawnChild and stopChild, and children that are unknown': {
    steps: [on('make'), on('ping'), on('make'), on('end'), on('ping2'), on('unknown'), on('both'), { stop: true }],
    make: (note) =>
      chart(
        {
          context: { n: 0 },
          on: {
            make: {
              actions: [count, spawnChild('echo', { id: 'a', input: (({ context }: never) => context) as never })],
            },
            ping: { actions: sendTo('a', { type: 'ping' }) },
            end: { actions: [stopChild('a'), count] },
            ping2: {
              actions: enqueueActions(({ self, enqueue }) => enqueue.emit({ type: 'children', n: self.id } as never)),
            },
            unknown: { actions: spawnChild('nobody' as never, { id: 'none' }) },
            both: { actions: [spawnChild(child(note) as never, { id: 'c', input: 1 as never }), stopChild('c')] },
          },
        },
        { actors: { echo: echo(note) } },
      ),
  },
  'enqueueActions, nested, with checks and params': {
    steps: [on('go', { n: 1 }), on('go', { n: 20 }), on('fail')],
    make: (note) =>
      chart(
        {
          context: { n: 0 },
          on: {
            go: {
              actions: {
                type: 'decide',
                params: ({ event }: { event: { n: number } }) => ({ limit: event.n }),
              },
            },
            over: { actions: count },
            fail: {
              actions: [
                count,
                enqueueActions(() => {
                  throw new Error('not enqueued');
                }),
              ],
            },
          },
        },
        {
          actions: {
            decide: enqueueActions(((args: Enqueuing, params: unknown) => {
              const { enqueue, check, context, event, self, system, ...rest } = args;
              note('collects', params, context, event, typeof self, typeof system, Object.keys(rest).join());
              enqueue('note');
              enqueue({ type: 'note', params: { of: 'enqueued' } });
              enqueue.assign({ n: ({ context: now }: { context: { n: number } }) => now.n + 10 });
              if (check('isBig')) enqueue.raise({ type: 'over' });
              enqueue(enqueueActions((({ enqueue: inner }: Enqueuing) => inner('note')) as never));
              enqueue.emit({ type: 'decided' });
              enqueue.sendTo(({ self: me }: { self: unknown }) => me, { type: 'over' });
              enqueue.spawnChild('echo', { id: 'e' });
              enqueue.stopChild('e');
              enqueue.cancel('x');
            }) as never),
            note: ({ context }: { context: unknown }, params: unknown) => note('acts', context, params),
          },
          guards: { isBig: ({ context }: { context: { n: number } }) => context.n > 5 },
          actors: { echo: echo(note) },
        },
      ),
  },
  'many messages of one reaction, in order': {
    steps: [on('tell'), on('tell')],
    isInspected: false,
    make: () =>
      chart({
        context: { n: 0 },
        on: {
          tell: {
            actions: enqueueActions(({ enqueue, self }) => {
              enqueue.emit({ type: 'first' });
              enqueue(
                enqueueActions((inner) => {
                  for (let n = 0; n < 70; n++) {
                    inner.enqueue.sendTo(self as never, { type: 'told', n } as never);
                    if (n % 30 === 0) inner.enqueue.emit({ type: 'at', n } as never);
                    if (n % 40 === 0) inner.enqueue.raise({ type: 'raised', n } as never);
                  }
                }) as never,
              );
              enqueue.emit({ type: 'last' });
            }),
          },
          told: { actions: count },
          raised: { actions: count },
        },
      }),
  },
  'unknown actions': {
    steps: [on('go')],
    make: () => chart({ entry: 'nothing', on: { go: { actions: [{ type: 'no', params: 1 }, count] } } }),
  },
  'invoked callbacks, machines and promises, with all their ends': {
    steps: [
      on('ping'),
      on('promise'),
      { turn: true },
      on('reject'),
      { turn: true },
      on('machine'),
      on('step'),
      on('close'),
      on('missing'),
      on('callback'),
      { stop: true },
    ],
    make: (note) =>
      chart(
        {
          initial: 'callback',
          on: {
            promise: '.promise',
            reject: '.reject',
            machine: '.machine',
            callback: '.callback',
            missing: '.missing',
          },
          states: {
            callback: {
              invoke: {
                src: 'echo',
                id: 'called',
                input: ({ event, context, self }: never) => ({ event, context, self }),
              },
              entry: sendTo('called', { type: 'before it exists' }),
              on: { ping: { actions: forwardTo('called') }, echo: { actions: count } },
              exit: sendTo('called', { type: 'goodbye' }),
            },
            promise: {
              invoke: {
                src: fromPromise(({ input }) => Promise.resolve(input)),
                input: 5,
                systemId: 'promised',
                onDone: { target: 'idle', actions: ({ event }: never) => note('done', event) },
              },
            },
            reject: {
              invoke: {
                src: fromPromise(() => Promise.reject(new Error('rejected'))),
                onDone: 'idle',
                onError: { target: 'idle', actions: ({ event }: never) => note('error', event) },
              },
            },
            machine: {
              invoke: {
                src: 'child',
                id: 'kid',
                input: { n: 1 },
                onSnapshot: { actions: ({ event }: never) => note('saw', event) },
                onDone: { target: 'idle', actions: ({ event }: never) => note('done', event) },
              },
              on: { step: { actions: forwardTo('kid') }, close: { actions: forwardTo('kid') } },
            },
            missing: { invoke: { src: 'nobody' } },
            idle: {},
          },
        },
        { actors: { echo: echo(note), child: child(note) } },
      ),
  },
  'an invoked machine that fails without a handler': {
    steps: [on('crash'), on('more')],
    make: (note) =>
      chart(
        {
          invoke: [
            { src: 'child', id: 'kid' },
            { src: 'echo', id: 'other' },
          ],
          on: { crash: { actions: forwardTo('kid') }, more: { actions: count } },
        },
        { actors: { child: child(note), echo: echo(note) } },
      ),
  },
  'eventless transitions, with and without targets': {
    steps: [on('up'), on('up'), on('up'), on('unknown'), on('loop')],
    make: () =>
      chart({
        context: { n: 0, m: 0 },
        initial: 'low',
        states: {
          low: {
            on: { up: { actions: count }, loop: 'looping' },
            always: [
              { guard: ({ context }: { context: { n: number } }) => context.n > 2, target: 'high' },
              {
                guard: ({ context }: { context: { n: number; m: number } }) => context.m < context.n,
                actions: assign({ m: ({ context }: { context: { m: number } }) => context.m + 1 } as never),
              },
            ],
          },
          high: { always: { guard: () => false, target: 'low' } },
          looping: {
            entry: raise({ type: 'raised' }),
            always: { guard: ({ event }: { event: { type: string } }) => event.type === 'raised', target: 'high' },
            on: { raised: { actions: count } },
          },
        },
        always: { guard: ({ context }: { context: { n: number } }) => context.n > 90, target: '.low' },
      }),
  },
  'an eventless transition that changes nothing is taken once for each event': {
    steps: [on('go'), on('twice')],
    make: (note) =>
      chart({
        on: { twice: { actions: raise({ type: 'go' }) } },
        always: { actions: ({ event }: { event: { type: string } }) => note('settles', event.type) },
      }),
  },
  'parallel states: conflicts, regions that leave together, joint ends': {
    steps: [on('both'), on('one'), on('out'), on('in'), on('two'), on('swap'), on('end'), on('finish'), on('finish2')],
    matched: [{ p: { l: 'l2', r: 'r1' } }, { p: { r: 'r2' } }, 'q'],
    make: (note) => {
      const act = (what: string) => () => note(what);
      return chart({
        initial: 'p',
        states: {
          p: {
            type: 'parallel',
            tags: 'p',
            entry: act('enter p'),
            exit: act('exit p'),
            on: { swap: ['.l.l2', '.r.r2'].length > 0 ? { target: ['.l.l2', '.r.r2'] } : {}, out: 'q' },
            onDone: { target: 'q', actions: act('p done') },
            states: {
              r: {
                initial: 'r1',
                entry: act('enter r'),
                exit: act('exit r'),
                tags: 'r',
                states: {
                  r1: { entry: act('enter r1'), exit: act('exit r1'), on: { both: 'r2', two: '#q' } },
                  r2: { entry: act('enter r2'), exit: act('exit r2'), on: { one: 'r1', finish: 'r3' } },
                  r3: { type: 'final', output: ({ event }: never) => event },
                },
              },
              l: {
                initial: 'l1',
                entry: act('enter l'),
                exit: act('exit l'),
                onDone: { actions: ({ event }: never) => note('l done', event) },
                states: {
                  l1: { entry: act('enter l1'), exit: act('exit l1'), on: { both: 'l2', two: 'l2' } },
                  l2: { entry: act('enter l2'), exit: act('exit l2'), on: { both: 'l1', finish: 'l3' } },
                  l3: { type: 'final', output: { said: 'l' } },
                },
              },
            },
          },
          q: { id: 'q', entry: act('enter q'), on: { in: 'p', end: { target: 'p' }, finish2: 'z' } },
          z: { type: 'final' },
        },
      });
    },
  },
  'regions whose keys look like numbers, entered out of order': {
    steps: [on('a'), on('b'), on('a')],
    make: () =>
      chart({
        type: 'parallel',
        states: {
          10: { initial: 'x', states: { x: { on: { a: 'y', b: 'y' } }, y: { on: { a: 'x', b: 'x' } } } },
          9: { initial: 'x', states: { x: { on: { a: 'y' } }, y: { on: { a: 'x', b: 'x' } } } },
          k: { initial: 'x', states: { x: { on: { a: 'y' } }, y: { on: { b: 'x' } } } },
        },
      }),
  },
  'final states, outputs and the exits of a chart that is done': {
    steps: [on('go'), on('more')],
    make: (note) =>
      chart({
        context: { n: 3 },
        initial: 'a',
        exit: () => note('exit root'),
        invoke: { src: echo(note), id: 'e' },
        output: ({ context, event, self }: never) => ({ context, event, self }),
        states: {
          a: { on: { go: 'b' } },
          b: {
            type: 'final',
            output: ({ context }: never) => context,
            entry: () => note('enter b'),
            exit: () => note('exit b'),
          },
        },
      }),
  },
  'a chart that is done when it begins': {
    steps: [on('go')],
    make: (note) =>
      chart({ initial: 'a', entry: () => note('enter'), states: { a: { type: 'final' } }, output: 'constant' }),
  },
  'a chart without states': {
    steps: [on('go'), on('again'), { stop: true }],
    make: (note) =>
      chart({
        entry: () => note('enter'),
        exit: () => note('exit'),
        on: { go: { actions: count }, again: { target: undefined } },
      }),
  },
  'wildcards, prefixes and forbidden transitions': {
    steps: [on('x'), on('x.y'), on('x.y.z'), on('xy'), on('other'), on('forbidden'), on('x.forbidden')],
    make: (note) => {
      const act = (what: string) => ({ actions: ({ event }: { event: { type: string } }) => note(what, event.type) });
      return chart({
        initial: 'a',
        on: { '*': act('any'), 'x.*': act('outer x'), forbidden: act('not forbidden') },
        states: {
          a: {
            on: {
              'x.y.*': act('x.y'),
              'x.*': { ...act('x'), guard: ({ event }: never) => (event as { type: string }).type !== 'x.y.z' },
              forbidden: undefined,
              'x.forbidden': {},
            },
          },
        },
      });
    },
  },
  'errors thrown by actions': {
    steps: [on('go'), on('go')],
    make: (note) =>
      chart({
        context: { n: 0 },
        invoke: { src: echo(note), id: 'e' },
        on: {
          go: {
            actions: [
              count,
              sendTo('e', { type: 'never arrives' }),
              () => {
                throw new Error('thrown');
              },
            ],
          },
        },
      }),
  },
  'errors thrown while it begins': {
    steps: [on('go')],
    make: (note) =>
      chart({
        context: { n: 0 },
        entry: [
          spawnChild(echo(note), { id: 'e' }),
          assign(() => {
            throw new Error('thrown');
          }),
        ],
      }),
  },
  'errors thrown by its first actions': {
    steps: [on('go')],
    make: (note) =>
      chart({
        context: { n: 0 },
        entry: [
          spawnChild(echo(note), { id: 'e' }),
          () => {
            throw new Error('thrown');
          },
          emit({ type: 'never' }),
        ],
      }),
  },
  'an actor that is stopped by its own action': {
    steps: [on('go'), on('go')],
    make: (note) =>
      chart({
        context: { n: 0 },
        entry: raise({ type: 'begun' }),
        exit: () => note('exit'),
        on: {
          begun: { actions: count },
          go: {
            actions: [
              ({ self }: { self: { stop?(): void } }) => self.stop?.(),
              emit({ type: 'after' }),
              raise({ type: 'begun' }),
            ],
          },
        },
      }),
  },
  'an actor that is stopped in a state with children and timers': {
    steps: [{ stop: true }, { pass: 100 }, on('go')],
    make: (note) =>
      chart({
        initial: 'a',
        states: { a: { invoke: { src: echo(note) }, after: { 50: 'b' }, exit: () => note('exit') }, b: {} },
      }),
  },
  'reentered states, from inside and from the root': {
    steps: [on('self'), on('outer'), on('root'), on('deep'), on('deepAgain')],
    make: (note) => {
      const act = (what: string) => () => note(what);
      return chart({
        id: 'top',
        initial: 'a',
        entry: act('enter root'),
        exit: act('exit root'),
        on: {
          root: { target: '#top', reenter: true },
          deep: { target: '.a.b' },
          deepAgain: { target: '.a.b', reenter: true },
        },
        states: {
          a: {
            entry: act('enter a'),
            exit: act('exit a'),
            initial: 'b',
            on: { outer: { target: 'a', reenter: true } },
            states: { b: { entry: act('enter b'), exit: act('exit b'), on: { self: { target: 'b', reenter: true } } } },
          },
        },
      });
    },
  },
  'a system with names, and a name that is taken': {
    steps: [on('make'), on('get'), on('make')],
    make: (note) =>
      chart(
        {
          on: {
            make: { actions: spawnChild('echo', { id: 'e', systemId: 'known' } as never) },
            get: {
              actions: [({ system }: never) => note('knows', (system as { get(id: string): unknown }).get('known'))],
            },
          },
        },
        { actors: { echo: echo(note) } },
      ),
  },
  'a snapshot that is persisted and restored': {
    steps: [on('next'), { restore: true }, on('next'), { restore: true }, on('next')],
    make: (note) =>
      chart(
        {
          context: { n: 0 },
          type: 'parallel',
          states: {
            l: {
              initial: 'a',
              states: {
                a: { on: { next: 'b' } },
                b: { invoke: { src: 'child', id: 'kid', input: {} }, on: { next: 'a' } },
              },
            },
            r: { initial: 'a', states: { a: { on: { next: { target: 'b', actions: count } } }, b: {} } },
          },
        },
        { actors: { child: child(note) } },
      ),
  },
  'routes to states': {
    steps: [{ type: 'xstate.route', to: '#there' } as never, { type: 'xstate.route', to: '#here' } as never],
    make: () =>
      chart({
        initial: 'a',
        states: { a: { id: 'here', route: {} }, b: { id: 'there', route: { guard: () => true } } },
      }),
  },
};
