import type { StateValue } from 'xstate';

/** The paths of the active leaves of a state value: `['live.running']` for `{ live: 'running' }`. */
export function statePaths(value: StateValue): readonly string[] {
  if (typeof value === 'string') return [value];
  const paths: string[] = [];
  collect(value, '', paths);
  return paths;
}

function collect(value: Exclude<StateValue, string>, prefix: string, paths: string[]): void {
  for (const [key, inner] of Object.entries(value)) {
    const path = prefix === '' ? key : `${prefix}.${key}`;
    if (inner === undefined) paths.push(path);
    else if (typeof inner === 'string') paths.push(`${path}.${inner}`);
    // A parallel state's child without states of its own.
    else if (Object.keys(inner).length === 0) paths.push(path);
    else collect(inner, path, paths);
  }
}
