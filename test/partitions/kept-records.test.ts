import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { RecordNotSerializableError } from '../../src/errors/result-errors.ts';
import { RecordDivider } from '../../src/partitions/kept/record-parts.ts';
import { type Batch, elementOf } from '../../src/partitions/stream-element.ts';
import { bundledCode } from '../support/bundled-script.ts';
import { difference } from '../support/difference.ts';
import { recordsOf, RetainedRig, type RetainedRigOptions } from '../support/partition-harness.ts';
import { thrownBy } from '../support/thrown-by.ts';

const count = 5_000;

/** Records with a property that takes these values in turn. */
const recordsWith = (values: readonly unknown[], length = count): Batch =>
  Array.from({ length }, (_, id) => ({ id, value: values[id % values.length] }));

const again = (records: Batch, divider = new RecordDivider(false)): Batch | undefined =>
  divider.parts(records)?.assemble();

describe('records by property', () => {
  it.each<[what: string, values: readonly unknown[]]>([
    ['integers', [0, 1, -1, 2 ** 31 - 1, -(2 ** 31)]],
    ['larger integers', [2 ** 31, -(2 ** 31) - 1, 2 ** 53, 1]],
    ['doubles', [0.1, Number.NaN, Number.NEGATIVE_INFINITY, Number.MIN_VALUE, 3]],
    ['−0 among integers', [0, -0, 1]],
    ['−0 alone', [-0]],
    ['numbers and others', [1, 'one', null, undefined]],
    ['others and numbers', [null, 1.5, -0]],
    ['one text', ['same']],
    ['texts', ['', 'ä', '\ud800', 'x'.repeat(300)]],
    ['booleans', [true, false]],
    ['nothing', [undefined]],
    ['nothing of two kinds', [undefined, null]],
    ['bigints', [2n ** 70n, 1n]],
  ])('are made again as they were: %s', (_, values) => {
    const records = recordsWith(values);
    expect(difference(again(records), records)).toBeUndefined();
  });

  it('property: are made again as they were, whatever the batches before', () => {
    const values = fc.oneof(
      fc.array(fc.integer()),
      fc.array(fc.double()),
      fc.array(fc.constantFrom('a', 'b', 'ä')),
      fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(null, undefined, true, -0, 0, 1n))),
    );
    const names = fc.uniqueArray(
      fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('constructor', '1', '0', 'i')),
      {
        minLength: 1,
        maxLength: 3,
      },
    );
    const batch = fc
      .tuple(names, fc.array(values, { minLength: 3, maxLength: 3 }), fc.integer({ min: 16, max: 40 }))
      .map(([keys, columns, length]) =>
        Array.from({ length }, (_, index) =>
          Object.fromEntries(
            keys.map((key, at) => {
              const column = columns[at] as readonly unknown[];
              return [key, column[index % Math.max(1, column.length)]];
            }),
          ),
        ),
      );
    fc.assert(
      fc.property(fc.array(batch, { minLength: 1, maxLength: 4 }), (batches) => {
        const divider = new RecordDivider(false);
        for (const records of [...batches, ...batches]) {
          if (Object.hasOwn(records[0] as object, '__proto__')) continue;
          const back = again(records, divider) as Batch;
          expect(difference(back, records)).toBeUndefined();
          expect(back.map((record) => Object.keys(record as object))).toEqual(
            records.map((record) => Object.keys(record)),
          );
        }
      }),
      { numRuns: 150 },
    );
  });

  it.each<[what: string, odd: unknown]>([
    ['another key', { id: 1, other: 2 }],
    ['one key more', { id: 1, value: 2, more: 3 }],
    ['one key less', { id: 1 }],
    ['an inherited value', Object.assign(Object.create({ value: 2 }) as object, { id: 1 })],
    ['another order of the keys', { value: 2, id: 1 }],
    ['no prototype', Object.assign(Object.create(null) as object, { id: 1, value: 2 })],
    ['a class', Object.assign(new (class Point {})(), { id: 1, value: 2 })],
    ['a key __proto__', JSON.parse('{"id": 1, "__proto__": 2}')],
    ['an object in it', { id: 1, value: {} }],
    ['a function in it', { id: 1, value: () => 1 }],
    ['a symbol in it', { id: 1, value: Symbol('a') }],
    [
      'a getter that throws',
      {
        id: 1,
        get value(): number {
          throw new Error('not yet');
        },
      },
    ],
    ['a symbol as a key', { id: 1, value: 2, [Symbol('a')]: 3 }],
    ['a key that is not enumerable', Object.defineProperty({ id: 1, value: 2 }, 'hidden', { value: 3 })],
    ['a list', [1, 2]],
    ['no object', null],
    ['nothing', undefined],
    ['a number', 1],
  ])('are left as they are if the first of them has %s, or is that', (_, odd) => {
    expect(again([odd, ...recordsWith([1, 'two'])])).toBeUndefined();
  });

  it.each<[what: string, odd: unknown]>([
    ['another key', { id: 1, other: 2 }],
    ['one key more', { id: 1, value: 2, more: 3 }],
    ['an inherited value', Object.assign(Object.create({ value: 2 }) as object, { id: 1 })],
    ['a class', Object.assign(new (class Point {})(), { id: 1, value: 2 })],
    ['no prototype', Object.assign(Object.create(null) as object, { id: 1, value: 2 })],
    ['another order of the keys', { value: 2, id: 1 }],
    ['an object in it', { id: 1, value: {} }],
    ['a function in it', { id: 1, value: () => 1 }],
    ['nothing', null],
    ['a number', 1],
  ])('are left as they are if the last of them has %s, or is that', (_, odd) => {
    const divider = new RecordDivider(false);
    const records = recordsWith([1, 'two']);
    expect(again([...records, odd], divider)).toBeUndefined();
    expect(difference(again(records, divider), records)).toBeUndefined();
  });

  it('are left as they are if code must not be generated from strings', async () => {
    const module = join(__dirname, '../../src/partitions/kept/record-parts.ts');
    const script = `
      import assert from 'node:assert';
      import { RecordDivider } from ${JSON.stringify(module)};
      assert.throws(() => new Function('return 1'), EvalError);
      const records = Array.from({ length: 20 }, (_, id) => ({ id, text: 'a' }));
      assert.strictEqual(new RecordDivider(false).parts(records), undefined);`;
    const directory = mkdtempSync(join(tmpdir(), 'kept-records-'));
    execFileSync(process.execPath, ['--disallow-code-generation-from-strings', await bundledCode(script, directory)]);
    rmSync(directory, { recursive: true, force: true });
  });
});

