import { toCsvFile } from '../../src/connectors/csv/to-csv-file.ts';
import { toJsonLinesFile } from '../../src/connectors/json/to-json-lines-file.ts';
import { toParquetFile } from '../../src/connectors/parquet/to-parquet-file.ts';
import type { Sink } from '../../src/operators/sink.ts';
import { unhandledDuring } from '../operators/stage-driver.ts';
import { failureOf, scratchDirectory, writeSubtask } from './subtasks.ts';

interface Item {
  readonly id: number;
  readonly price: unknown;
}

const at = scratchDirectory();
const sinks: readonly [string, () => Sink<Item>, RegExp][] = [
  ['JSON lines', () => toJsonLinesFile(at('a.jsonl')), /a\.jsonl: .*"price": Promise has no JSON form/],
  ['CSV', () => toCsvFile(at('a.csv'), { columns: ['id', 'price'] }), /a\.csv: .*"price": Promise has no JSON form/],
  ['Parquet', () => toParquetFile(at('a.parquet')), /a\.parquet, row 1: column "price": .*it is a Promise/],
  [
    'Parquet with columns',
    () => toParquetFile(at('b.parquet'), { columns: { price: 'double' } }),
    /column "price": expected a number, .*it is a Promise/,
  ],
];

describe.each(sinks)('a promise in a field, written as %s', (_, sink, message) => {
  it.each<[string, () => Promise<number>]>([
    ['a promise', async () => 1],
    [
      'one that rejects without a handler',
      async () => {
        throw new Error('late');
      },
    ],
  ])('is refused by name: %s', async (_name, price) => {
    const unhandled = await unhandledDuring(async () => {
      const failure = await failureOf(writeSubtask(sink(), [{ id: 1, price: price() }]));
      expect(failure).toMatchObject({ code: 'UNRECOVERABLE', message: expect.stringMatching(message) as string });
    });
    expect(unhandled).toEqual([]);
  });
});
