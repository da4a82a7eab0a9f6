import { blocking, checkExchange, type Exchange, memory, reliable } from '../../src/api/exchange.ts';
import { checkKeepResults } from '../../src/graph/keep-results.ts';
import { Job } from '../../src/api/job.ts';
import { planJob } from '../../src/api/job-planner.ts';
import { InvalidArgumentError, JobValidationError } from '../../src/errors/usage-errors.ts';
import { flights, sinkOf } from './outside.ts';
import { thrownBy } from '../support/thrown-by.ts';

describe('an exchange with options', () => {
  it.each([
    ['memory', memory],
    ['reliable', reliable],
    ['blocking', blocking],
  ] as const)('%s() without options equals its name', (name, make) => {
    expect(make()).toEqual({ name });
    expect(make({})).toEqual({ name });
    expect(Object.isFrozen(make())).toBe(true);
  });

  it.each<{ made: () => object; says: object }>([
    {
      made: () => memory({ memoryBudgetBytes: 0, memoryOverflow: 'spill', keepResults: 'until-job-ends' }),
      says: { name: 'memory', memoryBudgetBytes: 0, memoryOverflow: 'spill', keepResults: 'until-job-ends' },
    },
    { made: () => memory({ memoryOverflow: 'drop' }), says: { name: 'memory', memoryOverflow: 'drop' } },
    {
      made: () => reliable({ sync: 'write', diskBudgetBytes: 2 ** 40, keepResults: { ttlMs: 5 } }),
      says: { name: 'reliable', sync: 'write', diskBudgetBytes: 2 ** 40, keepResults: { ttlMs: 5 } },
    },
    { made: () => reliable({ sync: 'checkpoint' }), says: { name: 'reliable', sync: 'checkpoint' } },
    { made: () => reliable({ sync: 'never' }), says: { name: 'reliable', sync: 'never' } },
    {
      made: () => blocking({ memoryBudgetBytes: Infinity, diskBudgetBytes: 1, keepResults: 'until-consumers-finish' }),
      says: {
        name: 'blocking',
        memoryBudgetBytes: Infinity,
        diskBudgetBytes: 1,
        keepResults: 'until-consumers-finish',
      },
    },
  ])('has $says', ({ made, says }) => {
    expect(made()).toEqual(says);
  });

  it.each<{ argument: string; made: () => unknown; expected: RegExp }>([
    {
      argument: 'memoryBudgetBytes of memory',
      made: () => memory({ memoryBudgetBytes: -1 }),
      expected: /bytes ≥ 0, got -1/,
    },
    { argument: 'memoryBudgetBytes of memory', made: () => memory({ memoryBudgetBytes: NaN }), expected: /got NaN/ },
    { argument: 'memoryBudgetBytes of blocking', made: () => blocking({ memoryBudgetBytes: -1 }), expected: /got -1/ },
    { argument: 'diskBudgetBytes of blocking', made: () => blocking({ diskBudgetBytes: -1 }), expected: /got -1/ },
    { argument: 'diskBudgetBytes of reliable', made: () => reliable({ diskBudgetBytes: NaN }), expected: /got NaN/ },
    {
      argument: 'diskBudgetBytes of reliable',
      made: () => reliable({ diskBudgetBytes: 'a lot' as never }),
      expected: /got "a lot"/,
    },
    {
      argument: 'memoryOverflow of memory',
      made: () => memory({ memoryOverflow: 'fail' as never }),
      expected: /"drop" or "spill", got "fail"/,
    },
    {
      argument: 'sync of reliable',
      made: () => reliable({ sync: 'always' as never }),
      expected: /"checkpoint", "write" or "never", got "always"/,
    },
    ...(['memory', 'reliable', 'blocking'] as const).map((name) => ({
      argument: `keepResults of ${name}`,
      made: () => ({ memory, reliable, blocking })[name]({ keepResults: 'forever' as never }),
      expected: /"until-consumers-finish", "until-job-ends".*\{ ttlMs \}.*got "forever"/,
    })),
  ])('refuses another $argument', ({ argument, made, expected }) => {
    const error = thrownBy(made);
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect(error).toMatchObject({ argument, message: expect.stringMatching(expected) });
  });
});

