import { type AnyStateMachine, createMachine, type StateValue } from 'xstate';

interface StateConfig {
  readonly entry?: unknown;
  readonly states?: Readonly<Record<string, StateConfig>>;
}

/**
 * Makes a chart record each state on entry, before any other action, with the action `recordState` and the state's name
 * as the parameter `state`. States inside a recorded one are its steps and are not recorded.
 *
 * @param groups states that only group others; the states inside them are recorded instead
 */
export function tapped<Machine extends AnyStateMachine>(machine: Machine, groups: readonly string[] = []): Machine {
  const tap = (states: Readonly<Record<string, StateConfig>> = {}): Record<string, StateConfig> =>
    Object.fromEntries(
      Object.entries(states).map(([name, state]) => {
        if (groups.includes(name)) return [name, state.states ? { ...state, states: tap(state.states) } : state];
        const entry = [{ type: 'recordState', params: { state: name } }, ...[state.entry ?? []].flat()];
        return [name, { ...state, entry }];
      }),
    );
  const { states, ...config } = machine.config as StateConfig;
  return createMachine({ ...config, states: tap(states) } as never, machine.implementations as never) as never;
}

/** The recorded state that a value of a tapped chart stands for: `running` for `{ live: 'running' }`. */
export function shownState<State extends string>(value: StateValue, groups: readonly string[] = []): State | undefined {
  const entries: [string, StateValue | undefined][] =
    typeof value === 'string' ? [[value, undefined]] : Object.entries(value);
  for (const [name, inner] of entries) {
    if (!groups.includes(name)) return name as State;
    const shown = inner === undefined ? undefined : shownState<State>(inner, groups);
    if (shown !== undefined) return shown;
  }
  return undefined;
}
