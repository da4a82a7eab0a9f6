import { concat, EMPTY, finalize, from, NEVER, Observable, of, range, Subject, throwError } from 'rxjs';
import { fromObservable, type ObservableBuffer } from '../../src/connectors/streams/from-observable.ts';
import { contextOf, drain, failureOf, readSubtask } from './subtasks.ts';

const buffer = (capacity: number, overflow: ObservableBuffer['overflow'] = 'error') => ({
  buffer: { capacity, overflow },
});

it.each([0, 1, 5, 1_000])('reads %i records that fit', async (count) => {
  const numbers = Array.from({ length: count }, (_, index) => index);
  const source = fromObservable(() => from(numbers), buffer(1_000));
  for (const maxRecords of [1, 7, 2_000]) expect(await readSubtask(source, {}, maxRecords)).toEqual(numbers);
});

describe('overflow', () => {
  const push = async (options: ReturnType<typeof buffer>) => {
    const subject = new Subject<number>();
    const reader = await fromObservable(function ticks() {
      return subject;
    }, options).open(contextOf());
    for (let number = 1; number <= 10; number++) subject.next(number);
    return { subject, reader };
  };

  it('`error` fails with the numbers, after the records that fit', async () => {
    const { reader, subject } = await push(buffer(3));
    expect(subject.observed).toBe(false);
    expect(await reader.read(5)).toEqual([1, 2, 3]);
    expect(await failureOf((async () => reader.read(5))())).toMatchObject({
      code: 'BUFFER_OVERFLOW',
      recovery: 'restart',
      capacity: 3,
      receivedCount: 4,
      message:
        'Source "ticks": record 4 does not fit, 3 are already waiting. Raise `capacity`, or allow the loss of records with `overflow`',
    });
  });

  it.each<[overflow: ObservableBuffer['overflow'], kept: number[]]>([
    ['drop-oldest', [8, 9, 10]],
    ['drop-newest', [1, 2, 3]],
  ])('`%s` keeps %j', async (overflow, kept) => {
    const { reader, subject } = await push(buffer(3, overflow));
    expect(await reader.read(2)).toEqual(kept.slice(0, 2));
    subject.next(11);
    subject.complete();
    expect(await drain(reader, 2)).toEqual([...kept.slice(2), 11]);
  });

  it('stops a synchronous observable that would never end', async () => {
    const failure = await failureOf(readSubtask(fromObservable(() => range(0, Infinity), buffer(3))));
    expect(failure).toMatchObject({ code: 'BUFFER_OVERFLOW', receivedCount: 4 });
  });

  it('a full buffer with `drop-oldest` keeps the newest records in order', async () => {
    const reader = await fromObservable(() => range(0, 100_000), buffer(10, 'drop-oldest')).open(contextOf());
    expect(await drain(reader, 3)).toEqual(Array.from({ length: 10 }, (_, index) => 99_990 + index));
  });
});

it('waits for records, and wakes when one arrives', async () => {
  const subject = new Subject<number>();
  const reader = await fromObservable(() => subject, buffer(10)).open(contextOf());
  const first = reader.read(5);
  subject.next(1);
  subject.next(2);
  expect(await first).toEqual([1, 2]);
  const last = reader.read(5);
  subject.complete();
  expect(await last).toBeNull();
});

it('emits its records before an error', async () => {
  const source = fromObservable(
    () =>
      concat(
        of(1, 2),
        throwError(() => 'gone'),
      ),
    buffer(10),
  );
  const reader = await source.open(contextOf());
  expect(await reader.read(5)).toEqual([1, 2]);
  expect(await failureOf((async () => reader.read(5))())).toMatchObject({ code: 'NON_ERROR_THROWN', thrown: 'gone' });
});

it('subscribes again after a restart, once per attempt', async () => {
  let subscriptions = 0;
  const cold = new Observable<number>((subscriber) => {
    subscriber.next(++subscriptions);
    subscriber.complete();
  });
  const source = fromObservable(() => cold, buffer(10));
  expect(await readSubtask(source)).toEqual([1]);
  expect(await readSubtask(source, { attempt: 1 })).toEqual([2]);
});

it('close unsubscribes and settles a pending read', async () => {
  let isFinalized = false;
  const source = fromObservable(
    () =>
      NEVER.pipe(
        finalize(() => {
          isFinalized = true;
        }),
      ),
    buffer(1),
  );
  const reader = await source.open(contextOf());
  const batch = reader.read(1);
  await reader.close();
  expect(isFinalized).toBe(true);
  expect(await batch).toBeNull();
});

it.each<[title: string, options: { buffer: ObservableBuffer }, message: string]>([
  ['no room', buffer(0), 'buffer.capacity: expected a whole number, at least 1, got 0'],
  ['room without end', buffer(Infinity), 'buffer.capacity: expected a whole number, at least 1, got Infinity'],
  [
    'another overflow',
    buffer(1, 'block' as never),
    'buffer.overflow: expected "error", "drop-oldest" or "drop-newest", got "block"',
  ],
])('%s is refused', (_title, options, message) => {
  expect(() => fromObservable(() => EMPTY, options)).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT', message }),
  );
});
