import type { AttemptNumber, ExecutorId, PartitionId } from '../../src/ids.ts';
import type { KeepResults } from '../../src/graph/keep-results.ts';
import type { TrackedState } from '../../src/scheduling/result-tracker.ts';
import { Books } from '../support/books.ts';

//  (p) ═┬═▶ (c[0])
//       └═▶ (c[1])
const fan = ['p! =x> c:2'];

describe('RT2: a result', () => {
  const told = ({ ledger }: Books, partition: PartitionId): string =>
    `${ledger.isPartitionAvailable(partition) ? '' : 'un'}available ${ledger.isPartitionReadable(partition) ? '' : 'un'}readable`;

  it.each<{ rule: string; drawing?: string[]; steps: (books: Books) => void; is: string }>([
    { rule: 'not written yet', steps: () => {}, is: 'available unreadable' },
    { rule: 'not written yet, read meanwhile', drawing: ['p! ~x> c:2'], steps: () => {}, is: 'available readable' },
    { rule: 'complete', steps: (books) => books.run('p'), is: 'available readable' },
    {
      rule: 'lost',
      steps: (books) => {
        books.run('p');
        books.ledger.results.lose(books.result('p'));
      },
      is: 'unavailable unreadable',
    },
    {
      rule: 'truncated while it is written',
      drawing: ['p! ~x> c:2'],
      steps: (books) => {
        books.begin('p');
        books.truncate('p');
        books.ledger.finishTask(books.task('p'));
      },
      is: 'unavailable unreadable',
    },
    {
      rule: 'truncated after the decision to recompute it, and read early: there will be another',
      drawing: ['p! ~x> c:2'],
      steps: (books) => {
        books.begin('p');
        books.restart(['p', 'c[0]', 'c[1]']);
        books.truncate('p');
      },
      is: 'available readable',
    },
    {
      rule: 'truncated while it is reproduced',
      drawing: ['p! ~x> c:2'],
      steps: (books) => {
        books.begin('p');
        books.restart(['p'], ['p']);
        books.begin('p');
        books.truncate('p');
      },
      is: 'unavailable unreadable',
    },
    {
      rule: 'complete, to be reproduced',
      steps: (books) => {
        books.run('p');
        books.restart(['p'], ['p']);
      },
      is: 'available readable',
    },
    {
      rule: 'complete, while it is reproduced',
      steps: (books) => {
        books.run('p');
        books.restart(['p'], ['p']);
        books.begin('p');
      },
      is: 'available readable',
    },
    {
      rule: 'complete, to be recomputed',
      steps: (books) => {
        books.run('p');
        books.restart(['p', 'c[0]', 'c[1]']);
      },
      is: 'available unreadable',
    },
    {
      rule: 'found lost between the decision to recompute it and the attempt: it is produced regardless',
      steps: (books) => {
        books.run('p');
        books.restart(['p', 'c[0]', 'c[1]']);
        books.ledger.results.lose(books.result('p'));
        books.run('p');
      },
      is: 'available readable',
    },
    {
      rule: 'lost, to be produced again',
      steps: (books) => {
        books.run('p');
        books.ledger.results.lose(books.result('p'));
        books.restart(['p'], ['p']);
      },
      is: 'available unreadable',
    },
    {
      rule: 'lost while it is reproduced: the retained part is gone regardless',
      steps: (books) => {
        books.run('p');
        books.restart(['p'], ['p']);
        books.begin('p');
        books.ledger.results.lose(books.result('p'));
        books.ledger.finishTask(books.task('p'));
      },
      is: 'unavailable unreadable',
    },
    {
      rule: 'released',
      steps: (books) => {
        books.run('p', 'c[0]', 'c[1]');
        books.ledger.results.release([books.result('p')]);
      },
      is: 'unavailable unreadable',
    },
    {
      rule: 'released, and reproduced because of another result of its task: it is not read',
      steps: (books) => {
        books.run('p', 'c[0]', 'c[1]');
        books.ledger.results.release([books.result('p')]);
        books.restart(['p'], ['p']);
        books.run('p');
      },
      is: 'unavailable unreadable',
    },
    {
      rule: 'released, then reported truncated, and reproduced because of another result of its task: it is not read',
      steps: (books) => {
        books.run('p', 'c[0]', 'c[1]');
        books.ledger.results.release([books.result('p')]);
        books.truncate('p');
        books.restart(['p'], ['p']);
        books.run('p');
      },
      is: 'unavailable unreadable',
    },
    {
      rule: 'released, and reproduced for a consumer',
      steps: (books) => {
        books.run('p', 'c[0]', 'c[1]');
        books.ledger.results.release([books.result('p')]);
        books.restart(['p', 'c[0]'], ['p', 'c[0]']);
        books.run('p');
      },
      is: 'available readable',
    },
  ])('$rule is $is', ({ drawing = fan, steps, is }) => {
    const books = new Books(...drawing, 'x');
    steps(books);
    expect(told(books, books.result('p'))).toBe(is);
  });

  it('is available as written by the current attempt of its producer', () => {
    const books = new Books(...fan);
    books.run('p');
    books.restart(['p'], ['p']);
    books.begin('p');
    const partition = books.result('p');
    expect(books.ledger.presentResult(partition)).toEqual({ partition, attempt: 1 });
    expect(books.ledger.attempts.isPresent({ partition, attempt: 0 as AttemptNumber })).toBe(false);
    expect(books.ledger.attempts.isPresent({ partition, attempt: 1 as AttemptNumber })).toBe(true);
  });
});

