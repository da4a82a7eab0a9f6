import fc from 'fast-check';
import { TooManyErrorsError } from '../../../src/errors/user-code-errors.ts';
import type { AttemptNumber } from '../../../src/ids.ts';
import type { ErrorTally } from '../../../src/operators/rejected/error-tallies.ts';
import type { ErrorLimit } from '../../../src/operators/rejected/on-error.ts';
import { remoteRig, rigs, type ServicesRig } from './services-rig.ts';

/** An attempt of a subtask of `parse`, which takes records in batches as a task does. */
class Attempt {
  readonly #rig: ServicesRig;
  readonly #tally: ErrorTally;
  records = 0;
  errors = 0;
  failure: Error | undefined;

  constructor(rig: ServicesRig, executor: number, subtask: number, attempt: number, limit: ErrorLimit) {
    this.#rig = rig;
    const counted = { operator: 'parse', subtask, attempt: attempt as AttemptNumber };
    const { errorTallies } = rig.services[executor] as ServicesRig['services'][number];
    this.#tally = errorTallies.open(counted, limit, () => this.records);
  }

  /** Takes a batch, and fails at the last `errors` of its records. Waits until it may take more. */
  take(records: number, errors: number): void {
    if (this.failure !== undefined) return;
    this.records += records;
    for (let error = 0; error < errors && this.failure === undefined; error++) {
      this.errors++;
      const place = { operator: 'parse', record: { position: `line ${this.errors}`, picture: undefined } };
      this.failure = this.#tally.add(new Error(`bad line ${this.errors}`), place);
    }
    this.#settle();
  }

  /** Ends, as a task does whose input is over. */
  finish(): Error | undefined {
    let outcome: { readonly error: Error | undefined } | undefined;
    if (this.#tally.output === undefined) return this.failure;
    this.#tally.output.finish((error) => {
      outcome = { error };
    });
    for (let turn = 0; outcome === undefined && turn < 1_000; turn++) this.#rig.environment.advance(1);
    expect(outcome).toBeDefined();
    return outcome?.error;
  }

  #settle(): void {
    const { output } = this.#tally;
    if (output === undefined) return;
    for (let turn = 0; !output.isWritable && output.failure === undefined && turn < 1_000; turn++) {
      this.#rig.environment.advance(1);
    }
    this.failure ??= output.failure;
  }
}

const anyShare = (errors: number): ErrorLimit => ({ errors, share: 0 });

describe.each(rigs)('the errors of an operator in several executors $where', ({ where, rig }) => {
  it('ED1: are too many together; the error names the first of all, and all of them', () => {
    const made = rig();
    const attempts = [0, 1, 2].map((subtask) => new Attempt(made, subtask, subtask, 0, anyShare(5)));
    for (const attempt of attempts) attempt.take(10, 2);
    const failures = attempts.map(({ failure }) => failure);
    expect(failures.slice(0, 2)).toEqual([undefined, undefined]);
    expect(failures[2]).toBeInstanceOf(TooManyErrorsError);
    expect(failures[2]).toMatchObject({
      ...{ operator: 'parse', errors: 6, limit: anyShare(5), first: { record: { position: 'line 1' } } },
      cause: { message: 'bad line 1' },
    });
  });

  it('ED1: a share is one of the records of all executors, whether they have errors or not', () => {
    const made = rig();
    const limit = { errors: 1, share: 0.1 };
    const [clean, dirty] = [0, 1].map((subtask) => new Attempt(made, subtask, subtask, 0, limit)) as [Attempt, Attempt];
    clean.take(70, 0);
    dirty.take(10, 8);
    expect(dirty.failure).toBeUndefined();
    dirty.take(10, 2);
    expect(dirty.failure).toMatchObject({ errors: 10, records: 90 });
  });

  it('ED2: a later attempt counts instead of an earlier one, wherever it runs, in whatever order they are heard', () => {
    const made = rig({ seed: 5 });
    const first = new Attempt(made, 0, 0, 0, anyShare(4));
    first.take(10, 3);
    const second = new Attempt(made, 1, 0, 1, anyShare(4));
    second.take(10, 3);
    expect(second.failure).toBeUndefined();
    first.take(10, 3);
    const late = new Attempt(made, 2, 0, 0, anyShare(4));
    late.take(10, 3);
    expect([first.failure, late.failure]).toEqual([undefined, undefined]);
    second.take(10, 2);
    expect(second.failure).toMatchObject({ errors: 5 });
  });

  it('ED2: an attempt that ends without more records has its verdict', () => {
    const made = rig();
    const attempts = [0, 1].map((subtask) => new Attempt(made, subtask, subtask, 0, anyShare(3)));
    attempts[0]?.take(2, 2);
    attempts[1]?.take(2, 2);
    expect(attempts.map((attempt) => attempt.finish() instanceof TooManyErrorsError)).toEqual([false, true]);
  });

  it('property: the job fails if and only if there are too many; beyond the limit no attempt takes more than a batch', () => {
    const steps = fc.array(
      fc.record({
        subtask: fc.integer({ min: 0, max: 2 }),
        records: fc.integer({ min: 4, max: 10 }),
        errors: fc.nat(4),
      }),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(steps, fc.nat(20), fc.integer({ min: 1, max: 1_000_000 }), (plan, limit, seed) => {
        const made = rig({ seed });
        const attempts = [0, 1, 2].map((subtask) => new Attempt(made, subtask, subtask, 0, anyShare(limit)));
        for (const { subtask, records, errors } of plan) attempts[subtask]?.take(records, errors);
        const told = plan.reduce((sum, { errors }) => sum + errors, 0);
        const counted = attempts.reduce((sum, { errors }) => sum + errors, 0);
        const failed = attempts.filter((attempt) => attempt.finish() !== undefined).length;
        expect(failed > 0).toBe(told > limit);
        expect(counted).toBeLessThanOrEqual(limit + attempts.length * 4);
      }),
      { numRuns: where === 'on one thread' ? 20 : 100 },
    );
  });
});

describe('a lost executor', () => {
  it('ED3: its unfinished attempts count no more, its finished ones do', () => {
    const made = remoteRig();
    const [finished, running] = [0, 1].map((subtask) => new Attempt(made, 0, subtask, 0, anyShare(5))) as [
      Attempt,
      Attempt,
    ];
    finished.take(10, 2);
    finished.finish();
    running.take(10, 3);
    made.lose(0);
    const other = new Attempt(made, 1, 2, 0, anyShare(5));
    other.take(10, 3);
    expect(other.failure).toBeUndefined();
    other.take(10, 1);
    expect(other.failure).toMatchObject({ errors: 6 });
  });

  it.each(Array.from({ length: 20 }, (_, at) => at * 3))(
    'ED1: nobody waits for what it would say, lost after %i ms',
    (lostMs) => {
      const made = remoteRig();
      const [dirty, silent] = [0, 1].map(
        (subtask) => new Attempt(made, subtask, subtask, 0, { errors: 1, share: 0.25 }),
      ) as [Attempt, Attempt];
      silent.take(10, 0);
      made.environment.clock.setTimeout(() => made.lose(1), lostMs);
      dirty.take(10, 6);
      expect(dirty.failure).toMatchObject({ errors: 6 });
    },
  );
});
