import type { CallOutcome } from '../../../src/operators/answers/files/call-outcome.ts';
import { AnswerNotRememberedError } from '../../../src/operators/answers/answer-errors.ts';
import { callHashBytes, callHashKey, putCallHash } from '../../../src/operators/answers/files/call-hash.ts';
import { payloadOf } from '../../../src/operators/answers/files/found-answer.ts';
import { readAnswerRecord } from '../../../src/operators/answers/files/answer-record.ts';
import type { OperatorAnswers } from '../../../src/operators/answers/operator-answers.ts';
import type { AsyncCallContext } from '../../../src/operators/operator-description.ts';
import type { JournalFile } from '../../../src/journal/journal-storage.ts';
import { MemoryJournalStorage } from '../../support/memory-journal-storage.ts';
import { thrownBy } from '../../support/thrown-by.ts';
import { recalled, StoreRig } from './store-rig.ts';

/** A user's function whose calls a test answers by hand. */
class ManualCalls {
  readonly made: {
    record: unknown;
    context: AsyncCallContext;
    resolve: (a: unknown) => void;
    reject: (e: Error) => void;
  }[] = [];

  readonly fn = (record: unknown, context: AsyncCallContext): Promise<unknown> =>
    new Promise((resolve, reject) => this.made.push({ record, context, resolve, reject }));
}

interface Asked {
  readonly outcomes: CallOutcome[];
  readonly leave: (reason?: Error) => void;
  readonly isShared: boolean;
}

function askFor(memory: OperatorAnswers, record: unknown): Asked {
  const outcomes: CallOutcome[] = [];
  const settled = (outcome: CallOutcome): void => void outcomes.push(outcome);
  const asker = { begun: () => {}, answered: () => {}, settled };
  const identity = memory.identify(record);
  const isShared = memory.isInFlight(identity);
  const awaited = memory.ask(identity, record, 0, asker);
  return { outcomes, isShared, leave: (reason) => awaited.leave(asker, reason) };
}

async function manual(options: Parameters<StoreRig['memory']>[1] = {}, storage?: MemoryJournalStorage) {
  const rig = new StoreRig(storage);
  const calls = new ManualCalls();
  const store = await rig.open();
  return { rig, calls, store, memory: rig.memory(store, { fn: calls.fn, ...options }) };
}

/** The turn does not end by it. */
async function settleAllPromises(): Promise<void> {
  for (let hop = 0; hop < 10; hop++) await Promise.resolve();
}

const answered = (answer: unknown): CallOutcome => ({ kind: 'answered', answer });

it('OA1: who asks for the same while a call is in flight shares it', async () => {
  const { rig, calls, memory } = await manual();
  const [one, other, third] = [askFor(memory, 'a'), askFor(memory, 'a'), askFor(memory, 'b')];
  await rig.pass();
  expect(calls.made.map(({ record }) => record)).toEqual(['a', 'b']);
  expect([one, other, third].map(({ isShared }) => isShared)).toEqual([false, true, false]);
  calls.made[0]?.resolve('A');
  await rig.pass();
  expect([one, other, third].map(({ outcomes }) => outcomes)).toEqual([[answered('A')], [answered('A')], []]);
});

it('OA1: a failed call fails for all who share it, and the next one is a new call', async () => {
  const { rig, calls, memory } = await manual();
  const [one, other] = [askFor(memory, 'a'), askFor(memory, 'a')];
  await rig.pass();
  const error = new Error('no');
  calls.made[0]?.reject(error);
  await rig.pass();
  expect([one, other].map(({ outcomes }) => outcomes)).toEqual(Array(2).fill([{ kind: 'failed', error }]));
  expect(askFor(memory, 'a').isShared).toBe(false);
});

it('OA1: an answer that came while another asker waited for its turn takes no call', async () => {
  const { rig, calls, memory } = await manual();
  askFor(memory, 'a');
  await rig.pass();
  calls.made[0]?.resolve('A');
  await rig.pass();
  const late = askFor(memory, 'a');
  await rig.pass();
  expect([late.outcomes, calls.made.length]).toEqual([[answered('A')], 1]);
});

