import { freezeRecord } from '../../../partitions/records/freeze-records.ts';
import { subpartitionOfKey } from '../../../partitions/records/key-hash.ts';
import { isThenable } from '../../../user-code.ts';
import { checkKey } from '../../key-identity.ts';
import { allOf, checkMany, checkVerdict, refuseAccumulator, refuseRecord } from '../../refused-results.ts';
import { type RecordRejections, skipped } from '../../rejected/rejections.ts';
import type { PartialResults } from './partial-results.ts';
import { type Accumulators, type LoopOperator, type LoopOptions, type Loops, tailOf } from './loop.ts';
import { type LoopTail, noRecord, type SinkTail, type WriterTail } from '../../../partitions/loop-ends.ts';
import type { SegmentTrace } from './segment.ts';

type Fn = (...given: unknown[]) => unknown;

/** A loop of nested closures: each operator calls the next. For where code must not be generated from strings. */
export function closureLoop(
  operators: readonly LoopOperator[],
  accumulators: readonly Accumulators[],
  options: LoopOptions = {},
): Loops {
  const { freezesRecords = false, ends } = options;
  const at: Place = { operator: 0, index: 0, put: 0, value: undefined, isBusy: false, out: [], trace: undefined };
  const tail = tailOf(operators, options);
  const last = tail === undefined ? collecting(at) : putting(tail, operators.length, at, freezesRecords);
  const handle = stepsOf(operators, accumulators, options, { at, last });
  const running = (out: unknown[], trace: SegmentTrace, work: () => void): void => {
    Object.assign(at, { out, trace, index: 0, put: 0, isBusy: false });
    try {
      work();
      trace.passed(at.index, at.put);
    } catch (error) {
      trace.passed(at.operator < 0 ? at.index : at.index + 1, at.put);
      trace.failedWith(at.value);
      trace.failedAt(at.operator, at.index);
      throw error;
    }
  };
  const head = ends?.head;
  return {
    usesTail: tail !== undefined,
    run: (records, out, trace) => {
      running(out, trace, () => {
        for (; at.index < records.length; at.index++) handle(records[at.index]);
      });
    },
    pull:
      head &&
      ((first, count, out, trace) => {
        running(out, trace, () => {
          at.operator = -1;
          for (let record = first === noRecord ? head.next() : first; record !== noRecord; ) {
            at.value = record;
            if (freezesRecords) freezeRecord(record);
            handle(record);
            if (++at.index === count) return;
            at.operator = -1;
            record = head.next();
          }
        });
      }),
  };
}

/** Where the loop is: its operator and input record, and what it would blame. And where its results go. */
interface Place {
  operator: number;
  index: number;
  /** Number of results that it has put to its tail. */
  put: number;
  value: unknown;
  /** Whether the tail has to wait, so that further results are held. */
  isBusy: boolean;
  out: unknown[];
  trace: SegmentTrace | undefined;
}

function collecting(at: Place): Handle {
  return (record) => {
    at.out.push(record);
    at.trace?.origins?.push(at.index);
  };
}

type Handle = (record: unknown) => void;

/** The first step, which calls the next, and so on to `last`. */
function stepsOf(
  operators: readonly LoopOperator[],
  accumulators: readonly Accumulators[],
  { freezesRecords = false, rejections, firstOperator = 0, partials }: LoopOptions,
  { at, last }: { readonly at: Place; readonly last: Handle },
): Handle {
  let folds = accumulators.length;
  let next = last;
  for (const [index, operator] of [...operators.entries()].reverse()) {
    const then = freezesRecords && index < operators.length - 1 ? freezing(next) : next;
    const enter = (): void => {
      at.operator = index;
    };
    const reject: Reject | undefined =
      operator.errors && ((error, record) => at.trace?.reject(index, at.index, error, record));
    if (operator.kind === 'aggregate') {
      const cells = accumulators[--folds] as Accumulators;
      next = reject
        ? rejectingFold(operator, cells, { enter, next: then, reject })
        : foldStep(operator, cells, { enter, next: then, keep: keeping(operator, cells, partials, at) });
    } else next = step(rejectingCall(operator, reject), enter, then);
    if (rejections?.countsRecords(firstOperator + index) === true) {
      next = counting(rejections, firstOperator + index, next);
    }
  }
  return next;
}

/** Puts results to a tail. */
function putting(tail: LoopTail, end: number, at: Place, freezesRecords: boolean): (record: unknown) => void {
  const put = tail.kind === 'sink' ? writing(tail, at) : choosing(tail, () => (at.operator = end + 1));
  return (record) => {
    [at.operator, at.value] = [end, record];
    if (freezesRecords && tail.kind === 'writer') freezeRecord(record);
    put(record);
    at.put++;
  };
}

function writing(tail: SinkTail, at: Place): (record: unknown) => void {
  return (record) => {
    if (at.isBusy) {
      tail.hold(record);
      return;
    }
    const answer = tail.writer.writeOne(record as never);
    if (answer !== undefined) at.isBusy = tail.answered(answer, record, at.put);
  };
}

