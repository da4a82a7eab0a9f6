import type { CheckpointId } from '../../src/ids.ts';
import { SourceInput } from '../../src/operators/task/source-input.ts';
import type { Barrier } from '../../src/partitions/stream-element.ts';
import { unpackData } from '../../src/partitions/records/packed-data.ts';
import type { SourceReader } from '../../src/operators/source.ts';

type Answer = ReturnType<SourceReader<unknown>['read']>;

function inputOver(...answers: (Answer | Error)[]) {
  const asked: number[] = [];
  let closes = 0;
  const reader: SourceReader<unknown> = {
    read: (maxRecords) => {
      asked.push(maxRecords);
      const answer = answers.shift() as Answer | Error;
      if (answer instanceof Error) throw answer;
      return answer;
    },
    close: () => {
      closes++;
    },
  };
  const input = new SourceInput(reader, { batchSize: 10, batchBytes: 1_024 }, 'numbers');
  const taken: unknown[] = [];
  input.elements$.subscribe({
    next: (element) => taken.push(element.kind === 'records' ? element.records : element.kind),
    error: (error: Error) => taken.push(error.message),
  });
  let wakes = 0;
  input.onAvailable(() => wakes++);
  return { input, asked, taken, wakes: () => wakes, closes: () => closes };
}

const closed = (input: SourceInput): Promise<void> => new Promise((resolve) => input.close(resolve));
const turn = (): Promise<void> => Promise.resolve().then(() => {});

describe('SourceInput', () => {
  it('reads one batch per element, and never ahead', () => {
    const { input, asked, taken } = inputOver([1], [2], null);
    expect(asked).toEqual([]);
    expect(input.emitNext()).toBe(true);
    expect(asked).toEqual([10]);
    while (input.emitNext());
    expect(taken).toEqual([[1], [2], 'end']);
    expect(asked).toHaveLength(3);
  });

  it('passes an answer with more than a batch on in parts, and requests fewer large records', () => {
    const [small, large] = ['x', 'x'.repeat(900)];
    const { input, asked, taken } = inputOver(
      Array.from({ length: 25 }, () => small),
      [large, large, large],
      [small],
      null,
    );
    while (input.emitNext());
    const lengths = taken.map((batch) => (batch as { length: number }).length);
    expect(lengths).toEqual([10, 10, 5, 1, 1, 1, 1, 'end'.length]);
    expect(asked).toEqual([10, 10, 1, 4]);
  });

  it('looks at the size of records when they were processed, once many batches were small', () => {
    const seen: string[] = [];
    const looked = {
      get value(): number {
        seen.push('looked');
        return 1;
      },
    };
    const { input } = inputOver(...Array.from({ length: 20 }, () => [1]), [looked], ['x'.repeat(900)], [looked]);
    input.elements$.subscribe(() => seen.push('processed'));
    while (seen.length < 22) input.emitNext();
    expect(seen.slice(20)).toEqual(['processed', 'looked']);
    // After a large one before.
    while (seen.length < 25) input.emitNext();
    expect(seen.slice(22)).toEqual(['processed', 'looked', 'processed']);
  });

  it('waits for a promise, requests nothing meanwhile, and wakes its task', async () => {
    const { input, asked, taken, wakes } = inputOver(Promise.resolve([1]), Promise.resolve(null));
    expect(input.emitNext()).toBe(false);
    expect(input.emitNext()).toBe(false);
    expect(asked).toHaveLength(1);
    await turn();
    expect(wakes()).toBe(1);
    expect(input.emitNext()).toBe(true);
    expect(input.emitNext()).toBe(false);
    await turn();
    expect(input.emitNext()).toBe(true);
    expect(taken).toEqual([[1], 'end']);
  });

  it.each<[string, Answer | Error]>([
    ['throws', new Error('broken')],
    ['rejects', Promise.reject(new Error('broken'))],
  ])('fails once when the reader %s', async (_, answer) => {
    const { input, taken } = inputOver(answer);
    input.emitNext();
    await turn();
    input.emitNext();
    expect(taken).toEqual(['broken']);
    expect(input.emitNext()).toBe(false);
  });

  it('closes without waiting for a read that never ends, and drops its late answer', async () => {
    let answer!: (records: unknown[]) => void;
    const { input, taken, wakes, closes } = inputOver(new Promise((resolve) => (answer = resolve)));
    input.emitNext();
    await closed(input);
    await closed(input);
    expect(closes()).toBe(1);
    answer([1]);
    await turn();
    expect([taken, wakes()]).toEqual([[], 0]);
    expect(input.emitNext()).toBe(false);
  });

  it('ignores a rejection after it was closed', async () => {
    let reject!: (error: Error) => void;
    const { input, taken } = inputOver(new Promise((_, fail) => (reject = fail)));
    input.emitNext();
    await closed(input);
    reject(new Error('late'));
    await turn();
    expect(taken).toEqual([]);
  });
});