it('an answer that came after it was looked for is found: by the look that follows, and by who asks', async () => {
  const { rig, calls, memory } = await manual();
  const [early, late] = [memory.identify('a'), memory.identify('a')];
  for (const identity of [early, late]) memory.lookFor(identity);
  expect(memory.recall(early)).toBeUndefined();
  askFor(memory, 'a');
  await rig.pass();
  calls.made[0]?.resolve('A');
  await rig.pass();
  const outcomes: CallOutcome[] = [];
  memory.ask(late, 'a', 0, { begun: () => {}, answered: () => {}, settled: (outcome) => outcomes.push(outcome) });
  await rig.pass();
  expect([memory.recall(early), outcomes, calls.made.length]).toEqual([answered('A'), [answered('A')], 1]);
});

it('OA2: a call that nobody waits for any more is answered, or shared again, within its time', async () => {
  const { rig, calls, memory } = await manual({ graceMs: 1_000 });
  const [gone, shared] = [askFor(memory, 'a'), askFor(memory, 'b')];
  await rig.pass();
  gone.leave();
  shared.leave();
  await rig.pass(999);
  expect(calls.made.map(({ context }) => context.signal.aborted)).toEqual([false, false]);
  const again = askFor(memory, 'b');
  calls.made[0]?.resolve('A');
  await rig.pass(5_000);
  expect(calls.made[1]?.context.signal.aborted).toBe(false);
  calls.made[1]?.resolve('B');
  await rig.pass();
  expect([again.outcomes, gone.outcomes, calls.made.length]).toEqual([[answered('B')], [], 2]);
  expect([recalled(memory, 'a'), recalled(memory, 'b')]).toEqual(['A', 'B']);
});

it('a call that nobody waits for is aborted after its time, and whoever asks then makes a new one', async () => {
  const { rig, calls, memory } = await manual({ graceMs: 1_000 });
  const gone = askFor(memory, 'a');
  await rig.pass();
  gone.leave();
  await rig.pass(1_000);
  expect(calls.made[0]?.context.signal.aborted).toBe(true);
  expect(askFor(memory, 'a').isShared).toBe(false);
  await rig.pass();
  expect(calls.made).toHaveLength(2);
});

it('a call whose asker leaves before it begins is not made', async () => {
  const { rig, calls, memory } = await manual();
  askFor(memory, 'a').leave();
  await rig.pass();
  expect([calls.made, memory.isInFlight(memory.identify('a'))]).toEqual([[], false]);
});

it('a call that takes too long is aborted at once', async () => {
  const { rig, calls, memory } = await manual();
  const reason = new Error('too long');
  const asked = askFor(memory, 'a');
  await rig.pass();
  const signal = calls.made[0]?.context.signal;
  asked.leave(reason);
  expect([signal?.aborted, signal?.reason]).toEqual([true, reason]);
  expect(askFor(memory, 'a').isShared).toBe(false);
});

/** A storage that counts what is written to its files. */
class CountingStorage extends MemoryJournalStorage {
  writes = 0;

  override open(name: string): JournalFile {
    const file = super.open(name);
    const write = (offset: number, bytes: Uint8Array): void => {
      this.writes++;
      file.write(offset, bytes);
    };
    return { ...file, write };
  }
}

it('OA3, AS6: answers that arrive in one turn are written with one write; until then their calls are in flight', async () => {
  const storage = new CountingStorage();
  const { rig, calls, memory } = await manual({}, storage);
  const asked = ['a', 'b', 'c'].map((record) => askFor(memory, record));
  askFor(memory, 'still in flight');
  await rig.pass();
  const writesBefore = storage.writes;
  for (const { record, resolve } of calls.made.slice(0, 3)) resolve(`${String(record)}!`);
  await settleAllPromises();
  const shared = askFor(memory, 'a');
  expect([shared.isShared, ...[...asked, shared].map(({ outcomes }) => outcomes.length)]).toEqual([true, 0, 0, 0, 0]);
  expect(storage.writes).toBe(writesBefore);
  await rig.pass();
  expect(storage.writes).toBe(writesBefore + 1);
  expect([...asked, shared].map(({ outcomes }) => outcomes)).toEqual(
    ['a!', 'b!', 'c!', 'a!'].map((answer) => [answered(answer)]),
  );
});

