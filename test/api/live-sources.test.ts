import { NEVER } from 'rxjs';
import {
  collect,
  type Exchange,
  explain,
  fromArray,
  fromObservable,
  InvalidArgumentError,
  Job,
  range,
  restartAll,
  type Source,
  type SourceOptions,
} from '../../src/index.ts';
import { thrownBy } from '../support/thrown-by.ts';

const buffer = { capacity: 1, overflow: 'error' } as const;
const live = (): Source<number> => fromObservable(() => NEVER, { buffer });
const cold = (): Source<number> => fromObservable(() => NEVER, { buffer, replayable: true });

/** `ticks` ─exchange▶ `total` ▶ `out` */
function ticking(exchange: Exchange | undefined, source = live(), options: SourceOptions = {}): Job {
  const job = Job.create('ticking', { mode: 'streaming' });
  job
    .source('ticks', source, options)
    .map((n) => n, { uid: 'total', exchange })
    .sink('out', collect());
  return job;
}

describe('whether a source can be read again', () => {
  it.each<[string, Source<number>, SourceOptions, boolean]>([
    ['an array', fromArray([1]), {}, true],
    ['a source that does not say', { ...range(0, 1), replayable: undefined }, {}, true],
    ['an observable, unless it says that it is cold', live(), {}, false],
    ['a cold observable', cold(), {}, true],
    ['a cold observable of which the job says otherwise', cold(), { replayable: false }, false],
    ['a live observable of which the job says otherwise', live(), { replayable: true }, true],
  ])('%s', (_, source, options, replayable) => {
    expect(ticking('reliable', source, options).steps.map((step) => step.replayable)).toEqual([replayable, true, true]);
    expect(explain(ticking('reliable', source, options)).liveSources).toHaveLength(replayable ? 0 : 1);
  });

  it.each<[string, Source<number>, SourceOptions]>([
    ['of a source', { ...live(), deterministic: true }, {}],
    ['of a job, of a live source', live(), { deterministic: true }],
    ['of a source, where the job says that it is live', fromArray([1]), { replayable: false }],
    ['of a job that says both', cold(), { deterministic: true, replayable: false }],
  ])('the declaration %s to be deterministic as well is refused by name', (_, source, options) => {
    const error = thrownBy(() => ticking('reliable', source, options));
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect((error as Error).message).toMatch(/^deterministic of "ticks": expected false, or `replayable: true`: /);
  });

  it('a declaration must be true or false', () => {
    const refused = /^replayable of (fromObservable|"ticks"): expected true or false, got "no"/;
    const no = 'no' as never;
    expect(() => fromObservable(() => NEVER, { buffer, replayable: no })).toThrow(refused);
    expect(() => ticking('reliable', { ...range(0, 1), replayable: no })).toThrow(refused);
    expect(() => ticking('reliable', live(), { replayable: no })).toThrow(refused);
  });

  it('a job declared deterministic leaves its live source undeclared', () => {
    const job = Job.create('ticking', { mode: 'streaming', deterministic: true });
    job
      .source('ticks', live())
      .map((n) => n, { exchange: 'reliable' })
      .sink('out', collect());
    expect(explain(job).toString()).toContain('recomputes its results: "ticks" cannot be read again');
  });
});

describe('explain shows what restarts a source that cannot be read again', () => {
  const remedy = 'put a `reliable` exchange directly after it to avoid this';

  it.each<[Exchange | undefined, string]>([
    [undefined, `restarts when total, out fail: ${remedy}`],
    ['pipelined', `restarts when total, out fail: ${remedy}`],
    ['memory', `restarts when a consumer needs what \`memory\` has dropped: ${remedy}`],
    ['reliable', 'restarts only when it fails itself: its consumers re-read its retained records'],
    ['blocking', 'restarts only when it fails itself: its consumers re-read its retained records'],
  ])('over %s', (exchange, said) => {
    const text = explain(ticking(exchange)).toString();
    expect(text).toContain(
      `\n\nSources that cannot be read again (a restart loses what came before)\n  ticks  ${said}\n`,
    );
  });

  it('an operator is chained to it', () => {
    const job = Job.create('ticking', { mode: 'streaming' });
    job.source('ticks', live()).sink('out', collect());
    expect(explain(job).liveSources).toEqual([
      { source: 'ticks', restartedBy: ['out'], isKept: false, isReadOverMemory: false },
    ]);
    expect(explain(job).toString()).toContain(`  ticks  restarts when out fails: ${remedy}`);
  });

  it('one of two consumers retains its records', () => {
    const job = Job.create('ticking', { mode: 'streaming' });
    const ticks = job.source('ticks', live());
    ticks.map((n) => n, { uid: 'kept', exchange: 'reliable' }).sink('a', collect());
    ticks.map((n) => n, { uid: 'quick', exchange: 'pipelined' }).sink('b', collect());
    expect(explain(job).liveSources).toMatchObject([{ restartedBy: ['quick', 'b'], isKept: false }]);
  });

  it('the rule restarts it regardless', () => {
    expect(explain(ticking('reliable'), { failoverRule: restartAll() }).toString()).toContain(
      '  ticks  restarts when total, out fail, as the failover rule asks\n',
    );
  });

  it('nothing if every source can be read again', () => {
    expect(explain(ticking('pipelined', cold())).toString()).not.toContain('cannot be read again');
  });
});
