import type { ChartState, ChartTransition } from '../recording/recording-line.ts';

/** What differs between the configurations of the two versions of XState. */
export interface ConfigDialect {
  readonly guard: 'cond' | 'guard';
  /** The name of an event, as this version calls it. */
  eventName(name: string): string;
}

/** Names as they are. */
export const dialectOfV5: ConfigDialect = { guard: 'guard', eventName: (name) => name };

/** Events that XState sends itself have other names in version 4. */
export const dialectOfV4: ConfigDialect = {
  guard: 'cond',
  eventName: (name) =>
    name
      .replace(/^xstate\.done\.actor\./, 'done.invoke.')
      .replace(/^xstate\.error\.actor\./, 'error.platform.')
      .replace(/^xstate\.done\.state\./, 'done.state.')
      .replace(/^xstate\.after\.(\w+)\./, 'xstate.after($1)#'),
};

type Plain = Readonly<Record<string, unknown>>;

/**
 * A chart as the configuration of a machine, which `createMachine` of that version takes. Guards, actions and invoked
 * actors are names without implementations; a guard that combines others is one name.
 */
export function chartConfig(id: string, chart: ChartState, dialect: ConfigDialect): Plain {
  return { id, ...stateConfig(id, chart, dialect), key: id };
}

/** The configuration of an actor that is no machine: a state for each status that it may have. */
export function statusConfig(id: string): Plain {
  const states = { active: {}, done: { type: 'final' }, error: { type: 'final' }, stopped: { type: 'final' } };
  return { id, key: id, initial: 'active', states };
}

function stateConfig(id: string, state: ChartState, dialect: ConfigDialect): Plain {
  const { type, initial, states, transitions, entry, exit, invokes, tags } = state;
  const on = transitions.filter(({ event }) => event !== '');
  const always = transitions.filter(({ event }) => event === '');
  return {
    // An atomic and a compound state are known by their states.
    ...(type !== 'atomic' && type !== 'compound' && { type }),
    ...(initial !== undefined && { initial }),
    states: Object.fromEntries(states.map((inner) => [inner.key, stateConfig(id, inner, dialect)])),
    on: groupedByEvent(on, (transition) => transitionConfig(id, transition, dialect), dialect),
    ...(always.length > 0 && { always: always.map((each) => transitionConfig(id, each, dialect)) }),
    entry: entry.map(named),
    exit: exit.map(named),
    invoke: invokes.map((src) => ({ id: src, src })),
    tags,
  };
}

function transitionConfig(id: string, transition: ChartTransition, dialect: ConfigDialect): Plain {
  const { targets, guard, actions } = transition;
  return {
    ...(targets.length > 0 && { target: targets.map((path) => (path === '' ? `#${id}` : `#${id}.${path}`)) }),
    ...(guard !== undefined && { [dialect.guard]: guard }),
    actions: actions.map(named),
  };
}

function groupedByEvent(
  transitions: readonly ChartTransition[],
  configOf: (transition: ChartTransition) => Plain,
  { eventName }: ConfigDialect,
): Readonly<Record<string, readonly Plain[]>> {
  const byEvent = new Map<string, Plain[]>();
  for (const transition of transitions) {
    const name = eventName(transition.event);
    byEvent.set(name, [...(byEvent.get(name) ?? []), configOf(transition)]);
  }
  return Object.fromEntries(byEvent);
}

function named(type: string): Plain {
  return { type };
}