it.each<[what: string, last: (calls: ManualCalls, slow: Asked) => unknown]>([
  ['is answered', ({ made }) => made[2]?.resolve('c!')],
  ['fails', ({ made }) => (made[2]?.reject(new Error('no')), made[1]?.resolve('b!'))],
  ['is aborted', ({ made }, slow) => (slow.leave(new Error('too slow')), made[1]?.resolve('b!'))],
  [
    'is answered after it was aborted',
    ({ made }, slow) => (slow.leave(new Error('too slow')), made[2]?.resolve('c!'), made[1]?.resolve('b!')),
  ],
])(
  'AS6: answers are written with one write, before the turn ends, once the last call in flight %s',
  async (what, last) => {
    const storage = new CountingStorage();
    const { rig, calls, memory } = await manual({}, storage);
    const [first, second, slow] = ['a', 'b', 'c'].map((record) => askFor(memory, record)) as [Asked, Asked, Asked];
    await rig.pass();
    const writesBefore = storage.writes;
    calls.made[0]?.resolve('a!');
    if (what === 'is answered') calls.made[1]?.resolve('b!');
    await settleAllPromises();
    expect([first.outcomes, storage.writes]).toEqual([[], writesBefore]);
    last(calls, slow);
    await settleAllPromises();
    expect([first.outcomes, second.outcomes]).toEqual([[answered('a!')], [answered('b!')]]);
    expect(storage.writes).toBe(writesBefore + 1);
    // Another call is in flight again, and its answer is the last one.
    const next = askFor(memory, 'd');
    await rig.pass();
    calls.made[3]?.resolve('d!');
    await settleAllPromises();
    expect(next.outcomes).toEqual([answered('d!')]);
  },
);

it('AS6: one write holds the answers of a turn and the marks of the calls that take their places, which begin before anybody hears', async () => {
  const storage = new CountingStorage();
  const { rig, calls, memory } = await manual({}, storage);
  const heard: string[] = [];
  const ask = (record: string, next?: string): void => {
    memory.ask(memory.identify(record), record, 0, {
      begun: () => heard.push(`${record} begins after ${storage.writes} writes`),
      answered: () => next !== undefined && ask(next),
      settled: () => heard.push(`${record} is settled`),
    });
  };
  ask('a', 'c');
  ask('b', 'd');
  await rig.pass();
  storage.writes = 0;
  heard.length = 0;
  for (const { resolve } of calls.made) resolve('!');
  await rig.pass();
  expect(heard).toEqual(['c begins after 1 writes', 'd begins after 1 writes', 'a is settled', 'b is settled']);
  rig.storage = storage.afterKill();
  const again = rig.memory(await rig.open({ pid: 3 }));
  expect(['a', 'b', 'c', 'd'].map((record) => recalled(again, record))).toEqual(['!', '!', undefined, undefined]);
});

it('is quiet once the calls in flight are answered or aborted', async () => {
  const { rig, calls, memory } = await manual({ graceMs: 1_000 });
  const order: string[] = [];
  const gone = ['a', 'b'].map((record) => askFor(memory, record));
  await rig.pass();
  for (const { leave } of gone) leave();
  void memory.quiet().then(() => order.push('quiet'));
  calls.made[0]?.resolve('A');
  await rig.pass(999);
  expect(order).toEqual([]);
  await rig.pass(1);
  expect(order).toEqual(['quiet']);
});

