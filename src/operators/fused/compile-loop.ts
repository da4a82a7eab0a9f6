import { freezeRecord } from '../../partitions/records/freeze-records.ts';
import type { Batch } from '../../partitions/stream-element.ts';
import { isThenable } from '../../user-code.ts';
import { checkKey } from '../key-identity.ts';
import type { OperatorDescription } from '../operator-description.ts';
import { checkMany, checkVerdict, refuseAccumulator, refuseRecord } from '../refused-results.ts';
import type { SegmentTrace } from './segment.ts';

/** An operator that needs nothing but the record: it can be a step of a loop. */
export type LoopOperator = Extract<OperatorDescription, { kind: 'map' | 'filter' | 'flatMap' | 'aggregate' }>;

/** Runs a batch through a stretch of operators and appends the results. Says in `trace` where it failed. */
export type Loop = (records: Batch, out: unknown[], trace: SegmentTrace) => void;

/**
 * Accumulators by key, in the order in which the keys appeared. Each has a cell, which is changed in place: a `Map` that
 * is written for every record takes twice the time.
 */
export type Accumulators = Map<unknown, { accumulator: unknown }>;

type Fn = (...given: unknown[]) => unknown;

/** What a loop does beside its work. */
export interface LoopOptions {
  /** Whether it fills `origins` of its trace. Default false. */
  readonly tracksOrigins?: boolean;
  /** Whether it freezes what one operator hands to the next. Default false. */
  readonly freezesRecords?: boolean;
  /** Name of the vertex, for stack traces. */
  readonly name?: string | undefined;
}

/**
 * One loop for a stretch of operators, generated for it: it has its own type feedback, so that V8 inlines the user's
 * functions, which code shared by all chains cannot have. An aggregate with `emit: 'final'` may only come last.
 *
 * Where it is at is two local numbers, which cost nothing until it fails: only the handler reads them.
 *
 * A promise among the results is refused. Whether one is, is asked by its property `then`: results of an operator mostly
 * have one shape, of which V8 knows that it has none.
 *
 * Where code must not be generated from strings, the same as nested closures.
 */
export function compileLoop(
  operators: readonly LoopOperator[],
  accumulators: readonly Accumulators[],
  options: LoopOptions = {},
): Loop {
  const code = new LoopCode(operators, accumulators, options);
  try {
    // oxlint-disable-next-line typescript/no-implied-eval -- no text of the user's is in it but letters of a name
    const make = new Function(...code.names, code.text) as (...values: unknown[]) => Loop;
    return make(...code.values);
  } catch (error) {
    if (!(error instanceof EvalError)) throw error;
    return closureLoop(operators, accumulators, options);
  }
}

/** The text of a loop, and what it refers to by name. */
class LoopCode {
  readonly names: string[];
  readonly values: unknown[];
  readonly text: string;

  constructor(
    operators: readonly LoopOperator[],
    accumulators: readonly Accumulators[],
    { tracksOrigins = false, freezesRecords = false, name }: LoopOptions,
  ) {
    const helpers = { checkKey, checkVerdict, freezeRecord, refuseAccumulator, checkMany, refuseRecord };
    this.names = Object.keys(helpers);
    this.values = Object.values(helpers);
    const lines = [
      '"use strict";',
      'return function loop(records, out, trace) {',
      ...(tracksOrigins ? ['const origins = trace.origins;'] : []),
      'let i = 0, at = 0;',
      'try {',
      'for (; i < records.length; i++) {',
    ];
    /** What ends the loops that are open, innermost first: the next result of a flatMap is its operator's business again. */
    let ends = '}';
    let skip = 'continue;';
    let folds = 0;
    let value = 'records[i]';
    for (const [index, operator] of operators.entries()) {
      const result = `v${index}`;
      lines.push(`at = ${index};`);
      switch (operator.kind) {
        case 'map':
          lines.push(`const ${result} = ${this.#name(index, 'map', operator.fn)}(${value});`);
          lines.push(refusing(result, `refuseRecord('map', ${result})`));
          value = result;
          break;
        case 'filter':
          lines.push(`const ${result} = ${value};`);
          lines.push(`const h${index} = ${this.#name(index, 'holds', operator.predicate)}(${result});`);
          lines.push(`if (h${index} !== true) { if (!h${index}) ${skip} checkVerdict(h${index}); }`);
          value = result;
          break;
        case 'flatMap':
          lines.push(`const m${index} = ${this.#name(index, 'many', operator.fn)}(${value});`);
          lines.push(`if (!Array.isArray(m${index})) checkMany(m${index});`);
          lines.push(`for (const ${result} of m${index}) {`);
          lines.push(refusing(result, `refuseRecord('flatMap', ${result})`));
          ends = `at = ${index};}${ends}`;
          skip = `{ at = ${index}; continue; }`;
          value = result;
          break;
        case 'aggregate':
          lines.push(...this.#fold(index, operator, value, accumulators[folds++] as Accumulators));
          value = result;
          break;
      }
      const isHandedOn = operator.kind !== 'filter' && index < operators.length - 1;
      if (freezesRecords && isHandedOn) lines.push(`freezeRecord(${value});`);
    }
    const last = operators.at(-1);
    if (last?.kind !== 'aggregate' || last.emit === 'updates') {
      lines.push(`out.push(${value});`);
      if (tracksOrigins) lines.push('origins.push(i);');
    }
    lines.push(ends, '} catch (error) {', 'trace.failedAt(at, i);', 'throw error;', '}', '}');
    if (name !== undefined) lines.push(`//# sourceURL=kintsugi:${name.replaceAll(/[^\p{L}\p{N}._-]/gu, '_')}`);
    this.text = lines.join('\n');
  }

  #fold(
    index: number,
    { keyOf, create, add, result, emit }: Extract<LoopOperator, { kind: 'aggregate' }>,
    value: string,
    accumulators: Accumulators,
  ): string[] {
    const cells = this.#name(index, 'cells', accumulators);
    return [
      `const r${index} = ${value};`,
      `const k${index} = ${this.#name(index, 'keyOf', keyOf)}(r${index});`,
      `let c${index} = ${cells}.get(k${index});`,
      `if (c${index} === undefined) {`,
      `checkKey(k${index}, 'aggregate');`,
      `${cells}.set(k${index}, c${index} = { accumulator: ${this.#name(index, 'create', create)}(r${index}) });`,
      refusing(`c${index}.accumulator`, `refuseAccumulator(c${index}.accumulator)`),
      '} else {',
      // An accumulator that is changed in place was looked at when it was made.
      `const n${index} = ${this.#name(index, 'add', add)}(c${index}.accumulator, r${index});`,
      `if (n${index} !== c${index}.accumulator) {`,
      refusing(`n${index}`, `refuseAccumulator(n${index})`),
      '}',
      // Also where they are equal: 0 and -0 are.
      `c${index}.accumulator = n${index};`,
      '}',
      `const a${index} = c${index}.accumulator;`,
      ...(emit === 'updates'
        ? [
            `const v${index} = ${this.#name(index, 'result', result)}(a${index}, k${index});`,
            refusing(`v${index}`, `refuseRecord('aggregate', v${index})`),
          ]
        : []),
    ];
  }