describe('keepResults', () => {
  it.each([{ ttlMs: 0 }, { ttlMs: 0.5 }, { ttlMs: 2 ** 31 - 1 }, 'until-consumers-finish', 'until-job-ends'] as const)(
    'may be %p',
    (keep) => {
      expect(checkKeepResults('keepResults', keep)).toBe(keep);
    },
  );

  it.each([
    { ttlMs: -1 },
    { ttlMs: NaN },
    { ttlMs: '5' },
    { directory: 'kept' },
    { ttlMs: 2 ** 31 },
    {},
    null,
    undefined,
    5,
    'until-job-finish',
  ])('may not be %p', (keep) => {
    const error = thrownBy(() => checkKeepResults('keepResults', keep as never));
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect(error).toMatchObject({ argument: 'keepResults', given: keep });
  });
});

describe('results kept beyond their job', () => {
  const keepResults = { directory: 'kept' };

  it.each([reliable, blocking])('are kept in a directory', (make) => {
    expect(make({ keepResults }).keepResults).toEqual(keepResults);
  });

  it.each<{ rule: string; made: () => unknown; argument: string }>([
    {
      rule: 'not in memory',
      made: () => memory({ keepResults: keepResults as never }),
      argument: 'keepResults of memory',
    },
    {
      rule: 'not nowhere',
      made: () => reliable({ keepResults: { directory: '' } }),
      argument: 'keepResults of reliable',
    },
    {
      rule: 'not in a number',
      made: () => blocking({ keepResults: { directory: 5 as never } }),
      argument: 'keepResults of blocking',
    },
  ])('$rule', ({ made, argument }) => {
    const error = thrownBy(made);
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect(error).toMatchObject({ argument });
  });
});

describe('the exchange option', () => {
  it.each<{ given: Exchange | undefined; says: object | undefined }>([
    { given: undefined, says: undefined },
    { given: 'pipelined', says: { name: 'pipelined' } },
    { given: 'memory', says: { name: 'memory' } },
    { given: reliable({ sync: 'write' }), says: { name: 'reliable', sync: 'write' } },
  ])('$given gives $says', ({ given, says }) => {
    expect(checkExchange('exchange', given)).toEqual(says);
  });

  it.each(['fast', 'toString', '', null, 5, {}, { name: 'fast' }, { name: 'constructor' }, { sync: 'write' }])(
    'may not be %p',
    (given) => {
      const error = thrownBy(() => checkExchange('exchange of "sum"', given as never));
      expect(error).toBeInstanceOf(InvalidArgumentError);
      expect(error).toMatchObject({ argument: 'exchange of "sum"', given });
    },
  );

  /** The planned exchange of the only edge of a job. */
  const planned = (upstream: Exchange | undefined, downstream: Exchange | undefined): unknown => {
    const job = Job.create('flights');
    job
      .source('in', flights())
      .rebalance(upstream === undefined ? {} : { exchange: upstream })
      .map((flight) => flight, { uid: 'm', ...(downstream !== undefined && { exchange: downstream }) })
      .sink('out', sinkOf());
    return planJob(job).exchanges;
  };

  it.each<{ upstream: Exchange | undefined; downstream: Exchange | undefined; exchanges: object[] }>([
    { upstream: undefined, downstream: undefined, exchanges: [] },
    { upstream: 'memory', downstream: undefined, exchanges: [{ name: 'memory' }] },
    { upstream: undefined, downstream: reliable({ sync: 'never' }), exchanges: [{ name: 'reliable', sync: 'never' }] },
    {
      upstream: reliable({ sync: 'never' }),
      downstream: 'reliable',
      exchanges: [{ name: 'reliable', sync: 'never' }],
    },
    {
      upstream: reliable({ sync: 'never', diskBudgetBytes: 9 }),
      downstream: reliable({ sync: 'write' }),
      exchanges: [{ name: 'reliable', sync: 'write', diskBudgetBytes: 9 }],
    },
  ])('$upstream, then $downstream: $exchanges', ({ upstream, downstream, exchanges }) => {
    expect(planned(upstream, downstream)).toEqual(exchanges);
  });

  it('cannot be given twice', () => {
    expect(() => planned(memory({ memoryBudgetBytes: 1 }), reliable())).toThrow(JobValidationError);
    expect(() => planned(memory(), reliable())).toThrow(/"in" has the exchange memory, but "m" asks for reliable/);
  });
});