/** @param chosen called when the subpartition is known */
function choosing(tail: WriterTail, chosen: () => void): (record: unknown) => void {
  const { selection, subpartitionCount } = tail;
  return (record) => {
    if (selection === 'in turn') {
      chosen();
      tail.putInTurn(record);
      return;
    }
    const subpartition =
      selection === undefined ? 0 : subpartitionOfKey(selection.keyOf(record as never), subpartitionCount);
    chosen();
    tail.put(subpartition, record);
  };
}

function freezing(then: (record: unknown) => void): (record: unknown) => void {
  return (record) => {
    freezeRecord(record);
    then(record);
  };
}

function counting(
  rejections: RecordRejections,
  operator: number,
  then: (record: unknown) => void,
): (record: unknown) => void {
  return (record) => {
    rejections.noteRecord(operator);
    then(record);
  };
}

/** Decides about a record at which a function failed. */
type Reject = (error: unknown, record: unknown) => unknown;

type Simple = Exclude<LoopOperator, { kind: 'aggregate' }>;

/** `operator` with a function that answers `skipped` for rejected records. */
function rejectingCall(operator: Simple, reject: Reject | undefined): Simple {
  if (reject === undefined) return operator;
  const guarded = (call: Fn) => (record: unknown) => {
    try {
      return call(record);
    } catch (error) {
      return reject(error, record);
    }
  };
  if (operator.kind === 'filter') return { ...operator, predicate: guarded(operator.predicate as Fn) as never };
  const fn = operator.fn as Fn;
  return { ...operator, fn: guarded(operator.kind === 'map' ? fn : (record) => allOf(fn(record))) } as Simple;
}

function rejectingFold(
  operator: Extract<LoopOperator, { kind: 'aggregate' }>,
  cells: Accumulators,
  { enter, next, reject }: { enter: () => void; next: (record: unknown) => void; reject: Reject },
): (record: unknown) => void {
  const { keyOf, create, add, result } = operator as unknown as Record<'keyOf' | 'create' | 'add' | 'result', Fn>;
  const fold = (record: unknown) => {
    const key = keyOf(record);
    checkKey(key, 'aggregate');
    const cell = cells.recall(key);
    const accumulator = cell === undefined ? create(record) : add(cell.accumulator, record);
    return { key, cell, accumulator, update: operator.emit === 'updates' ? result(accumulator, key) : undefined };
  };
  return (record) => {
    enter();
    let folded: ReturnType<typeof fold>;
    try {
      folded = fold(record);
    } catch (error) {
      reject(error, record);
      return;
    }
    const { key, cell, accumulator, update } = folded;
    if (isThenable(accumulator)) refuseAccumulator(accumulator);
    if (isThenable(update)) refuseRecord('aggregate', update);
    if (cell === undefined) cells.add(key, accumulator);
    else cell.accumulator = accumulator;
    if (operator.emit === 'updates') next(update);
  };
}

function step(operator: Simple, enter: () => void, then: (record: unknown) => void): (record: unknown) => void {
  switch (operator.kind) {
    case 'map': {
      const fn = operator.fn as Fn;
      return (record) => {
        enter();
        const result = fn(record);
        if (result === skipped) return;
        if (isThenable(result)) refuseRecord('map', result);
        then(result);
      };
    }
    case 'filter': {
      const predicate = operator.predicate as Fn;
      return (record) => {
        enter();
        const verdict = predicate(record);
        if (verdict === skipped) return;
        if (verdict !== true) checkVerdict(verdict);
        if (verdict) then(record);
      };
    }
    default: {
      const fn = operator.fn as (record: unknown) => Iterable<unknown>;
      return (record) => {
        enter();
        const many: unknown = fn(record);
        if (many === skipped) return;
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

/** Makes the cell of a new key; a partial aggregate may have no room for it. */
type Keep = (key: unknown, accumulator: unknown) => void;

function keeping(
  { emit }: Extract<LoopOperator, { kind: 'aggregate' }>,
  cells: Accumulators,
  partials: PartialResults | undefined,
  at: Place,
): Keep {
  return (key, accumulator) => {
    if (emit === 'partial' && partials?.isFull === true) partials.pass(key, accumulator, at.out);
    else cells.add(key, accumulator);
  };
}

function foldStep(
  operator: Extract<LoopOperator, { kind: 'aggregate' }>,
  cells: Accumulators,
  { enter, next, keep }: { enter: () => void; next: (record: unknown) => void; keep: Keep },
): (record: unknown) => void {
  const { keyOf, create, add, result } = operator as unknown as Record<'keyOf' | 'create' | 'add' | 'result', Fn>;
  return (record) => {
    enter();
    const key = keyOf(record);
    const cell = cells.recall(key);
    if (cell === undefined) checkKey(key, 'aggregate');
    const accumulator = cell === undefined ? create(record) : add(cell.accumulator, record);
    if (isThenable(accumulator)) refuseAccumulator(accumulator);
    if (cell === undefined) keep(key, accumulator);
    else cell.accumulator = accumulator;
    if (operator.emit !== 'updates') return;
    const update = result(accumulator, key);
    if (isThenable(update)) refuseRecord('aggregate', update);
    next(update);
  };
}
