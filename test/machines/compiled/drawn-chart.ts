import fc from 'fast-check';
import {
  and,
  type AnyStateMachine,
  assign,
  cancel,
  createMachine,
  emit,
  enqueueActions,
  fromCallback,
  log,
  not,
  or,
  raise,
  spawnChild,
  stateIn,
  stopChild,
} from 'xstate';
import type { Note, Step } from './actor-story.ts';

/** Draws a value; fast-check makes it smaller when a test fails. */
type Draw = fc.GeneratorValue;

/** The parts of an enqueuer that are drawn. */
interface Enqueue {
  raise(event: { type: string }): void;
  sendTo(to: string | ((args: { self: unknown }) => never), event: { type: string }): void;
}

type Context = { readonly n: number; readonly fuel: number };

const eventTypes = ['a', 'b', 'c.d', 'c.e'] as const;

interface DrawnState {
  readonly id: string;
  readonly kind: 'atomic' | 'compound' | 'parallel' | 'final';
  readonly inside: readonly DrawnState[];
}

/** A chart and what happens to it, drawn together. `make` makes it anew, so that each form has its own. */
export function drawnCase(g: Draw): {
  readonly make: (note: Note) => AnyStateMachine;
  readonly steps: readonly Step[];
} {
  const chart = new DrawnChart(g);
  return { make: chart.make, steps: g(() => fc.array(stepArbitrary, { minLength: 1, maxLength: 12 })) };
}

const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: fc.record({ type: fc.constantFrom(...eventTypes), n: fc.integer({ min: 0, max: 3 }) }), weight: 10 },
  { arbitrary: fc.constantFrom({ pass: 5 }, { pass: 10 }), weight: 2 },
  { arbitrary: fc.constant({ restore: true } as const), weight: 1 },
  { arbitrary: fc.constant({ stop: true } as const), weight: 1 },
);

/** A drawn chart. Eventless transitions and raised events use up fuel in its context, so that every reaction ends. */
class DrawnChart {
  readonly #g: Draw;
  readonly #states: DrawnState[] = [];
  readonly #root: DrawnState;
  readonly #config: object;

  constructor(g: Draw) {
    this.#g = g;
    this.#root = this.#state('s', 0);
    this.#config = this.#configOf(this.#root, true);
  }

  readonly make = (note: Note): AnyStateMachine =>
    createMachine(
      { ...this.#config, id: 's', context: { n: 0, fuel: 6 } } as never,
      {
        actions: {
          note: ({ context, event }: { context: Context; event: unknown }, params: unknown) =>
            note('acts', context, event, params),
          count,
          throws: () => {
            throw new Error('thrown by an action');
          },
        },
        guards: {
          isEven: ({ context }: { context: Context }) => context.n % 2 === 0,
          isBelow: ({ context }: { context: Context }, limit: number) => context.n < limit,
          hasFuel: ({ context }: { context: Context }) => context.fuel > 0,
        },
        actors: {
          echo: fromCallback(({ sendBack, receive, input }) => {
            note('child begins', input);
            receive((event) => {
              note('child hears', event);
              if (event.type === 'back') sendBack({ type: 'c.d' });
            });
            return () => note('child ends');
          }),
        },
        delays: { soon: ({ context }: { context: Context }) => context.n + 3 },
      } as never,
    ) as unknown as AnyStateMachine;

  #int(max: number): number {
    return this.#g(fc.integer, { min: 0, max });
  }

