import { modeByPlan } from '../../src/failover/restart-plan.ts';
import { propose } from '../../src/failover/restart-proposal.ts';
import { IllegalStateError } from '../../src/errors/usage-errors.ts';
import type { AttemptNumber, ExecutionVertexId, RegionId } from '../../src/ids.ts';
import { namesOf, taskOf } from '../graph/drawn-graph.ts';
import { Books, execution } from '../support/books.ts';

//  (a) ═▶ (b) ═▶ (c)
const stages = ['a! => b! => c'];
//  (p) ═┬═▶ (c[0])
//       └═▶ (c[1])
const fan = ['p! =x> c:2'];
//  (p[0]) ═╦═▶ (m) ═▶ (c)     m merges
//  (p[1]) ═╝
const merge = ['p!:2 =x> m! => c'];

describe('how a region restarts', () => {
  it.each<{ rule: string; failovers: readonly { tasks: string[]; again: string[]; begins?: boolean }[]; mode: string }>(
    [
      { rule: 'the first attempt is new', failovers: [], mode: 'new' },
      { rule: 'again, if it is decided so', failovers: [{ tasks: ['b'], again: ['b'] }], mode: 'again' },
      { rule: 'new, by default', failovers: [{ tasks: ['b'], again: [] }], mode: 'new' },
      { rule: 'again for others', failovers: [{ tasks: ['a', 'b'], again: ['a'] }], mode: 'new' },
      {
        rule: 'a region that was to be new and has not begun stays new',
        failovers: [
          { tasks: ['b'], again: [] },
          { tasks: ['b'], again: ['b'] },
        ],
        mode: 'new',
      },
      {
        rule: 'and stays new however often it is told to reproduce',
        failovers: [
          { tasks: ['b'], again: [] },
          { tasks: ['b'], again: ['b'] },
          { tasks: ['b'], again: ['b'] },
        ],
        mode: 'new',
      },
      {
        rule: 'a region that was to be new and has begun can reproduce',
        failovers: [
          { tasks: ['b'], again: [], begins: true },
          { tasks: ['b'], again: ['b'] },
        ],
        mode: 'again',
      },
      {
        rule: 'a region that was to reproduce can become new',
        failovers: [
          { tasks: ['b'], again: ['b'] },
          { tasks: ['b'], again: [] },
        ],
        mode: 'new',
      },
    ],
  )('$rule: $mode', ({ failovers, mode }) => {
    const books = new Books(...stages);
    books.run('a', 'b');
    for (const { tasks, again, begins = false } of failovers) {
      books.restart(tasks, again);
      if (begins) books.begin('b');
    }
    expect(modeByPlan[books.ledger.planOf(books.region('b'))]).toBe(mode);
    expect(books.begin('b')).toMatch(new RegExp(`^#\\d ${mode}$`));
  });
});

describe('a region that waits again', () => {
  interface Failover {
    readonly again?: boolean;
    readonly waits?: boolean;
    readonly begins?: boolean;
  }
  const merging = (failovers: readonly Failover[]): Books => {
    const books = new Books(...merge);
    books.run('p[0]', 'p[1]');
    for (const { again = false, waits = false, begins = false } of failovers) {
      books.restart(['m'], again ? ['m'] : [], waits ? ['m'] : []);
      if (begins) books.begin('m');
    }
    return books;
  };
  const unable = ({ ledger }: Books) => namesOf(ledger.graph, ledger.unableToProduceAgain()).join(' ');

  it.each<{ rule: string; failovers: readonly Failover[]; mode: string; isBound: boolean }>([
    { rule: 'before its first attempt', failovers: [{ waits: true }], mode: 'again', isBound: false },
    {
      rule: 'and is restarted by itself',
      failovers: [{ waits: true }, { again: true }],
      mode: 'again',
      isBound: false,
    },
    { rule: 'and is to be new after all', failovers: [{ waits: true }, {}], mode: 'new', isBound: false },
    { rule: 'and was to be new', failovers: [{}, { waits: true }], mode: 'new', isBound: false },
    { rule: 'and was to produce again', failovers: [{ again: true }, { waits: true }], mode: 'again', isBound: true },
    {
      rule: 'and had begun to produce again',
      failovers: [{ again: true, begins: true }, { waits: true }],
      mode: 'again',
      isBound: true,
    },
    { rule: 'and then begins', failovers: [{ waits: true, begins: true }], mode: 'again', isBound: false },
    {
      rule: 'begins, and is to produce that again',
      failovers: [{ waits: true, begins: true }, { again: true }],
      mode: 'again',
      isBound: true,
    },
  ])('$rule: $mode, bound to its earlier output: $isBound', ({ failovers, mode, isBound }) => {
    const books = merging(failovers);
    expect(modeByPlan[books.ledger.planOf(books.region('m'))]).toBe(mode);
    expect(unable(books)).toBe('');
    books.ledger.declarations.loseOrder(books.task('m'));
    expect(unable(books)).toBe(isBound ? 'm' : '');
  });

  it('a region that was to reproduce but cannot is no longer listed once it is to write new results', () => {
    const books = merging([{ again: true }]);
    books.ledger.loseTrace(books.result('m'));
    expect(unable(books)).toBe('m');
    books.restart(['m']);
    expect(unable(books)).toBe('');
  });
});

