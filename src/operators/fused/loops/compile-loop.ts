import { freezeRecord } from '../../../partitions/records/freeze-records.ts';
import { subpartitionOfKey } from '../../../partitions/records/key-hash.ts';
import { checkKey } from '../../key-identity.ts';
import { allOf, checkMany, checkVerdict, refuseAccumulator, refuseRecord } from '../../refused-results.ts';
import { skipped } from '../../rejected/rejections.ts';
import { FoldTable } from '../../state/tables/fold-table.ts';
import { closureLoop } from './closure-loop.ts';
import { callApart, callApartWithTwo, stayApart } from './call-apart.ts';
import { assigned, type Caught, cellOf, foldingObject, inComment, noting, refusing, updating } from './loop-lines.ts';
import { type Accumulators, type LoopOperator, type LoopOptions, type Loops, tailOf } from './loop.ts';
import { type LoopTail, noRecord, type WriterTail } from '../../../partitions/loop-ends.ts';

/**
 * Generates one loop for a stretch of operators. Unlike code shared by all chains, it has its own type feedback, so
 * V8 inlines the user's functions. An aggregate that does not emit `updates` may only come last.
 *
 * Its position is in two local numbers, which cost nothing because only the error handler reads them.
 *
 * A promise among the results is refused; it is recognized by its property `then`. The results of an operator mostly
 * have one shape, for which V8 knows that there is no such property.
 *
 * An operator with `errors` has its calls in a `try` of its own; the others cost nothing more.
 *
 * If code generation from strings is forbidden, it returns nested closures instead.
 */
export function compileLoop(
  operators: readonly LoopOperator[],
  accumulators: readonly Accumulators[],
  options: LoopOptions = {},
): Loops {
  const code = new LoopCode(operators, accumulators, options);
  try {
    // oxlint-disable-next-line typescript/no-implied-eval -- the only user text in it is the letters of a name
    const make = new Function(...code.values.keys(), code.text) as (...values: unknown[]) => Loops;
    return make(...code.values.values());
  } catch (error) {
    if (!(error instanceof EvalError)) throw error;
    return closureLoop(operators, accumulators, options);
  }
}

/** What the source text of a loop may call. */
const helpers = {
  ...{ checkKey, checkVerdict, checkMany, freezeRecord, refuseAccumulator, refuseRecord },
  ...{ callApart, callApartWithTwo, stayApart, allOf, skipped, noRecord, subpartitionOfKey },
};

/** The source text of the loops, and the values it refers to by name. */
class LoopCode {
  readonly values = new Map<string, unknown>(Object.entries(helpers));
  readonly text: string;
  readonly #operators: readonly LoopOperator[];
  readonly #accumulators: readonly Accumulators[];
  readonly #options: LoopOptions;
  readonly #tail: LoopTail | undefined;
  /** Functions that are called apart. In an array, because V8 knows the value of a variable that is never assigned. */
  readonly #apart: unknown[] | undefined;