  #chance(oneIn: number): boolean {
    return this.#int(oneIn - 1) === oneIn - 1;
  }

  #pick<T>(of: readonly T[]): T {
    return of[this.#int(of.length - 1)] as T;
  }

  #some<T>(most: number, make: () => T): T[] {
    return Array.from({ length: this.#int(most) }, make);
  }

  // States

  #state(id: string, depth: number): DrawnState {
    const kinds =
      depth === 0
        ? (['compound', 'parallel', 'compound'] as const)
        : depth > 3
          ? (['atomic', 'final'] as const)
          : (['atomic', 'compound', 'atomic', 'parallel', 'final'] as const);
    const kind = this.#pick(kinds);
    const count = kind === 'compound' || kind === 'parallel' ? 1 + this.#int(2) : 0;
    const inside: DrawnState[] = [];
    const state = { id, kind, inside };
    this.#states.push(state);
    for (let index = 0; index < count; index++)
      inside.push(this.#state(`${id}.${index === 1 ? 7 - index : `k${index}`}`, depth + 1));
    return state;
  }

  #configOf({ id, kind, inside }: DrawnState, isRoot = false): object {
    const states = inside.map((child) => [child.id.slice(id.length + 1), this.#configOf(child)] as const);
    return {
      id,
      ...(kind === 'parallel' || kind === 'final' ? { type: kind } : {}),
      ...(kind === 'compound' ? { initial: this.#initial(this.#pick(states)[0]) } : {}),
      ...(states.length > 0 && { states: Object.fromEntries(states) }),
      entry: this.#actions(2),
      exit: this.#actions(2),
      ...(this.#chance(3) && { tags: [this.#pick(['t1', 't2', 't3'])] }),
      ...(this.#chance(4) && { meta: { of: id } }),
      ...((kind === 'final' || isRoot) && this.#chance(2) && { output: this.#output() }),
      ...(kind === 'final'
        ? {}
        : {
            on: this.#on(),
            ...(this.#chance(4) && { always: this.#some(2, () => this.#eventless()) }),
            ...(this.#chance(5) && { after: { [this.#pick([5, 'soon'])]: this.#transition() } }),
            ...(this.#chance(5) && { invoke: { src: 'echo', id: `by ${id}`, input: this.#pick([1, inputOf]) } }),
            ...(inside.length > 0 && this.#chance(3) && { onDone: this.#eventless() }),
          }),
    };
  }

  #initial(target: string): unknown {
    return this.#chance(4) ? { target, actions: this.#actions(1) } : target;
  }

  #output(): unknown {
    return this.#pick([
      { constant: 1 },
      ({ context, event }: { context: unknown; event: unknown }) => ({ context, event }),
    ]);
  }

  // Transitions

  #on(): object {
    const descriptors = this.#some(3, () => this.#pick([...eventTypes, 'c.*', '*', 'a']));
    return Object.fromEntries(
      descriptors.map((descriptor) => [
        descriptor,
        // It also takes the events of states that are done, again and again.
        descriptor === '*'
          ? this.#eventless()
          : this.#chance(8)
            ? undefined
            : this.#chance(3)
              ? [this.#transition(), this.#transition()]
              : this.#transition(),
      ]),
    );
  }

  #transition(): object {
    return {
      ...(this.#chance(4) ? {} : { target: this.#target() }),
      ...(this.#chance(4) && { reenter: true }),
      ...(this.#chance(3) && { guard: this.#guard() }),
      actions: this.#actions(2),
    };
  }

  #eventless(): object {
    return {
      ...(this.#chance(3) ? {} : { target: this.#target() }),
      ...(this.#chance(4) && { reenter: true }),
      guard: this.#chance(2) ? 'hasFuel' : and(['hasFuel', this.#guard() as never]),
      actions: [burn, ...this.#actions(1)],
    };
  }

  /** One state, or one each in two regions of a parallel state. */
  #target(): string | string[] {
    const forks = this.#states.filter(({ kind, inside }) => kind === 'parallel' && inside.length > 1);
    if (forks.length > 0 && this.#chance(4)) {
      const { inside } = this.#pick(forks);
      return inside.slice(0, 2).map((region) => `#${this.#pick(this.#below(region)).id}`);
    }
    return `#${this.#pick(this.#states).id}`;
  }

  #below(state: DrawnState): DrawnState[] {
    return [state, ...state.inside.flatMap((child) => this.#below(child))];
  }

  #guard(): unknown {
    const stateId = `#${this.#pick(this.#states).id}`;
    return this.#pick<unknown>([
      'isEven',
      { type: 'isBelow', params: 2 },
      { type: 'isBelow', params: ({ event }: { event: { n?: number } }) => event.n ?? 1 },
      ({ event }: { event: { n?: number } }) => event.n === 1,
      not('isEven'),
      or(['isEven', not({ type: 'isBelow', params: 3 } as never)]),
      stateIn(stateId),
      and([not(stateIn(stateId)), 'isEven']),
    ]);
  }

  // Actions

  #actions(most: number): unknown[] {
    return this.#some(most, () => this.#action());
  }

  #action(): unknown {
    const child = this.#pick(['kid', 'other']);
    return this.#pick<() => unknown>([
      () => ({ type: 'note', params: this.#int(9) }),
      () => ({ type: 'note', params: ({ context }: { context: Context }) => context.n }),
      () => 'count',
      () => count,
      () => 'unknown action',
      () => emit(({ context }: { context: Context }) => ({ type: 'emitted', n: context.n })),
      () => log(({ context }: { context: Context }) => context.n),
      () => spawnChild('echo', { id: child, input: inputOf as never }),
      () => stopChild(child),
      () => raise({ type: this.#pick(eventTypes) }, { delay: 7, id: child }),
      () => cancel(child),
      () => this.#burning((enqueue, type) => enqueue.raise({ type })),
      () => this.#burning((enqueue, type) => enqueue.sendTo(({ self }) => self as never, { type })),
      () => this.#burning((enqueue) => enqueue.sendTo(child, { type: 'back' })),
      () => this.#enqueueing(),
      () => assign({ n: ({ context }: { context: Context }) => context.n + 2 } as never),
      () => (this.#chance(6) ? 'throws' : 'note'),
    ])();
  }

  /** An action that may lead to itself. */
  #burning(act: (enqueue: Enqueue, type: string) => void): unknown {
    const type = this.#pick(eventTypes);
    return enqueueActions(({ enqueue, check }) => {
      if (!check('hasFuel' as never)) return;
      enqueue(burn as never);
      act(enqueue as never, type);
    });
  }

  #enqueueing(): unknown {
    const actions = this.#actions(3);
    const guard = this.#guard();
    return enqueueActions(({ enqueue, check }) => {
      if (check(guard as never)) for (const action of actions) enqueue(action as never);
      else enqueue.emit({ type: 'unchecked' });
    });
  }
}

const count = assign(({ context }: { context: Context }) => ({ n: context.n + 1 }));
const burn = assign(({ context }: { context: Context }) => ({ fuel: context.fuel - 1 }));
const inputOf = ({ context, event }: { context: unknown; event: unknown }) => ({ context, event });
