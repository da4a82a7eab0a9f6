import { freezeRecord } from '../../partitions/records/freeze-records.ts';
import { isThenable } from '../../user-code.ts';
import { checkKey } from '../key-identity.ts';
import { checkMany, checkVerdict, refuseAccumulator, refuseRecord } from '../refused-results.ts';
import type { Accumulators, Loop, LoopOperator, LoopOptions } from './loop.ts';

type Fn = (...given: unknown[]) => unknown;

/** A loop of nested closures: each operator calls the next. For where code must not be generated from strings. */
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