describe('the state of a source', () => {
  const limits = { batchSize: 4, batchBytes: 1_024 };
  /** Counts to 20, with answers that are longer than a batch, or come later. */
  const counter = (from: number, isLater: boolean, answers: (() => void)[]): SourceReader<number> => {
    let next = from;
    const answer = (): number[] | null => (next >= 20 ? null : Array.from({ length: 6 }, () => next++));
    return {
      position: () => next,
      read: () => {
        if (!isLater) return answer();
        const batch = answer();
        return new Promise((resolve) => answers.push(() => resolve(batch)));
      },
      close: () => {},
    };
  };

  it.each([false, true])(
    'continues with the records not yet passed on, at any point (answers later: %s)',
    async (isLater) => {
      for (let swapAt = 0; swapAt < 25; swapAt++) {
        const answers: (() => void)[] = [];
        const taken: unknown[] = [];
        const listen = (input: SourceInput): SourceInput => {
          input.elements$.subscribe((element) => void (element.kind === 'records' && taken.push(...element.records)));
          return input;
        };
        let input = listen(new SourceInput(counter(0, isLater, answers), limits, 'numbers'));
        for (let step = 0; step < 40; step++) {
          if (step === swapAt) {
            const snapshot = input.snapshot();
            if (snapshot.kind === 'absent') throw new Error(snapshot.reason);
            const state = structuredClone(snapshot.state);
            const [from] = unpackData(state.position) as [number];
            answers.length = 0;
            input = listen(new SourceInput(counter(from, isLater, answers), limits, 'numbers', true, state));
            // One that was just restored has the same state.
            expect(input.snapshot()).toEqual(snapshot);
            expect(input.placeOf(0)).toBe(`numbers, record ${taken.length}`);
          }
          input.emitNext();
          // Some answers come later, one turn after the read.
          if (step % 2 === 1) for (const answer of answers.splice(0)) answer();
          if (step % 3 === 1) await Promise.resolve();
          if (step % 3 === 2) await new Promise((resolve) => setImmediate(resolve));
        }
        expect(taken).toEqual(Array.from({ length: 24 }, (_, n) => n));
      }
    },
  );

  const positionOf = (input: SourceInput): unknown => {
    const snapshot = input.snapshot();
    return snapshot.kind === 'taken' ? unpackData(snapshot.state.position)[0] : snapshot.reason;
  };

  it('is that at the barrier, which comes next even while a read is under way', async () => {
    let next = 0;
    const opened = new SourceInput(
      { position: () => next, read: () => Promise.resolve([next++, next++]), close: () => {} },
      limits,
      'ticks',
    );
    const taken: unknown[] = [];
    opened.elements$.subscribe((element) => {
      if (element.kind === 'records') taken.push(...element.records);
      else if (element.kind === 'barrier') taken.push([element.checkpoint, positionOf(opened)]);
    });
    let wakes = 0;
    opened.onAvailable(() => wakes++);
    const barrierOf = (checkpoint: number) => ({ kind: 'barrier', checkpoint: checkpoint as CheckpointId }) as const;
    expect([opened.emitNext(), opened.emitBarrier()]).toEqual([false, false]);
    opened.trigger(barrierOf(1));
    expect([wakes, opened.emitNext(), opened.emitNext()]).toEqual([1, true, false]);
    await Promise.resolve();
    opened.trigger(barrierOf(2));
    opened.abandon(2 as CheckpointId);
    expect([opened.emitBarrier(), opened.emitNext()]).toEqual([false, true]);
    opened.trigger(barrierOf(3));
    expect(opened.emitBarrier()).toBe(true);
    expect(taken).toEqual([[1, 0], 0, 1, [3, 2]]);
  });

  it('is never that of two barriers without what is there between them', async () => {
    let next = 0;
    const answers: Answer[] = [[next++], Promise.resolve([next++]), null];
    const opened = new SourceInput(
      { position: () => 2 - answers.length + 1, read: () => answers.shift() as Answer, close: () => {} },
      limits,
      'ticks',
    );
    const taken: unknown[] = [];
    opened.elements$.subscribe((element) => taken.push(element.kind === 'barrier' ? element.checkpoint : element.kind));
    const trigger = (...checkpoints: number[]): void => {
      for (const checkpoint of checkpoints) opened.trigger({ kind: 'barrier', checkpoint: checkpoint as CheckpointId });
    };
    trigger(11, 12, 13);
    while (opened.emitNext());
    // A read is under way: no barrier waits for that.
    expect(taken.splice(0)).toEqual([11, 'records', 12, 13]);
    await Promise.resolve();
    trigger(14, 15);
    while (opened.emitNext());
    expect(taken).toEqual(['records', 14, 'end', 15]);
  });

  it('names no records of an answer that came after the barrier: a savepoint keeps none, so they are read again', async () => {
    let next = 0;
    const opened = new SourceInput(
      { position: () => next, read: () => Promise.resolve([next++, next++]), close: () => {} },
      limits,
      'ticks',
    );
    opened.elements$.subscribe(() => {});
    expect(opened.emitNext()).toBe(false);
    opened.trigger({ kind: 'barrier', checkpoint: 1 as CheckpointId, alignment: 'savepoint' });
    expect(opened.emitBarrier()).toBe(true);
    await Promise.resolve();
    const snapshot = opened.snapshot();
    if (snapshot.kind === 'absent') throw new Error(snapshot.reason);
    expect([unpackData(snapshot.state.position), unpackData(snapshot.state.waiting)]).toEqual([[0], []]);
  });

  it('a later barrier waits behind that of a savepoint, which waits for what was read before', () => {
    let next = 0;
    const opened = new SourceInput(
      { position: () => next, read: () => [next++, next++, next++], close: () => {} },
      { ...limits, batchSize: 2 },
      'ticks',
    );
    const taken: unknown[] = [];
    opened.elements$.subscribe((element) => {
      if (element.kind === 'records') taken.push(...element.records);
      else if (element.kind === 'barrier') taken.push([element.checkpoint, positionOf(opened)]);
    });
    opened.emitNext();
    const barrier = (checkpoint: number): Barrier => ({ kind: 'barrier', checkpoint: checkpoint as CheckpointId });
    opened.trigger(barrier(1));
    opened.trigger({ ...barrier(2), alignment: 'savepoint' });
    opened.trigger(barrier(3));
    opened.abandon(1 as CheckpointId);
    expect(opened.emitBarrier()).toBe(false);
    for (let elements = 0; elements < 4; elements++) expect(opened.emitNext()).toBe(true);
    expect(taken).toEqual([0, 1, 2, [2, 3], 3, 4, [3, 6]]);
  });

  it('is absent if the reader has no position', () => {
    const input = new SourceInput({ read: () => null, close: () => {} }, limits, 'ticks');
    expect(input.snapshot()).toEqual({
      kind: 'absent',
      reason: expect.stringMatching(/^the source "ticks" cannot say where it is.*exchange: 'reliable'/),
    });
  });
});
