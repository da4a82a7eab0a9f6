// What the core begins with. A part is a function that makes its modules, given the values of the core.

type Values = Readonly<Record<string, unknown>>;
type MakePart = (core: Values, use: typeof ofParts) => Values;
type Require = (name: string) => unknown;

let core: Values | undefined;
let makeCore: () => Values;
let load: Require;
const made: Record<string, Values> = {};
// Node's own function can look for a file.
const ofParts = { laterIn, libraryOf, isBundled: (): boolean => !('resolve' in load) };

/** Called first. `require`, unlike `import`, loads a file without waiting for it, and a library in half the time. */
export function loadBy(require: Require): void {
  load = require;
}

/** Called once, when all modules of the core have run. */
export function begin(values: () => Values): void {
  makeCore = values;
}

export function libraryOf(name: string): Values {
  return load(name) as Values;
}

/** The values of a part, which is loaded by the first call. */
export function part(name: string): Values {
  const earlier = made[name];
  if (earlier !== undefined) return earlier;
  const make = load(`./${name}.cjs`) as MakePart;
  core ??= makeCore();
  return (made[name] = make(core, ofParts));
}

/** The exports of a module of a part, which is loaded when one of them is used. */
export function laterIn(name: string, prefix: string, exported: readonly string[]): Values {
  const values = {};
  for (const key of exported) {
    const get = (): unknown => {
      const value = part(name)[prefix + key];
      Object.defineProperty(values, key, { value, enumerable: true });
      return value;
    };
    Object.defineProperty(values, key, { get, enumerable: true, configurable: true });
  }
  return values;
}
