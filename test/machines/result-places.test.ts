import type { PartitionRegistration } from '../../src/actors/protocol/deployment.ts';
import type { AttemptNumber, ExecutorId } from '../../src/ids.ts';
import { ResultPlaces } from '../../src/machines/connections/result-places.ts';
import { Books } from '../support/books.ts';

const [one, other, third] = ['one', 'other', 'third'] as unknown as readonly [ExecutorId, ExecutorId, ExecutorId];

/** The places of two producers and a consumer, and what is told to executors, as `one: results.placed at other`. */
function placesOf(areShared: boolean) {
  const books = new Books('a:2 ^x> b');
  const told: string[] = [];
  const places = new ResultPlaces(books.ledger, areShared, (executor, message) =>
    told.push(`${executor}: ${message.type}${message.type === 'results.placed' ? ` at ${message.executor}` : ''}`),
  );
  const registration = (task: string, attempt: number, origin: PartitionRegistration['origin']) => ({
    id: { partition: books.result(task), attempt: attempt as AttemptNumber },
    ...{ producer: books.task(task), origin, edge: 0, subpartitionCount: 1, isReproducible: true },
  });
  const register = (task: string, attempt: number, executor: ExecutorId, origin: PartitionRegistration['origin']) =>
    places.place(registration(task, attempt, origin), executor);
  const apart = (executor: ExecutorId, origin: PartitionRegistration['origin']): boolean =>
    places.refuseApart([{ executor, registration: registration('a[0]', 1, origin) }]) !== undefined;
  const locate = (executor: ExecutorId) =>
    places
      .locate(executor, books.ledger.deploymentOf(books.task('b'), 0 as AttemptNumber, 'new'))
      .inputs.flatMap(({ executors }) => executors);
  return { books, places, register, apart, locate, told };
}

describe('the places of results that executors do not share', () => {
  it('a deployment names the executors of its inputs; those without one are told later, once', () => {
    const { register, locate, told } = placesOf(false);
    register('a[0]', 0, one, 'new');
    expect(locate(third)).toEqual([one, null]);
    register('a[1]', 0, other, 'new');
    expect(told).toEqual(['third: results.placed at other']);
    register('a[1]', 1, one, 'new');
    expect(told).toEqual(['third: results.placed at other', 'other: results.release']);
    expect(locate(third)).toEqual([one, one]);
  });

  it('a result that is lost with its executor is not waited for: its reader is to find that it is lost', () => {
    const { books, register, locate, told } = placesOf(false);
    register('a[0]', 0, one, 'new');
    register('a[1]', 0, other, 'new');
    books.ledger.loseResultsOn(one);
    books.ledger.results.lose(books.result('a[0]'));
    expect(locate(third)).toEqual([one, other]);
    register('a[0]', 1, other, 'new');
    expect([told, locate(third)]).toEqual([[], [other, other]]);
  });

  it('an executor that is lost waits for nothing', () => {
    const { places, register, locate, told } = placesOf(false);
    locate(third);
    places.forget(third);
    register('a[0]', 0, one, 'new');
    expect(told).toEqual([]);
  });

  it.each<['again' | 'unread' | 'new' | 'restored', releases: boolean, isApart: boolean]>([
    ['new', true, false],
    ['again', false, true],
    ['unread', false, true],
    ['restored', false, false],
  ])('registered on another executor (%s): releases %s, apart from its remains %s', (origin, releases, isApart) => {
    for (const areShared of [true, false]) {
      const { apart, register, told } = placesOf(areShared);
      register('a[0]', 0, one, 'new');
      expect([apart(one, origin), apart(other, origin)]).toEqual([false, isApart && !areShared]);
      register('a[0]', 1, other, origin);
      expect(told).toEqual(releases ? ['one: results.release'] : []);
    }
  });

  //  (s) ═▶ (a) ─▶ (b) ╌╌▶ (c)
  it.each([
    ['s! => a! -> b! ^> c', 'b', true],
    // Only its own region reads it, and nothing is left of it: otherwise it would be refused again and again.
    ['s! => a! -> b! ^> c', 'a', false],
    // The order in which it merged is left.
    ['s!:2 =x> a! -> b! ^> c', 'a', true],
  ])('in %s the result of %s can be apart from what is left of the task: %s', (drawing, task, isApart) => {
    const books = new Books(drawing);
    const places = new ResultPlaces(books.ledger, false, () => {});
    const registration = (attempt: number, origin: PartitionRegistration['origin']) => ({
      id: { partition: books.result(task), attempt: attempt as AttemptNumber },
      ...{ producer: books.task(task), origin, edge: 0, subpartitionCount: 1, isReproducible: true },
    });
    places.place(registration(0, 'new'), one);
    const refused = () => places.refuseApart([{ executor: other, registration: registration(1, 'again') }]);
    expect(refused() !== undefined).toBe(isApart);
    const { kind } = books.ledger.reproducibilityOf(books.region(task));
    expect(kind === 'never').toBe(isApart);
  });

  it('shared, a deployment stays as it is', () => {
    const { register, locate } = placesOf(true);
    register('a[0]', 0, one, 'new');
    expect(locate(third)).toEqual([undefined]);
  });
});