describe('a region that has finished', () => {
  it('has read its inputs to the end, until it restarts', () => {
    const books = new Books(...fan);
    const finished = () =>
      ['p', 'c[0]', 'c[1]'].filter((task) => books.ledger.hasFinished(books.region(task))).join(' ');
    books.run('p');
    expect(finished()).toBe('p');
    books.run('c[0]');
    expect(finished()).toBe('p c[0]');
    books.restart(['c[0]']);
    expect(finished()).toBe('p');
  });

  it('is finished as a whole: a finished task may have to read again', () => {
    //  (p) ═▶ (c[0]) ─▶ (d)
    //  (p) ═▶ (c[1]) ─▶ (d)
    const books = new Books('p! =x> c:2 -x> d');
    books.run('p');
    for (const task of ['c[0]', 'c[1]']) {
      books.begin(task);
      books.ledger.finishTask(books.task(task));
    }
    expect(books.ledger.hasFinished(books.region('d'))).toBe(false);
    expect(books.run('d')).toBe('p');
    expect(books.ledger.hasFinished(books.region('d'))).toBe(true);
  });
});

describe('RT3: a result that every consumer has read', () => {
  const release = (books: Books): string => books.producersOf(books.ledger.results.release([books.result('p')]));

  it('is reported with its last consumer, stays until it is released, and is released once', () => {
    const books = new Books(...fan);
    expect(books.run('p', 'c[0]')).toBe('');
    expect(books.run('c[1]')).toBe('p');
    expect(books.ledger.results.isReadable(books.result('p'))).toBe(true);
    expect([release(books), release(books)]).toEqual(['p', '']);
  });

  it.each<{ rule: string; keepResults?: KeepResults; steps: (books: Books) => void }>([
    { rule: 'a task still reads it', steps: (books) => books.run('p', 'c[0]') },
    {
      rule: 'a task reads it again',
      steps: (books) => {
        books.run('p', 'c[0]', 'c[1]');
        books.restart(['c[0]']);
      },
    },
    {
      rule: 'a task reads it again and has begun to',
      steps: (books) => {
        books.run('p', 'c[0]', 'c[1]');
        books.restart(['c[0]']);
        books.begin('c[0]');
      },
    },
    {
      rule: 'its producer makes another',
      steps: (books) => {
        books.run('p', 'c[0]', 'c[1]');
        books.restart(['p', 'c[0]', 'c[1]']);
      },
    },
    {
      rule: 'it is kept beyond the job',
      keepResults: { directory: 'kept' },
      steps: (books) => books.run('p', 'c[0]', 'c[1]'),
    },
    {
      rule: 'it is gone already',
      steps: (books) => {
        books.run('p', 'c[0]', 'c[1]');
        release(books);
      },
    },
  ])('is not released while $rule', ({ keepResults, steps }) => {
    const books = new Books(...fan, ...(keepResults === undefined ? [] : [{ keepResults }]));
    steps(books);
    const before = books.ledger.isPartitionReadable(books.result('p'));
    expect(release(books)).toBe('');
    expect(books.ledger.isPartitionReadable(books.result('p'))).toBe(before);
  });

  it('is released after it was read again, as its then-current attempt', () => {
    const books = new Books(...fan);
    books.run('p', 'c[0]', 'c[1]');
    books.restart(['p', 'c[0]'], ['p', 'c[0]']);
    books.run('p');
    expect(books.run('c[0]')).toBe('p');
    expect(release(books)).toBe('p');
    expect(books.ledger.presentResult(books.result('p'))).toMatchObject({ attempt: 1 });
  });

  it('is reported again if it was lost and has been reproduced because of another result', () => {
    const books = new Books(...fan);
    books.run('p', 'c[0]', 'c[1]');
    books.ledger.results.lose(books.result('p'));
    books.restart(['p'], ['p']);
    books.begin('p');
    expect(books.ledger.results.consumedOf(books.task('p'))).toEqual([]);
    books.ledger.finishTask(books.task('p'));
    expect(books.producersOf(books.ledger.results.consumedOf(books.task('p')))).toBe('p');
  });

  it('of several, those with a reading task stay', () => {
    const books = new Books('p! => c', 'q! => d');
    books.run('p', 'q', 'c', 'd');
    books.restart(['d']);
    expect(books.producersOf(books.ledger.results.release([books.result('p'), books.result('q')]))).toBe('p');
    expect(books.ledger.isPartitionReadable(books.result('q'))).toBe(true);
  });

  it.each<{ keepResults: KeepResults; atOnce: number[]; complete: number[] }>([
    { keepResults: 'until-consumers-finish', atOnce: [0], complete: [0] },
    { keepResults: { ttlMs: 7 }, atOnce: [], complete: [7] },
    { keepResults: 'until-job-ends', atOnce: [], complete: [Infinity] },
    { keepResults: { directory: 'kept' }, atOnce: [], complete: [] },
  ])('stays as its exchange says ($keepResults), if it is complete', ({ keepResults, atOnce, complete }) => {
    const books = new Books('p! ~x> c:2', { keepResults });
    const retention = (): number[] => [...books.ledger.results.retentionOf([books.result('p')]).keys()];
    books.begin('p');
    books.run('c[0]', 'c[1]');
    expect(retention()).toEqual(atOnce);
    books.ledger.finishTask(books.task('p'));
    expect(retention()).toEqual(complete);
  });
});

