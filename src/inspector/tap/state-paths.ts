import type { StateValue } from 'xstate';

/** The paths of the active leaves of a state value: `['live.running']` for `{ live: 'running' }`. */
function statePaths(value: StateValue): readonly string[] {
  const paths: string[] = [];
  collect(value, '', paths);
  return paths;
}

function collect(value: StateValue | undefined, prefix: string, paths: string[]): void {
  if (typeof value === 'string') {
    paths.push(`${prefix}${value}`);
    return;
  }
  const before = paths.length;
  // oxlint-disable-next-line guard-for-in -- a plain object of XState; one of thousands a second
  for (const key in value) collect(value[key], `${prefix}${key}.`, paths);
  // A parallel state's child without states of its own.
  if (paths.length === before && prefix !== '') paths.push(prefix.slice(0, -1));
}

/** The paths of state values, those of equal values as one array: thousands of actors are in the same state. */
export class SharedPaths {
  readonly #byText = new Map<string, readonly string[]>();

  of(value: StateValue): readonly string[] {
    const paths = statePaths(value);
    const text = paths.join('\n');
    const known = this.#byText.get(text);
    if (known === undefined) this.#byText.set(text, paths);
    return known ?? paths;
  }
}
