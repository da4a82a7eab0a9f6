import type { Batch } from '../stream-element.ts';
import { blankList } from './blank-list.ts';
import { isWellFormed } from './plain-data.ts';

/** Properties beyond this number are not worth a column each. */
const mostKeys = 128;

/** The keys that plain objects have in common, in their order: takes such objects apart, and makes them. */
export interface RecordShape {
  readonly keys: readonly string[];
  /** The keys as JSON. */
  readonly json: string;
  /** The values by key. Each is read once, because a getter may answer something else the next time. */
  readonly take: (records: Batch) => readonly (readonly unknown[])[];
  /** Objects of the values by key. */
  readonly assemble: (columns: readonly ArrayLike<unknown>[], count: number) => unknown[];
}

/** The shape of all records; undefined unless all of them are plain objects with the same keys, in the same order. */
export function commonShape(records: Batch): RecordShape | undefined {
  const [first] = records;
  if (!isPlainObject(first)) return undefined;
  const keys = Object.keys(first);
  const areUsual = keys.every((key) => key !== '__proto__' && isWellFormed(key));
  if (keys.length === 0 || keys.length > mostKeys || !areUsual) return undefined;
  for (const record of records) {
    if (!isPlainObject(record)) return undefined;
    let at = 0;
    for (const key in record) if (key !== keys[at++]) return undefined;
    if (at !== keys.length) return undefined;
  }
  return shapeOf(JSON.stringify(keys));
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** By the keys, as JSON. A job has few kinds of records; the oldest go. */
const shapes = new Map<string, RecordShape>();
const mostShapes = 64;

/** The shape with these keys. @param json a list of texts, none of them `__proto__` */
export function shapeOf(json: string): RecordShape {
  const known = shapes.get(json);
  if (known !== undefined) return known;
  const keys = JSON.parse(json) as string[];
  const shape: RecordShape = { keys, json, ...(compiled(keys) ?? interpreted(keys)) };
  const [oldest] = shapes.keys();
  if (oldest !== undefined && shapes.size === mostShapes) shapes.delete(oldest);
  shapes.set(json, shape);
  return shape;
}

type Loops = Pick<RecordShape, 'take' | 'assemble'>;

/**
 * Loops with the keys as literals, for which V8 knows the shape of the records from the start. Undefined where code
 * generation from strings is forbidden.
 */
function compiled(keys: readonly string[]): Loops | undefined {
  const columns = keys.map((_, index) => `column${index}`).join(', ');
  const names = keys.map((key) => JSON.stringify(key));
  try {
    return {
      take: loop(
        'records',
        `const count = records.length;
        const [${columns}] = [${keys.map(() => 'blankList(count)').join(', ')}];
        for (let i = 0; i < count; i++) {
          const record = records[i];
          ${names.map((name, index) => `column${index}[i] = record[${name}];`).join(' ')}
        }
        return [${columns}];`,
      ),
      assemble: loop(
        'columns, count',
        `const [${columns}] = columns;
        const records = blankList(count);
        for (let i = 0; i < count; i++) records[i] = { ${names.map((name, index) => `${name}: column${index}[i]`).join(', ')} };
        return records;`,
      ),
    };
  } catch (error) {
    if (!(error instanceof EvalError)) throw error;
    return undefined;
  }
}

function loop<Loop>(parameters: string, code: string): Loop {
  // oxlint-disable-next-line typescript/no-implied-eval -- the only foreign text in it is string literals
  const make = new Function('blankList', `"use strict"; return (${parameters}) => { ${code} };`) as Made<Loop>;
  return make(blankList);
}

type Made<Loop> = (blank: typeof blankList) => Loop;

function interpreted(keys: readonly string[]): Loops {
  return {
    take: (records) => keys.map((key) => records.map((record) => (record as Readonly<Record<string, unknown>>)[key])),
    assemble: (columns, count) =>
      Array.from({ length: count }, (_, index) => {
        const record: Record<string, unknown> = {};
        for (const [at, key] of keys.entries()) record[key] = columns[at]?.[index];
        return record;
      }),
  };
}
