/**
 * What is wrong with a value from outside, or undefined if nothing is. A problem begins with the path to it:
 * `.tasks[2].attempt is "1", not a whole number`. It costs nothing to describe unless there is one.
 */
export type Shape = (value: unknown) => string | undefined;

/** A value of any form, for what only its receiver understands. */
export const anything: Shape = () => undefined;

export const text: Shape = (value) => (typeof value === 'string' ? undefined : not('a text', value));

export const flag: Shape = (value) => (typeof value === 'boolean' ? undefined : not('true or false', value));

/** A number that counts or measures; Infinity for no limit. */
export const amount: Shape = (value) =>
  typeof value === 'number' && value >= 0 ? undefined : not('a number from 0', value);

/** A whole number from 0, below a limit. */
export const whole =
  (below = Number.MAX_SAFE_INTEGER): Shape =>
  (value) =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) < below
      ? undefined
      : not(below === Number.MAX_SAFE_INTEGER ? 'a whole number' : `a whole number below ${below}`, value);

/** One of these words. */
export const oneOf =
  (...words: readonly string[]): Shape =>
  (value) =>
    words.includes(value as string) ? undefined : not(words.join(' or '), value);

/** Absent, or of this form. */
export const optional =
  (shape: Shape): Shape =>
  (value) =>
    value === undefined ? undefined : shape(value);

/** Null, or of this form. */
export const orNull =
  (shape: Shape): Shape =>
  (value) =>
    value === null ? undefined : shape(value);

/** An array of such items. */
export const list =
  (item: Shape): Shape =>
  (value) => {
    if (!Array.isArray(value)) return not('an array', value);
    for (let at = 0; at < value.length; at++) {
      const problem = item(value[at]);
      if (problem !== undefined) return `[${at}]${problem}`;
    }
    return undefined;
  };

/** An object with at least these fields. */
export const object = (fields: Readonly<Record<string, Shape>>): Shape => {
  const names = Object.keys(fields);
  const shapes = Object.values(fields);
  return (value) => {
    if (typeof value !== 'object' || value === null) return not('an object', value);
    for (let at = 0; at < names.length; at++) {
      const name = names[at] as string;
      const problem = (shapes[at] as Shape)((value as Record<string, unknown>)[name]);
      if (problem !== undefined) return `.${name}${problem}`;
    }
    return undefined;
  };
};

/** An object whose `kind` decides about its other fields. */
export const variant = (fieldsByKind: Readonly<Record<string, Readonly<Record<string, Shape>>>>): Shape => {
  const shapes = new Map(Object.entries(fieldsByKind).map(([kind, fields]) => [kind, object(fields)]));
  const anyKind = object({ kind: oneOf(...shapes.keys()) });
  return (value) => anyKind(value) ?? shapes.get((value as { readonly kind: string }).kind)?.(value);
};

/** An object that nests in itself, no deeper than this. */
export const nested = (most: number, shape: (inner: Shape) => Shape): Shape => {
  const tooDeep: Shape = (value) => (value === undefined ? undefined : ` nests deeper than ${most}`);
  let nesting = tooDeep;
  for (let depth = 0; depth < most; depth++) nesting = shape(nesting);
  return nesting;
};

function not(expected: string, value: unknown): string {
  return ` is ${shown(value)}, not ${expected}`;
}

function shown(value: unknown): string {
  if (value === null || (typeof value !== 'object' && typeof value !== 'string')) return String(value);
  return typeof value === 'string'
    ? JSON.stringify(value.slice(0, 40))
    : Array.isArray(value)
      ? 'an array'
      : 'an object';
}