  constructor(operators: readonly LoopOperator[], accumulators: readonly Accumulators[], options: LoopOptions) {
    this.#operators = operators;
    this.#accumulators = accumulators;
    this.#options = options;
    this.#tail = tailOf(operators, options);
    if (options.callsApart === true) this.values.set('apart', (this.#apart = []));
    const { name, ends, feedback } = options;
    const lines = ['"use strict";', 'return {', `usesTail: ${this.#tail !== undefined},`];
    lines.push('run: function loop(records, out, trace) {', ...this.#loop('records[i]'), '},');
    if (ends?.head !== undefined) {
      this.values.set('head', ends.head);
      lines.push('pull: function loop(first, count, out, trace) {', ...this.#loop('r'), '},');
    }
    lines.push('};');
    // V8 keeps the functions of a text for when it comes again: a job that runs again with other functions, for which
    // what it has learnt is too general, would take up to 1.7 times as long.
    if (feedback !== undefined) lines.push(`// ${inComment(feedback)}`);
    if (name !== undefined) lines.push(`//# sourceURL=kintsugi:${inComment(name)}`);
    this.text = lines.join('\n');
  }

  /** @param first the current input record: one of a batch, or the one that was taken from the head */
  #loop(first: 'records[i]' | 'r'): string[] {
    const { tracksOrigins = false } = this.#options;
    const isPulling = first === 'r';
    const head = '(at = -1, head.next())';
    const { lines, ends } = this.#body(first);
    const freezing = this.#options.freezesRecords === true ? ['freezeRecord(r);'] : [];
    return [
      ...(tracksOrigins ? ['const origins = trace.origins;'] : []),
      ...(this.#apart === undefined ? [] : ['stayApart();']),
      'let i = 0, at = 0, n = 0, isBusy = false;',
      'try {',
      isPulling
        ? `for (let r = first === noRecord ? ${head} : first; r !== noRecord; r = ++i < count ? ${head} : noRecord) {`
        : 'for (; i < records.length; i++) {',
      ...(isPulling ? noting('r', [...freezing, ...lines, ends]) : [...lines, ends]),
      '}',
      'trace.passed(i, n);',
      '} catch (error) {',
      'trace.passed(at < 0 ? i : i + 1, n);',
      'trace.failedAt(at, i);',
      'throw error;',
      '}',
    ];
  }

  /** What happens to one input record, and what closes the loops that it opens, innermost first. */
  #body(first: string): { readonly lines: readonly string[]; readonly ends: string } {
    const { tracksOrigins = false, freezesRecords = false, rejections, firstOperator = 0 } = this.#options;
    const lines: string[] = [];
    let ends = '';
    let skip = 'continue;';
    let folds = 0;
    let value = first;
    for (const [index, operator] of this.#operators.entries()) {
      lines.push(`at = ${index};`);
      const isCounted = rejections?.countsRecords(firstOperator + index) === true;
      if (isCounted) lines.push(`${this.#name(index, 'seen', rejections.seen)}[${firstOperator + index}]++;`);
      const caught = operator.errors && { index, value, skip };
      switch (operator.kind) {
        case 'map':
          lines.push(...this.#map(index, operator.fn, value, caught));
          break;
        case 'filter':
          lines.push(...this.#filter(index, operator.predicate, value, skip, caught));
          break;
        case 'flatMap':
          lines.push(...this.#flatMap(index, operator.fn, value, caught));
          // The next result of a flatMap is at its operator again.
          ends = `at = ${index};}${ends}`;
          skip = `{ at = ${index}; continue; }`;
          break;
        case 'aggregate':
          lines.push(...this.#fold(index, operator, value, this.#accumulators[folds++] as Accumulators, caught));
          break;
      }
      value = `v${index}`;
      const isHandedOn = operator.kind !== 'filter' && index < this.#operators.length - 1;
      if (freezesRecords && isHandedOn) lines.push(`freezeRecord(${value});`);
    }
    const last = this.#operators.at(-1);
    if (last?.kind !== 'aggregate' || last.emit === 'updates') {
      if (this.#tail !== undefined) lines.push(...this.#put(this.#tail, value));
      else lines.push(`out.push(${value});`, ...(tracksOrigins ? ['origins.push(i);'] : []));
    }
    return { lines, ends };
  }

  /** Puts a result to the tail. */
  #put(tail: LoopTail, value: string): string[] {
    const end = this.#operators.length;
    this.values.set('tail', tail);
    const lines = [`at = ${end};`];
    if (tail.kind === 'sink') {
      this.values.set('writer', tail.writer);
      lines.push(
        `if (isBusy) tail.hold(${value});`,
        `else { const w = writer.writeOne(${value}); if (w !== undefined) isBusy = tail.answered(w, ${value}, n); }`,
      );
    } else {
      if (this.#options.freezesRecords === true) lines.push(`freezeRecord(${value});`);
      lines.push(...this.#choose(tail, value));
    }
    return [...noting(value, lines), 'n++;'];
  }

  /** Puts a result to the subpartition that it belongs to. */
  #choose({ selection, subpartitionCount }: WriterTail, value: string): string[] {
    const put = `at = ${this.#operators.length + 1};`;
    if (selection === undefined) return [put, `tail.put(0, ${value});`];
    if (selection === 'in turn') return [put, `tail.putInTurn(${value});`];
    this.values.set('placeBy', selection.keyOf);
    return [
      `const s = subpartitionOfKey(${this.#call('placeBy', value)}, ${subpartitionCount});`,
      put,
      `tail.put(s, ${value});`,
    ];
  }

  #map(index: number, fn: unknown, value: string, caught: Caught): string[] {
    return [
      ...assigned(`v${index}`, this.#call(this.#name(index, 'map', fn), value), caught),
      refusing(`v${index}`, `refuseRecord('map', v${index})`),
    ];
  }

  #filter(index: number, predicate: unknown, value: string, skip: string, caught: Caught): string[] {
    return [
      `const v${index} = ${value};`,
      ...assigned(`h${index}`, this.#call(this.#name(index, 'holds', predicate), `v${index}`), caught),
      `if (h${index} !== true) { if (!h${index}) ${skip} checkVerdict(h${index}); }`,
    ];
  }

  /** Opens a loop over the results. */
  #flatMap(index: number, fn: unknown, value: string, caught: Caught): string[] {
    const many = this.#call(this.#name(index, 'many', fn), value);
    return [
      ...assigned(`m${index}`, caught === undefined ? many : `allOf(${many})`, caught),
      `if (!Array.isArray(m${index})) checkMany(m${index});`,
      `for (const v${index} of m${index}) {`,
      refusing(`v${index}`, `refuseRecord('flatMap', v${index})`),
    ];
  }

  #fold(
    index: number,
    { keyOf, create, add, result, emit }: Extract<LoopOperator, { kind: 'aggregate' }>,
    value: string,
    accumulators: Accumulators,
    caught: Caught,
  ): string[] {
    const table = tableOf(accumulators, caught);
    const cells = this.#name(index, 'cells', table);
    const [callKeyOf, callCreate, callAdd] = [
      this.#call(this.#name(index, 'keyOf', keyOf), `r${index}`),
      this.#call(this.#name(index, 'create', create), `r${index}`),
      this.#call(this.#name(index, 'add', add), `c${index}.accumulator`, `r${index}`),
    ];
    const callResult = (of: string): string => this.#call(this.#name(index, 'result', result), of, `k${index}`);
    if (table instanceof FoldTable) {
      this.#name(index, 'objects', table.objects);
      const addTo = (of: string): string => this.#call(`add${index}`, of, `r${index}`);
      const lines = foldingObject(index, value, { keyOf: callKeyOf, create: callCreate, addTo });
      return emit === 'updates' ? [...lines, ...updating(index, callResult(`a${index}`))] : lines;
    }
    if (caught !== undefined) {
      return [
        `const r${index} = ${value};`,
        `let k${index}, c${index}, a${index}, v${index};`,
        'try {',
        `k${index} = ${callKeyOf};`,
        `checkKey(k${index}, 'aggregate');`,
        `c${index} = ${cellOf(index, cells, table)}`,
        `a${index} = c${index} === undefined ? ${callCreate} : ${callAdd};`,
        ...(emit === 'updates' ? [`v${index} = ${callResult(`a${index}`)};`] : []),
        `} catch (error) { trace.reject(${index}, i, error, r${index}); ${caught.skip} }`,
        refusing(`a${index}`, `refuseAccumulator(a${index})`),
        ...(emit === 'updates' ? [refusing(`v${index}`, `refuseRecord('aggregate', v${index})`)] : []),
        // Only now: a rejected record leaves nothing behind.
        `if (c${index} === undefined) ${cells}.add(k${index}, a${index});`,
        `else c${index}.accumulator = a${index};`,
      ];
    }
    return [
      `const r${index} = ${value};`,
      `const k${index} = ${callKeyOf};`,
      `let c${index} = ${cellOf(index, cells, table)}`,
      `if (c${index} === undefined) {`,
      `checkKey(k${index}, 'aggregate');`,
      `const n${index} = ${callCreate};`,
      refusing(`n${index}`, `refuseAccumulator(n${index})`),
      this.#keeping(index, emit, cells),
      '} else {',
      // An accumulator that is changed in place was checked when it was created.
      `const n${index} = ${callAdd};`,
      `if (n${index} !== c${index}.accumulator) {`,
      refusing(`n${index}`, `refuseAccumulator(n${index})`),
      '}',
      // Assigned even if they are equal, because 0 equals -0.
      `c${index}.accumulator = n${index};`,
      '}',
      ...(emit === 'updates' ? updating(index, callResult(`c${index}.accumulator`)) : []),
    ];
  }

  /** Makes the cell of a new key; a partial aggregate may have no room for it. */
  #keeping(index: number, emit: string, cells: string): string {
    const keep = `c${index} = ${cells}.add(k${index}, n${index});`;
    if (emit !== 'partial') return keep;
    const partials = this.#name(index, 'partials', this.#options.partials);
    return `if (${partials}.isFull) ${partials}.pass(k${index}, n${index}, out); else ${keep}`;
  }

  #call(name: string, ...values: string[]): string {
    if (this.#apart === undefined) return `${name}(${values.join(', ')})`;
    const place = this.#apart.push(this.values.get(name)) - 1;
    return `${values.length === 1 ? 'callApart' : 'callApartWithTwo'}(${[`apart[${place}]`, ...values].join(', ')})`;
  }

  #name(index: number, what: string, value: unknown): string {
    const name = `${what}${index}`;
    this.values.set(name, value);
    return name;
  }
}

/** The cells of a fold that holds no objects by themselves are in a table of their own, so no getter is on the way to them. */
function tableOf(table: Accumulators, caught: Caught): Accumulators {
  const isInCells = table instanceof FoldTable && (table.access === 'cells' || caught !== undefined);
  return isInCells ? table.makeCells() : table;
}
