import type { StateValue } from 'xstate';

interface StateConfig {
  readonly entry?: unknown;
  readonly states?: Readonly<Record<string, StateConfig>>;
}

/** What of a setup makes charts: generic in the chart, which `never` stands for here. */
interface ChartSetup {
  createMachine(config: never): unknown;
}

/**
 * A setup whose charts record each state on entry, before any other action, with the action `recordState` and the state's name
 * as the parameter `state`. States inside a recorded one are its steps and are not recorded.
 *
 * @param groups states that only group others; the states inside them are recorded instead
 */
export function tapped<Setup extends ChartSetup>(setup: Setup, groups: readonly string[] = []): Setup {
  const tap = (states: Readonly<Record<string, StateConfig>> = {}): Record<string, StateConfig> =>
    Object.fromEntries(
      Object.entries(states).map(([name, state]) => {
        if (groups.includes(name)) return [name, state.states ? { ...state, states: tap(state.states) } : state];
        const entry = [{ type: 'recordState', params: { state: name } }, ...[state.entry ?? []].flat()];
        return [name, { ...state, entry }];
      }),
    );
  const createMachine = (config: StateConfig): unknown =>
    setup.createMachine({ ...config, states: tap(config.states) } as never);
  return { ...setup, createMachine };
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