describe('the key of a record', () => {
  const other = { operator: 'rate', version: '1' };

  it.each<[what: string, one: unknown, another: unknown, isSame: boolean]>([
    ['equal records', { a: 1, b: ['x'] }, { a: 1, b: ['x'] }, true],
    ['0 and −0', 0, -0, false],
    ['1 and "1"', 1, '1', false],
    ['nested differently', [['a'], 'b'], [['a', 'b']], false],
    ['the order of properties', { a: 1, b: 2 }, { b: 2, a: 1 }, false],
    ['undefined and missing', { a: undefined }, {}, false],
    ['dates', new Date(1), new Date(2), false],
    ['bytes', new Uint8Array([1, 2]), new Uint8Array([1, 3]), false],
    ['lone surrogates', '\ud800', '\ud801', false],
    ['matches of a regular expression', /a/.exec('a'), /a/.exec('ba'), false],
  ])('tells %s apart where a function can', async (_, one, another, isSame) => {
    const { memory } = await manual();
    const [first, second] = [one, another].map((record) => callHashKey(memory.identify(record)));
    expect(first === second).toBe(isSame);
  });

  it('differs by operator and version', async () => {
    const { rig, store, memory } = await manual();
    const hashes = [memory, rig.memory(store, other), rig.memory(store, { version: '2' })].map((one) =>
      callHashKey(one.identify('a')),
    );
    expect(new Set(hashes).size).toBe(3);
  });

  it.each<[what: string, keyOf: ((record: unknown) => unknown) | undefined, hex: string]>([
    ['a record', undefined, 'd0f11936f71bbf655fe52fe6d05daee7'],
    ['a key', (record) => (record as { text: string }).text, 'a22d066d5cee64c86425923d8990c4d6'],
  ])('stays what files of this format have: of %s', async (_, keyOf, hex) => {
    const { memory } = await manual({ keyOf });
    const bytes = Buffer.alloc(callHashBytes);
    putCallHash(bytes, 0, memory.identify({ id: 7, text: 'gold', at: new Date(0), tags: ['ä', null] }));
    expect(bytes.toString('hex')).toBe(hex);
  });

  it('is exactly what the user says: texts that were cut within a character are not one', async () => {
    const { rig, store, memory } = await manual({
      keyOf: (record) => (record as string).slice(0, 2),
      fn: (record) => record,
    });
    await rig.ask(memory, ['a😀', 'a🀀']);
    expect([recalled(memory, 'a😀'), recalled(memory, 'a🀀')]).toEqual(['a😀', 'a🀀']);
    const found = store.find(memory.identify('a🀀'));
    expect(found && readAnswerRecord(payloadOf(found))).toMatchObject({ head: { key: 'a\ud83c' } });
  });

  it('is what the user says, and must be a text', async () => {
    const { rig, calls, memory } = await manual({ keyOf: (record) => (record as { id: unknown }).id });
    askFor(memory, { id: 'x', at: 1 });
    await rig.pass();
    calls.made[0]?.resolve('X');
    await rig.pass();
    expect(recalled(memory, { id: 'x', at: 2 })).toBe('X');
    expect(() => memory.identify({ id: 5 })).toThrow('result of remember.key of "embed": expected a string, got 5');
  });

  it.each<[what: string, record: unknown]>([
    ['a function', { call: () => 1 }],
    ['an instance of a class', new (class Point {})()],
  ])('is asked for where a record holds %s', async (_, record) => {
    const { memory } = await manual();
    const error = thrownBy(() => memory.identify(record));
    expect(error).toBeInstanceOf(AnswerNotRememberedError);
    expect((error as Error).message).toMatch(/^mapAsync "embed" cannot remember an answer: .*remember: \{ key/);
  });
});

it('an answer that is no plain data fails the call, and says what to do', async () => {
  const { rig, calls, memory } = await manual();
  const asked = askFor(memory, 'a');
  await rig.pass();
  calls.made[0]?.resolve({ text: () => 'a' });
  await rig.pass();
  const message =
    'mapAsync "embed" cannot remember an answer: it is no plain data: $.text is a function. Return plain data, or set `remember: false`';
  expect(asked.outcomes).toEqual([{ kind: 'failed', error: expect.objectContaining({ message }) }]);
});

it('errors are remembered only if asked for, and only the final one', async () => {
  for (const remembersErrors of [false, true]) {
    const { rig, memory } = await manual({ remembersErrors });
    const identity = memory.identify('a');
    memory.rememberError(identity, new RangeError('no such text'));
    await rig.pass();
    const outcome = memory.recall(identity);
    expect(outcome).toEqual(remembersErrors ? { kind: 'failed', error: new RangeError('no such text') } : undefined);
  }
});

it('answers before a time are not used where they are unwanted', async () => {
  const { rig, calls, store, memory } = await manual();
  askFor(memory, 'a');
  await rig.pass();
  calls.made[0]?.resolve('old');
  await rig.pass(10);
  const since = rig.memory(store, { fn: calls.fn, sinceMs: rig.environment.clock.epochMs() });
  expect(recalled(since, 'a')).toBeUndefined();
  const asked = askFor(since, 'a');
  await rig.pass();
  calls.made[1]?.resolve('new');
  await rig.pass();
  expect([asked.outcomes, recalled(since, 'a')]).toEqual([[answered('new')], 'new']);
  expect((rig.storage as MemoryJournalStorage).list()).toHaveLength(1);
});