  #name(index: number, what: string, value: unknown): string {
    const name = `${what}${index}`;
    this.names.push(name);
    this.values.push(value);
    return name;
  }
}

/** The line that refuses a promise. It does without a call, which V8 may or may not inline. */
function refusing(value: string, refuse: string): string {
  return `if (typeof ${value} === 'object' && ${value} !== null && typeof ${value}.then === 'function') ${refuse};`;
}

/** The same by closures: each operator calls the next. */
export function closureLoop(
  operators: readonly LoopOperator[],
  accumulators: readonly Accumulators[],
  { freezesRecords = false }: LoopOptions = {},
): Loop {
  let out: unknown[] = [];
  let origins: number[] | undefined;
  const at = { operator: 0, index: 0 };
  let folds = accumulators.length;
  let next: (record: unknown) => void = (record) => {
    out.push(record);
    origins?.push(at.index);
  };
  for (const [index, operator] of [...operators.entries()].reverse()) {
    const then = freezesRecords && index < operators.length - 1 ? freezing(next) : next;
    const enter = (): void => {
      at.operator = index;
    };
    if (operator.kind === 'aggregate') next = foldStep(operator, accumulators[--folds] as Accumulators, enter, then);
    else next = step(operator, enter, then);
  }
  const first = next;
  return (records, target, trace) => {
    [out, origins] = [target, trace.origins];
    try {
      for (at.index = 0; at.index < records.length; at.index++) first(records[at.index]);
    } catch (error) {
      trace.failedAt(at.operator, at.index);
      throw error;
    }
  };
}

function freezing(then: (record: unknown) => void): (record: unknown) => void {
  return (record) => {
    freezeRecord(record);
    then(record);
  };
}

function step(
  operator: Exclude<LoopOperator, { kind: 'aggregate' }>,
  enter: () => void,
  then: (record: unknown) => void,
): (record: unknown) => void {
  switch (operator.kind) {
    case 'map': {
      const fn = operator.fn as Fn;
      return (record) => {
        enter();
        const result = fn(record);
        if (isThenable(result)) refuseRecord('map', result);
        then(result);
      };
    }
    case 'filter': {
      const predicate = operator.predicate as Fn;
      return (record) => {
        enter();
        const verdict = predicate(record);
        if (verdict !== true) checkVerdict(verdict);
        if (verdict) then(record);
      };
    }
    default: {
      const fn = operator.fn as (record: unknown) => Iterable<unknown>;
      return (record) => {
        enter();
        const many: unknown = fn(record);
        checkMany(many);
        for (const result of many) {
          if (isThenable(result)) refuseRecord('flatMap', result);
          then(result);
          enter();
        }
      };
    }
  }
}

function foldStep(
  operator: Extract<LoopOperator, { kind: 'aggregate' }>,
  cells: Accumulators,
  enter: () => void,
  then: (record: unknown) => void,
): (record: unknown) => void {
  const { keyOf, create, add, result } = operator as unknown as Record<'keyOf' | 'create' | 'add' | 'result', Fn>;
  return (record) => {
    enter();
    const key = keyOf(record);
    let cell = cells.get(key);
    if (cell === undefined) {
      checkKey(key, 'aggregate');
      cells.set(key, (cell = { accumulator: create(record) }));
    } else cell.accumulator = add(cell.accumulator, record);
    if (isThenable(cell.accumulator)) refuseAccumulator(cell.accumulator);
    if (operator.emit !== 'updates') return;
    const update = result(cell.accumulator, key);
    if (isThenable(update)) refuseRecord('aggregate', update);
    then(update);
  };
}
