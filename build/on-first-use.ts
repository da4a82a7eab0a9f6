// What the core begins with. A part is a function that makes its modules, given the values of the core.

type Values = Readonly<Record<string, unknown>>;
type MakePart = (core: Values, use: typeof ofParts) => Values;

let core: Values | undefined;
let makeCore: () => Values;
let place: string;
const makers: Record<string, MakePart> = {};
const made: Record<string, Values> = {};
const libraries: Record<string, Values> = {};
const ofParts = { laterIn, libraryOf, isGiven: (library: string): boolean => library in libraries };

/** Called once, when all modules of the core have run; its parts are beside it. */
export function begin(values: () => Values, url: string): void {
  makeCore = values;
  place = url;
}

/** Takes parts, and libraries of theirs, that are loaded already: a bundler knows of one only by an import. */
export function provide(given: Readonly<Record<string, MakePart>>, those: Readonly<Record<string, Values>>): void {
  Object.assign(makers, given);
  Object.assign(libraries, those);
}

// Only `require` loads a file without waiting for it.
function required(name: string): unknown {
  return process.getBuiltinModule('node:module').createRequire(place)(name);
}

function libraryOf(name: string): Values {
  return libraries[name] ?? (required(name) as Values);
}

/** The values of a part, which is loaded by the first call. */
export function part(name: string): Values {
  const earlier = made[name];
  if (earlier !== undefined) return earlier;
  const make = makers[name] ?? (required(`./${name}.cjs`) as MakePart);
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