describe('the regions that wait again for reproduced results', () => {
  it.each<{ rule: string; drawing: string[]; state: string; restarting: string[]; waits: string[] }>([
    {
      rule: 'a region that has not begun',
      drawing: fan,
      state: 'scheduled',
      restarting: ['p'],
      waits: ['c[0]', 'c[1]'],
    },
    { rule: 'not a running region', drawing: fan, state: 'running', restarting: ['p'], waits: [] },
    {
      rule: 'not a region that restarts itself',
      drawing: fan,
      state: 'scheduled',
      restarting: ['p', 'c[1]'],
      waits: ['c[0]'],
    },
    {
      rule: 'not a region that reads early',
      drawing: ['p! ^x> c:2'],
      state: 'scheduled',
      restarting: ['p'],
      waits: [],
    },
  ])('$rule', ({ drawing, state, restarting, waits }) => {
    const books = new Books(...drawing);
    const { ledger } = books;
    for (const task of ['c[0]', 'c[1]']) books.stub(task).state = state;
    const regions = restarting.map((task) => books.region(task));
    const failure = { vertex: books.task('p'), cause: new Error('p broke'), lostPartitions: [] };
    const proposal = propose(failure, ledger, { decision: { kind: 'restart', regions } });
    expect(proposal.kind === 'restart' && proposal.waiting).toEqual(waits.map((task) => books.region(task)));
  });
});

describe('the registration for an attempt', () => {
  it('the first writes new results', () => {
    expect(new Books(...stages).begin('a')).toBe('#0 new');
  });

  it.each<{ rule: string; decide: (books: Books) => void; origin: string }>([
    { rule: 'a result that is read', decide: (books) => books.restart(['p'], ['p']), origin: 'again' },
    { rule: 'a result that may change', decide: (books) => books.restart(['p', 'c[0]', 'c[1]']), origin: 'new' },
    {
      rule: 'a released result that every consumer has read',
      decide: (books) => {
        books.run('c[0]', 'c[1]');
        books.ledger.results.release([books.result('p')]);
        books.restart(['p'], ['p']);
      },
      origin: 'unread',
    },
    {
      rule: 'a released result that is read again',
      decide: (books) => {
        books.run('c[0]', 'c[1]');
        books.ledger.results.release([books.result('p')]);
        books.restart(['p', 'c[1]'], ['p', 'c[1]']);
      },
      origin: 'again',
    },
    {
      rule: 'a released result that is read again because of a later failover',
      decide: (books) => {
        books.run('c[0]', 'c[1]');
        books.ledger.results.release([books.result('p')]);
        books.restart(['p'], ['p']);
        books.restart(['c[1]', 'p'], ['c[1]', 'p']);
      },
      origin: 'again',
    },
    {
      rule: 'a kept result that every consumer has read',
      decide: (books) => {
        books.run('c[0]', 'c[1]');
        books.restart(['p'], ['p']);
      },
      origin: 'again',
    },
    {
      rule: 'a result released after the decision, before the attempt',
      decide: (books) => {
        books.run('c[0]', 'c[1]');
        books.restart(['p'], ['p']);
        books.ledger.results.release([books.result('p')]);
      },
      origin: 'unread',
    },
    {
      rule: 'a released result that is to be new',
      decide: (books) => {
        books.run('c[0]', 'c[1]');
        books.ledger.results.release([books.result('p')]);
        books.restart(['p', 'c[0]', 'c[1]']);
      },
      origin: 'new',
    },
    {
      rule: 'a lost result',
      decide: (books) => {
        books.ledger.results.lose(books.result('p'));
        books.restart(['p'], ['p']);
      },
      origin: 'again',
    },
  ])('$rule: $origin', ({ decide, origin }) => {
    const books = new Books(...fan, 'x');
    books.run('p');
    decide(books);
    expect(books.begin('p')).toBe(`#1 ${origin}`);
  });

  it.each<{ drawing: string[]; task: string; isReproducible: boolean }>([
    { drawing: ['a! => b'], task: 'a', isReproducible: true },
    { drawing: ['a => b'], task: 'a', isReproducible: false },
    { drawing: merge, task: 'm', isReproducible: true },
    { drawing: ['p!:2 -x> m! => c'], task: 'm', isReproducible: false },
  ])('$task of $drawing leaves traces for comparison: $isReproducible', ({ drawing, task, isReproducible }) => {
    const { ledger } = new Books(...drawing);
    const [registration] = ledger.beginRegistration(taskOf(ledger.graph, task), 0 as AttemptNumber, 'new');
    expect(registration?.isReproducible).toBe(isReproducible);
  });

  it('an attempt cannot begin before the previous one has ended', () => {
    const { ledger } = new Books('a');
    ledger.beginAttempt(0 as ExecutionVertexId, 0 as AttemptNumber, execution(false));
    expect(() => ledger.beginAttempt(0 as ExecutionVertexId, 1 as AttemptNumber, execution(true))).toThrow(
      IllegalStateError,
    );
  });
});

