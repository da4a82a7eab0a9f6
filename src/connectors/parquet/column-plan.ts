import { inQuotes } from '../../foreign-value.ts';
import type { SchemaElement, SchemaTree } from 'hyparquet';
import { MalformedInputError } from '../../errors/connector-errors.ts';
import { setOwn } from '../own-property.ts';
import type { ValueOptions } from '../value-options.ts';
import { annotationOf, describeElement } from './annotation.ts';
import { type LeafDecoder, leafDecoder } from './leaf-decoder.ts';
import { UnfitValue, ValueFaults } from './value-faults.ts';

/** A leaf of a column, stored as one column chunk per row group. */
export interface LeafPlan {
  /** Index among the leaves of the file, in schema order. */
  readonly number: number;
  /** The elements from the column to the leaf. */
  readonly path: readonly SchemaElement[];
  readonly decoder: LeafDecoder;
}

/** How to turn a column of the file into a property of a record. */
export interface ColumnPlan {
  readonly name: string;
  readonly leaves: readonly LeafPlan[];
  /**
   * Assembles the value of a row from its leaves. A leaf value is nested in one array per optional group (zero or one
   * item) and per repetition (any number of items). Undefined if the leaf's values are the column's values.
   */
  readonly assemble: Assemble | undefined;
  readonly faults: ValueFaults;
}

/** `slots` has an entry per leaf. An assembler reads the entries of its own leaves, and may change them. */
type Assemble = (slots: unknown[]) => unknown;

/**
 * Plans the columns `names` of a file with this schema, which contains all of them.
 *
 * @throws MalformedInputError that names an element of unknown type, or a duplicate name
 */
export function planColumns(
  file: string,
  schema: SchemaTree,
  names: readonly string[],
  options: ValueOptions,
): readonly ColumnPlan[] {
  const planByName = new Map<string, ColumnPlan>();
  let firstLeaf = 0;
  for (const tree of schema.children) {
    const { name } = tree.element;
    if (names.includes(name)) {
      if (planByName.has(name)) throw problem(file, `two columns are called ${inQuotes(name)}`);
      planByName.set(name, planColumn(file, tree, firstLeaf, options));
    }
    firstLeaf += countLeaves(tree);
  }
  return names.map((name) => planByName.get(name) as ColumnPlan);
}

function planColumn(file: string, tree: SchemaTree, firstLeaf: number, options: ValueOptions): ColumnPlan {
  const planner = new ColumnPlanner(file, firstLeaf, options);
  const assemble = planner.plan(tree, []);
  const isFlat = tree.children.length === 0 && tree.element.repetition_type !== 'REPEATED';
  return {
    name: tree.element.name,
    leaves: planner.leaves,
    assemble: isFlat ? undefined : assemble,
    faults: planner.faults,
  };
}

function countLeaves({ children }: SchemaTree): number {
  return children.length === 0 ? 1 : children.reduce((sum, child) => sum + countLeaves(child), 0);
}

class ColumnPlanner {
  readonly leaves: LeafPlan[] = [];
  readonly faults = new ValueFaults();
  readonly #file: string;
  readonly #firstLeaf: number;
  readonly #options: ValueOptions;

  constructor(file: string, firstLeaf: number, options: ValueOptions) {
    this.#file = file;
    this.#firstLeaf = firstLeaf;
    this.#options = options;
  }

  /** The assembler of an element, including its repetition. */
  plan(tree: SchemaTree, above: readonly SchemaElement[]): Assemble {
    const first = this.leaves.length;
    if (tree.children.length === 0) {
      this.#addLeaf(tree, above);
      return tree.element.repetition_type === 'REPEATED' ? (slots) => slots[first] ?? [] : (slots) => slots[first];
    }
    const inner = this.#planGroup(tree, [...above, tree.element]);
    const end = this.leaves.length;
    switch (tree.element.repetition_type) {
      case 'REPEATED':
        return repeated(inner, first, end);
      case 'OPTIONAL':
        return optional(inner, first, end);
      default:
        return inner;
    }
  }

  #addLeaf({ element }: SchemaTree, above: readonly SchemaElement[]): void {
    const decoder = leafDecoder(element, this.#options, this.faults);
    if (decoder === undefined) throw this.#unknown([...above, element]);
    const number = this.#firstLeaf + this.leaves.length;
    this.leaves.push({ number, path: [...above, element], decoder });
  }