const size = 20;

describe.each<[name: string, options: RetainedRigOptions]>([
  ['memory', { retention: 'memory' }],
  ['memory, then disk', { retention: 'memory-then-disk' }],
])('kept records: %s', (_, options) => {
  const written = (rig: RetainedRig, records: Batch): Batch => {
    rig.partition.write(0, elementOf(records));
    rig.settle();
    return records;
  };

  it('KR1: a reader in step gets the written records, a later one equal ones', () => {
    const rig = new RetainedRig(options);
    const inStep = rig.read();
    const batches = [0, size].map((from) => written(rig, recordsOf(0, from, from + size)));
    const late = rig.read();
    expect(inStep.elements.map((element) => 'records' in element && element.records)).toEqual(batches);
    expect(inStep.records.every((record, index) => record === batches.flat()[index])).toBe(true);
    expect(late.records).toEqual(batches.flat());
    expect(late.records.some((record, index) => record === batches.flat()[index])).toBe(false);
  });

  it('KR1: a reader a few batches behind gets the written records too', () => {
    const rig = new RetainedRig(options);
    const reading = rig.read({ credits: 0 });
    const batches = [0, size, 2 * size].map((from) => written(rig, recordsOf(0, from, from + size)));
    reading.request(3);
    expect(reading.records.every((record, index) => record === batches.flat()[index])).toBe(true);
  });

  it('KR1: a reader gets the same records each time it looks', () => {
    const rig = new RetainedRig(options);
    written(rig, recordsOf(0, 0, size));
    const [first] = rig.read().records;
    const reading = rig.read();
    expect(reading.records[0]).toBe(reading.records[0]);
    expect(reading.records[0]).not.toBe(first);
  });

  it('KR1: records that were frozen are frozen when they are made again', () => {
    for (const freeze of [true, false]) {
      const rig = new RetainedRig({ ...options, freeze });
      written(rig, recordsOf(0, 0, size));
      const [element] = rig.read().elements;
      const records = element?.kind === 'records' ? element.records : [];
      expect(Object.isFrozen(records)).toBe(freeze);
      expect(records.every((record) => Object.isFrozen(record))).toBe(freeze);
    }
  });

  it('KR1: what a consumer changes in its records reaches no other one', () => {
    const rig = new RetainedRig(options);
    const records = written(rig, recordsOf(0, 0, size));
    (records[0] as { index: number }).index = 99;
    expect(rig.read().records).toEqual(recordsOf(0, 0, size));
  });

  it('KR1: marks and a start within a batch are as before', () => {
    const rig = new RetainedRig(options);
    written(rig, recordsOf(0, 0, size));
    rig.partition.write(0, { kind: 'watermark', timestampMs: 5 });
    written(rig, recordsOf(0, size, 2 * size));
    expect(rig.read({ from: 7 }).records).toEqual(recordsOf(0, 7, 2 * size));
  });

  it('KR2: written records are held for a few batches, and only for a reader', () => {
    const rig = new RetainedRig(options);
    const unread = written(rig, recordsOf(0, 0, size));
    const reading = rig.read({ credits: 0 });
    const batches = [1, 2, 3, 4, 5].map((batch) => written(rig, recordsOf(0, batch * size, (batch + 1) * size)));
    reading.request(6);
    const areWritten = [unread, ...batches].map(([first], batch) => reading.records[batch * size] === first);
    expect(areWritten).toEqual([false, false, true, true, true, true]);
  });

  it('RP3: is refused for records that cannot be written, unless they need not be', () => {
    const rig = new RetainedRig(options);
    const records = [...recordsOf(0, 0, size), { subpartition: 0, index: () => 1 }];
    const failure = thrownBy(() => rig.partition.write(0, elementOf(records)));
    if (options.retention === 'memory') expect(failure).toBeUndefined();
    else expect(failure).toBeInstanceOf(RecordNotSerializableError);
    expect(rig.memory.usedBytes === 0).toBe(options.retention !== 'memory');
  });
});