describe('the order in which a deployment reads its channels', () => {
  it.each<{ drawing: string[]; task: string; first: string; later: string }>([
    { drawing: merge, task: 'm', first: 'new', later: 'again' },
    { drawing: merge, task: 'c', first: 'any', later: 'any' },
    { drawing: ['p:2 =x> m => c'], task: 'm', first: 'any', later: 'any' },
    { drawing: ['p!:2 =x> m!'], task: 'm', first: 'any', later: 'any' },
  ])('$task of $drawing: $first, and when it reproduces its output: $later', ({ drawing, task, first, later }) => {
    const books = new Books(...drawing);
    const order = () => {
      books.begin(task);
      const [vertex, mode] = [books.task(task), modeByPlan[books.ledger.planOf(books.region(task))]];
      return books.ledger.deploymentOf(vertex, books.ledger.attemptOf(vertex), mode).channelOrder;
    };
    expect(order()).toBe(first);
    books.restart([task], [task]);
    expect(order()).toBe(later);
    books.restart([task]);
    expect(order()).toBe(first);
  });

  it("it reads the results of its producers' current attempts", () => {
    const books = new Books(...merge);
    const read = () =>
      books.ledger
        .deploymentOf(books.task('m'), 0 as AttemptNumber, 'new')
        .inputs.flatMap(({ partitions }) => partitions.map(({ attempt }) => attempt));
    books.run('p[0]', 'p[1]');
    expect(read()).toEqual([0, 0]);
    books.restart(['p[1]'], ['p[1]']);
    books.begin('p[1]');
    expect(read()).toEqual([0, 1]);
  });
});