  #planGroup(tree: SchemaTree, path: readonly SchemaElement[]): Assemble {
    switch (annotationOf(tree.element)?.type) {
      case undefined:
        return this.#planStruct(tree, path);
      case 'LIST':
        return this.#planList(tree, path);
      case 'MAP':
        return this.#planMap(tree, path);
      default:
        throw this.#unknown(path);
    }
  }

  #planStruct({ children }: SchemaTree, path: readonly SchemaElement[]): Assemble {
    const names = children.map(({ element }) => element.name);
    const twice = names.find((name, at) => names.indexOf(name) !== at);
    if (twice !== undefined) {
      throw problem(this.#file, `${showPath(path)} has two fields called ${inQuotes(twice)}`);
    }
    const fields = children.map((child) => this.plan(child, path));
    return (slots) => {
      const struct: Record<string, unknown> = {};
      for (let at = 0; at < fields.length; at++) setOwn(struct, names[at] as string, fields[at]?.(slots));
      return struct;
    };
  }

  #planList(tree: SchemaTree, path: readonly SchemaElement[]): Assemble {
    const [items, ...others] = tree.children;
    if (items?.element.repetition_type !== 'REPEATED' || others.length > 0) {
      throw this.#unknown(path);
    }
    const [item] = items.children;
    if (item === undefined || isItem(items, tree.element)) return this.plan(items, path);
    const first = this.leaves.length;
    const inner = this.plan(item, [...path, items.element]);
    // A leaf in a list: its array of values is the list.
    if (item.children.length === 0 && item.element.repetition_type !== 'REPEATED') return (slots) => slots[first];
    return repeated(inner, first, this.leaves.length);
  }

  #planMap(tree: SchemaTree, path: readonly SchemaElement[]): Assemble {
    const [entries, ...others] = tree.children;
    const [key, value, ...more] = entries?.children ?? [];
    if (
      entries?.element.repetition_type !== 'REPEATED' ||
      key === undefined ||
      value === undefined ||
      others.length + more.length > 0
    ) {
      throw this.#unknown(path);
    }
    const isObject = this.#options.maps !== 'entries';
    if (isObject && !this.#isPropertyKey(key)) {
      throw problem(
        this.#file,
        `the keys of ${showPath(path)} are ${describeElement(key.element)}, which cannot be property names. Set \`maps: 'entries'\``,
      );
    }
    const first = this.leaves.length;
    const inner = [...path, entries.element];
    const keyOf = this.plan(key, inner);
    const valueOf = this.plan(value, inner);
    const entriesOf = repeated((slots) => [keyOf(slots), valueOf(slots)], first, this.leaves.length);
    if (!isObject) return entriesOf;
    return (slots) => toObject(entriesOf(slots) as [unknown, unknown][], this.faults);
  }

  #unknown(path: readonly SchemaElement[]): MalformedInputError {
    const form = describeElement(path.at(-1) as SchemaElement);
    return problem(this.#file, `${showPath(path)} is ${form}, which cannot be read. Name the others in \`columns\``);
  }

  #isPropertyKey({ element, children }: SchemaTree): boolean {
    if (children.length > 0 || element.repetition_type === 'REPEATED') return false;
    switch (annotationOf(element)?.type) {
      case undefined:
        if (element.type === 'BYTE_ARRAY') return this.#options.binary === 'utf8' || this.#options.binary === 'base64';
        return element.type === 'INT32' || element.type === 'INT64';
      case 'STRING':
      case 'ENUM':
      case 'UUID':
      case 'INTEGER':
        return true;
      default:
        return false;
    }
  }
}

/**
 * Whether the repeated group is the item itself, by the backward-compatibility rules for older files (parquet-format,
 * LogicalTypes.md).
 */
function isItem(items: SchemaTree, list: SchemaElement): boolean {
  const { name } = items.element;
  return items.children.length > 1 || name === 'array' || name === `${list.name}_tuple`;
}

function optional(inner: Assemble, first: number, end: number): Assemble {
  return (slots) => {
    if ((slots[first] as unknown[]).length === 0) return null;
    for (let leaf = first; leaf < end; leaf++) slots[leaf] = (slots[leaf] as unknown[])[0];
    return inner(slots);
  };
}

function repeated(inner: Assemble, first: number, end: number): Assemble {
  return (slots) => {
    const held = slots.slice(first, end) as unknown[][];
    const count = held[0]?.length ?? 0;
    const items: unknown[] = [];
    for (let at = 0; at < count; at++) {
      for (let leaf = first; leaf < end; leaf++) slots[leaf] = held[leaf - first]?.[at];
      items.push(inner(slots));
    }
    return items;
  };
}

function toObject(entries: readonly [unknown, unknown][], faults: ValueFaults): unknown {
  const object: Record<string, unknown> = {};
  for (const [key, value] of entries) {
    if (key instanceof UnfitValue) return key;
    if (key === null || key === undefined) return faults.unfit("a map without a key. Set `maps: 'entries'`");
    // The planner allows only string and integer keys.
    const name = String(key as string | number | bigint);
    if (Object.hasOwn(object, name)) {
      return faults.unfit(`a map has the key ${inQuotes(name)} twice. Set \`maps: 'entries'\``);
    }
    setOwn(object, name, value);
  }
  return object;
}

function problem(file: string, what: string): MalformedInputError {
  return new MalformedInputError({ file }, what);
}

/** `column "a", field "b"`. */
function showPath(path: readonly SchemaElement[]): string {
  const [column, ...fields] = path.map(({ name }) => inQuotes(name));
  return `column ${column}${fields.map((field) => `, field ${field}`).join('')}`;
}
