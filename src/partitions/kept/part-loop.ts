import { blankList } from '../records/blank-list.ts';
import type { Batch } from '../stream-element.ts';

/**
 * How the values of one property are held: `integers` of 32 bits and `doubles` without an object for each; `one` that all
 * records have; a `list`. If a value does not fit, the next kind may do.
 */
export type PartKind = 'integers' | 'doubles' | 'one' | 'list';

/** The values by property; of `one`, only that. */
export type Parts = readonly ArrayLike<unknown>[];

/**
 * Takes records apart. Returns the number of a property if one of its values is of another kind, and undefined for other
 * records. Each value is read once. @throws what a getter throws; TypeError for null
 */
export type PartLoop = (records: Batch) => Parts | number | undefined;

/** By keys and kinds. A job has few kinds of records; the oldest go. */
const loops = new Map<string, PartLoop | undefined>();
const mostLoops = 64;

/**
 * A loop that takes records with these keys apart, with the keys as literals, for which V8 knows the shape of the records
 * from the start. Undefined where code generation from strings is forbidden.
 */
export function partLoop(keys: readonly string[], kinds: readonly PartKind[]): PartLoop | undefined {
  const name = JSON.stringify([keys, kinds]);
  if (loops.has(name)) return loops.get(name);
  const loop = compiled(keys, kinds);
  const [oldest] = loops.keys();
  if (oldest !== undefined && loops.size === mostLoops) loops.delete(oldest);
  loops.set(name, loop);
  return loop;
}

/** Whether a value has no parts, and no identity but its value. */
export function isPrimitive(value: unknown): boolean {
  return typeof value === 'object' ? value === null : typeof value !== 'function' && typeof value !== 'symbol';
}

/** Where the values go, in code. */
const made: Readonly<Record<PartKind, (key: string) => string>> = {
  integers: () => 'new Int32Array(count)',
  doubles: () => 'new Float64Array(count)',
  one: (key) => `[records[0][${key}]]`,
  list: () => 'blankList(count)',
};

/** Whether a value is of another kind, in code. −0 is no integer. */
const misfit: Readonly<Record<PartKind, (value: string, part: string) => string>> = {
  integers: (value) =>
    `typeof ${value} !== 'number' || (${value} | 0) !== ${value} || (${value} === 0 && 1 / ${value} < 0)`,
  doubles: (value) => `typeof ${value} !== 'number'`,
  one: (value, part) => `${value} !== ${part}[0]`,
  list: (value) => `typeof ${value} !== 'string' && !isPrimitive(${value})`,
};

function compiled(keys: readonly string[], kinds: readonly PartKind[]): PartLoop | undefined {
  const names = keys.map((key) => JSON.stringify(key));
  const parts = names.map((name, at) => `const part${at} = ${made[kinds[at] as PartKind](name)};`);
  const steps = kinds.map((kind, at) => {
    const put = kind === 'one' ? '' : `part${at}[i] = value${at};`;
    return `if (${misfit[kind](`value${at}`, `part${at}`)}) return ${at}; ${put}`;
  });
  // The values come first: what V8 then knows of the record makes the questions about it cheap.
  const code = `const count = records.length;
    ${parts.join(' ')}
    for (let i = 0; i < count; i++) {
      const record = records[i];
      const { ${names.map((name, at) => `${name}: value${at}`).join(', ')} } = record;
      if (typeof record !== 'object' || Object.getPrototypeOf(record) !== Object.prototype) return undefined;
      let at = 0;
      for (const key in record) {
        switch (at++) {
          ${names.map((name, at) => `case ${at}: if (key !== ${name}) return undefined; break;`).join('\n          ')}
          default: return undefined;
        }
      }
      if (at !== ${keys.length}) return undefined;
      ${steps.join('\n      ')}
    }
    return [${names.map((_, at) => `part${at}`).join(', ')}];`;
  try {
    // oxlint-disable-next-line typescript/no-implied-eval -- the only foreign text in it is string literals
    const make = new Function('blankList', 'isPrimitive', `"use strict"; return (records) => { ${code} };`) as Make;
    return make(blankList, isPrimitive);
  } catch (error) {
    if (!(error instanceof EvalError)) throw error;
    return undefined;
  }
}

type Make = (blank: typeof blankList, primitive: typeof isPrimitive) => PartLoop;