describe('whether a region reproduces its output', () => {
  const told = ({ ledger }: Books, region: RegionId): string => {
    const verdict = ledger.reproducibilityOf(region);
    return verdict.kind === 'never' ? `never: ${verdict.why}` : verdict.kind;
  };

  it.each<{ rule: string; task: string; steps: (books: Books) => void; says: string }>([
    { rule: 'as declared', task: 'p[0]', steps: () => {}, says: 'always' },
    { rule: 'as declared, and merges', task: 'm', steps: () => {}, says: 'from-kept-results' },
    {
      rule: 'it will be new',
      task: 'm',
      steps: (books) => books.restart(['m', 'c']),
      says: 'never: it is about to write new results',
    },
    {
      rule: 'it was to be new, and has begun',
      task: 'm',
      steps: (books) => {
        books.restart(['m', 'c']);
        books.begin('m');
      },
      says: 'from-kept-results',
    },
    {
      rule: 'it will produce again',
      task: 'm',
      steps: (books) => books.restart(['m'], ['m']),
      says: 'from-kept-results',
    },
    {
      rule: 'a task of its vertex was found out',
      task: 'p[1]',
      steps: (books) => books.ledger.declarations.distrust(books.task('p[0]')),
      says: 'never: "p" was declared deterministic, but wrote different records',
    },
    {
      rule: 'a task of another was found out',
      task: 'm',
      steps: (books) => books.ledger.declarations.distrust(books.task('p[0]')),
      says: 'from-kept-results',
    },
    {
      rule: 'no trace of its result is left',
      task: 'm',
      steps: (books) => books.ledger.loseTrace(books.result('m')),
      says: 'never: no trace of its output is left to compare with',
    },
    {
      rule: 'no trace of another result is left',
      task: 'm',
      steps: (books) => books.ledger.loseTrace(books.result('p[0]')),
      says: 'from-kept-results',
    },
    {
      rule: 'no trace of its result was left, and it writes a new one',
      task: 'm',
      steps: (books) => {
        books.ledger.loseTrace(books.result('m'));
        books.restart(['m', 'c']);
        books.begin('m');
      },
      says: 'from-kept-results',
    },
    {
      rule: 'it cannot run beside its consumers',
      task: 'm',
      steps: (books) => {
        books.restart(['m'], ['m']);
        books.ledger.declarations.loseRoom(books.region('m'));
      },
      says: 'never: there was no room for it beside its consumers',
    },
    {
      rule: 'it was drained in vain',
      task: 'm',
      steps: (books) => books.ledger.declarations.drain(books.region('m')),
      says: 'never: its final results were handed on for a savepoint that failed',
    },
    {
      rule: 'it was drained in vain, and has begun to write new results since',
      task: 'm',
      steps: (books) => {
        books.ledger.declarations.drain(books.region('m'));
        books.restart(['m', 'c']);
        books.begin('m');
      },
      says: 'from-kept-results',
    },
    {
      rule: 'its order is lost',
      task: 'm',
      steps: (books) => books.ledger.declarations.loseOrder(books.task('m')),
      says: 'never: the order in which it merged its channels is lost',
    },
    {
      rule: 'the order of another is lost',
      task: 'm',
      steps: (books) => books.ledger.declarations.loseOrder(books.task('c')),
      says: 'from-kept-results',
    },
    {
      rule: 'its order is lost, though it has none',
      task: 'p[0]',
      steps: (books) => books.ledger.declarations.loseOrder(books.task('p[0]')),
      says: 'always',
    },
    {
      rule: 'its order was lost, and it has a new one',
      task: 'm',
      steps: (books) => {
        books.ledger.declarations.loseOrder(books.task('m'));
        books.restart(['m', 'c']);
        books.begin('m');
      },
      says: 'from-kept-results',
    },
    {
      rule: 'its order was lost after it was decided to follow it',
      task: 'm',
      steps: (books) => {
        books.restart(['m'], ['m']);
        books.ledger.declarations.loseOrder(books.task('m'));
        books.begin('m');
      },
      says: 'never: the order in which it merged its channels is lost',
    },
  ])('$rule: $says', ({ task, steps, says }) => {
    const books = new Books(...merge, 'x');
    books.run('p[0]', 'p[1]', 'm');
    steps(books);
    expect(told(books, books.region(task))).toBe(says);
    expect(books.ledger.mayProduceAgain(books.task(task))).toBe(!says.startsWith('never'));
  });

  it('one lost order affects its whole region', () => {
    //  (k) ═▶ (m[0]) ─▶ (n) ═▶ (d)
    //  (k) ═▶ (m[1]) ─▶ (n)
    const books = new Books('k:2 =x> m! -> n! => d');
    books.ledger.declarations.loseOrder(books.task('m'));
    expect(told(books, books.region('n'))).toMatch(/^never: the order/);
  });

  it('of several lost orders, each has to be recorded again', () => {
    const books = new Books('k!:2 =x> m!:2 -x> d');
    for (const task of ['m[0]', 'm[1]']) books.ledger.declarations.loseOrder(books.task(task));
    books.restart(['d']);
    books.begin('m[0]');
    expect(told(books, books.region('d'))).toMatch(/^never: the order/);
    books.begin('m[1]');
    expect(told(books, books.region('d'))).toBe('from-kept-results');
  });
});