describe('a fact from an executor', () => {
  const place = 'local-0' as ExecutorId;

  /** The result of the first attempt of p, at executor `place`, read by c. */
  function readByAll(keepResults: KeepResults = 'until-job-ends') {
    const books = new Books('p! ~> c', 'x', { keepResults });
    const { results } = books.ledger;
    books.begin('p');
    results.place(books.task('p'), 0 as AttemptNumber, place);
    books.ledger.finishTask(books.task('p'));
    books.run('c');
    const partition = books.result('p');
    const first = { partition, attempt: 0 as AttemptNumber };
    return { books, results, partition, first };
  }

  it('RT1: about an incomplete result counts for the attempt that was registered last', () => {
    const { books, results, partition, first } = readByAll();
    results.truncated({ ...first, attempt: 1 as AttemptNumber });
    expect(results.stateOf(partition)).toBe('finished');
    results.truncated(first);
    expect(results.stateOf(partition)).toBe('truncated');
    books.restart(['p', 'c']);
    results.truncated(first);
    books.begin('p');
    results.truncated(first);
    expect(results.stateOf(partition)).toBe('expected');
  });

  it.each<{ rule: string; steps: (of: ReturnType<typeof readByAll>) => void; says: string; state: TrackedState }>([
    { rule: 'no consumer needs it', steps: () => {}, says: 'released', state: 'released' },
    {
      rule: 'a consumer wants it again',
      steps: ({ books }) => books.restart(['c']),
      says: 'missed',
      state: 'finished',
    },
    {
      rule: 'it is to be produced again',
      steps: ({ books }) => books.restart(['p', 'c'], ['p']),
      says: 'not-needed',
      state: 'expected',
    },
    {
      rule: 'the master has released it meanwhile',
      steps: ({ results, partition }) => results.release([partition]),
      says: 'not-needed',
      state: 'released',
    },
    {
      rule: 'it is lost',
      steps: ({ results, partition }) => results.lose(partition),
      says: 'not-needed',
      state: 'lost',
    },
    {
      rule: 'another attempt was registered since',
      steps: ({ books, results }) => {
        books.restart(['p', 'c']);
        books.begin('p');
        results.place(books.task('p'), 1 as AttemptNumber, place);
      },
      says: 'not-needed',
      state: 'expected',
    },
  ])('RT1: about a reclaimed result, when $rule: $says', ({ steps, says, state }) => {
    const of = readByAll();
    steps(of);
    expect([of.results.reclaimed(of.first), of.results.stateOf(of.partition)]).toEqual([says, state]);
  });

  it.each<{ keepResults: KeepResults; wanted: number }>([
    { keepResults: 'until-job-ends', wanted: 1 },
    { keepResults: { ttlMs: 1_000 }, wanted: 1 },
    { keepResults: 'until-consumers-finish', wanted: 0 },
    { keepResults: { directory: 'kept' }, wanted: 0 },
  ])(
    'RT4: $keepResults: a restarting consumer needs what may have been reclaimed ($wanted)',
    ({ keepResults, wanted }) => {
      const { books } = readByAll(keepResults);
      expect(books.ledger.invalidate(new Map([[books.region('c'), 'again']]))).toHaveLength(wanted);
      expect(books.ledger.invalidate(new Map([[books.region('c'), 'again']]))).toEqual([]);
    },
  );

  it('results are at their last registration, until that executor is lost', () => {
    const { books, results, partition } = readByAll();
    const [task, other] = [books.task('p'), 'local-1' as ExecutorId];
    expect(results.placeOf(partition)).toBe(place);
    expect(results.place(task, 1 as AttemptNumber, other)).toEqual({ executor: place, attempt: 0 });
    expect([results.clearPlace(place), results.placeOf(partition)]).toEqual([[], other]);
    expect([results.clearPlace(other), results.placeOf(partition)]).toEqual([[task], undefined]);
    expect(results.place(task, 2 as AttemptNumber, place)).toBeUndefined();
  });
});
