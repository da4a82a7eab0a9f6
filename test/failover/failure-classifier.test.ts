import { JobCanceledError, JobFailedError, UnrecoverableError } from '../../src/errors/job-errors.ts';
import { DeterminismBrokenError, DiskBudgetExceededError, PartitionLostError } from '../../src/errors/result-errors.ts';
import { toError } from '../../src/errors/thrown-value.ts';
import { IllegalStateError, InvalidArgumentError } from '../../src/errors/usage-errors.ts';
import { classifyFailure, type FailureClass, type FailureClassifier } from '../../src/failover/failure-classifier.ts';
import type { AttemptNumber, PartitionId, ResultPartitionId, RunId } from '../../src/ids.ts';

const result = (partition: number, attempt = 0): ResultPartitionId => ({
  partition: partition as PartitionId,
  attempt: attempt as AttemptNumber,
});
const lost = (partition: number, cause?: unknown, attempt = 0) =>
  new PartitionLostError(result(partition, attempt), 'gone', { cause });
const different = () => new DeterminismBrokenError(result(1), 0, 7, 'other records');
const plain = (cause?: unknown) => new Error('plain', { cause });
const fatal = (cause?: unknown) => new UnrecoverableError('fatal', { cause });

const ring = plain();
ring.cause = lost(1, ring);
let deep: Error = fatal();
for (let link = 0; link < 40; link++) deep = plain(deep);

const recoverable: FailureClass = { kind: 'recoverable' };
const claimBroken: FailureClass = { kind: 'determinism-broken' };
const unrecoverable = (why: string): FailureClass => ({ kind: 'unrecoverable', why });
const blames = (...partitions: number[]): FailureClass => ({
  kind: 'partition-lost',
  partitions: partitions as PartitionId[],
});

describe('the class of a failure by its cause chain', () => {
  it.each<{ chain: string; cause: Error; says: FailureClass }>([
    { chain: 'plain', cause: plain(), says: recoverable },
    { chain: 'plain ← plain', cause: plain(plain()), says: recoverable },
    { chain: 'fatal', cause: fatal(), says: unrecoverable('fatal') },
    { chain: 'plain ← fatal', cause: plain(fatal()), says: unrecoverable('fatal') },
    { chain: 'plain ← lost 3', cause: plain(lost(3)), says: blames(3) },
    { chain: 'lost 3 ← lost 1 ← lost 3', cause: lost(3, lost(1, lost(3))), says: blames(3, 1) },
    { chain: 'lost 3 ← fatal: the bytes, not the job', cause: lost(3, fatal()), says: blames(3) },
    { chain: 'fatal ← lost 3: the outermost opinion', cause: fatal(lost(3)), says: unrecoverable('fatal') },
    { chain: 'lost 5, which the job does not have', cause: lost(5), says: recoverable },
    { chain: 'lost 5 ← fatal', cause: lost(5, fatal()), says: unrecoverable('fatal') },
    { chain: 'different', cause: different(), says: claimBroken },
    { chain: 'plain ← different', cause: plain(different()), says: claimBroken },
    {
      chain: 'lost 3 ← different: its consumer has broken no declaration',
      cause: lost(3, different()),
      says: blames(3),
    },
    { chain: 'fatal ← different', cause: fatal(different()), says: unrecoverable('fatal') },
    {
      chain: 'different, of another realm: no class, its data alone',
      cause: Object.assign(new Error('different'), { recovery: 'restart-consumers' }),
      says: claimBroken,
    },
    { chain: 'lost -1', cause: lost(-1), says: recoverable },
    { chain: 'lost 0.5', cause: lost(0.5), says: recoverable },
    { chain: 'a ring of causes', cause: ring, says: blames(1) },
    { chain: 'further away than anybody looks', cause: deep, says: recoverable },
    { chain: 'causes that are not errors', cause: plain('a string'), says: recoverable },
    {
      chain: 'an error that crossed a worker: no class, its data alone',
      cause: Object.assign(new Error('gone'), { recovery: 'restart-producer', partition: 2 }),
      says: blames(2),
    },
    { chain: 'a plain object', cause: plain({ recovery: 'never', message: 'no' }), says: unrecoverable('no') },
  ])('$chain', ({ cause, says }) => {
    expect(classifyFailure(cause, [], undefined, { partitionCount: 5 })).toEqual(says);
  });
});

describe('a refused call', () => {
  const refused = (data: object) => Object.assign(new Error('no'), data);
  const kindOf = (cause: Error) => classifyFailure(cause, []).kind;

  it.each([400, 401, 403, 404, 409, 410, 413, 422, 499])('for good (%i) is unrecoverable', (status) => {
    expect(classifyFailure(refused({ status }), [])).toEqual({
      kind: 'unrecoverable',
      why: `a call was refused with status ${status}, which no retry cures: no`,
    });
  });

  it.each([200, 304, 399, 408, 425, 429, 500, 503, '400', 400.5, Number.NaN, undefined, 'rejected'])(
    'for now, or without a status (%p), is recoverable',
    (status) => {
      expect(kindOf(refused({ status }))).toBe('recoverable');
    },
  );

  it.each<[string, object, string]>([
    ['status', { status: 400 }, 'unrecoverable'],
    ['statusCode', { statusCode: 404 }, 'unrecoverable'],
    ['response.status', { response: { status: 422 } }, 'unrecoverable'],
    ['response.statusCode', { response: { statusCode: 422 } }, 'unrecoverable'],
    ['$metadata.httpStatusCode', { $metadata: { httpStatusCode: 403 } }, 'unrecoverable'],
    ['$metadata.httpStatusCode 400, which may be throttling', { $metadata: { httpStatusCode: 400 } }, 'recoverable'],
    ['the status of the error before that of the response', { status: 429, response: { status: 400 } }, 'recoverable'],
    ['a missing response', { response: null, $metadata: 1 }, 'recoverable'],
  ])('has its status in %s', (_where, data, kind) => {
    expect(kindOf(refused(data))).toBe(kind);
  });

  it('has its status in the thrown Response of a fetch, also inside another error', () => {
    expect(kindOf(toError(new Response('', { status: 404 })))).toBe('unrecoverable');
    expect(kindOf(plain(refused({ status: 404 })))).toBe('unrecoverable');
  });

  it('is less important than a lost result above it', () => {
    expect(classifyFailure(lost(3, refused({ status: 404 })), [], undefined, { partitionCount: 5 })).toEqual(blames(3));
  });

  it('is recoverable if a classifier says so', () => {
    const classifier: FailureClassifier = () => recoverable;
    expect(classifyFailure(refused({ status: 404 }), [classifier])).toEqual(recoverable);
  });
});

describe('a write to a frozen record', () => {
  const thrownBy = (write: (record: { n: number; list: number[] }) => unknown): Error => {
    try {
      write(Object.freeze({ n: 1, list: Object.freeze([1, 2]) as number[] }));
    } catch (error) {
      return error as Error;
    }
    throw new Error('it was not refused');
  };

  it.each<[string, (record: { n: number; list: number[] }) => unknown]>([
    ['sets', (record) => (record.n = 2)],
    ['adds', (record) => Object.assign(record, { more: 1 })],
    ['deletes', (record) => delete (record as { n?: number }).n],
    ['defines', (record) => Object.defineProperty(record, 'more', { value: 1 })],
    ['redefines', (record) => Object.defineProperty(record, 'n', { value: 2 })],
    ['pushes', (record) => record.list.push(3)],
    ['shifts', (record) => record.list.shift()],
    ['sorts', (record) => record.list.sort(() => -1)],
  ])('(%s) is unrecoverable, with the remedy', (_what, write) => {
    expect(classifyFailure(thrownBy(write), [])).toEqual({
      kind: 'unrecoverable',
      why: expect.stringMatching(/^Cannot .*: return a changed copy instead$/),
    });
  });

  it('is not any other TypeError', () => {
    expect(classifyFailure(new TypeError('fetch failed'), [])).toEqual(recoverable);
  });
});

describe('the class of a failure that involves another run', () => {
  const [mine, other] = ['mine', 'other'] as [RunId, RunId];
  const lostOf = (run: RunId | undefined, partition: number, cause?: unknown) =>
    new PartitionLostError({ ...result(partition), run }, 'gone', { cause });
  const differentOf = (run: RunId) => new DeterminismBrokenError({ ...result(1), run }, 0, 7, 'other records');
  const failed = (cause: unknown, run: RunId | undefined = other) =>
    new JobFailedError('inner', undefined, 'why', { cause, run });
  const refused = (cause?: unknown) => Object.assign(new Error('forbidden', { cause }), { status: 403 });

  it.each<{ chain: string; cause: Error; says: FailureClass }>([
    { chain: 'lost 3 of this run', cause: lostOf(mine, 3), says: blames(3) },
    { chain: 'lost 3 of another', cause: lostOf(other, 3), says: recoverable },
    { chain: 'lost 99 of another', cause: lostOf(other, 99), says: recoverable },
    { chain: 'lost 3 of no run', cause: lostOf(undefined, 3), says: recoverable },
    { chain: 'lost 3 ← lost 1 of another', cause: lostOf(mine, 3, lostOf(other, 1)), says: blames(3) },
    { chain: 'lost 1 of another ← lost 3 of this', cause: lostOf(other, 1, lostOf(mine, 3)), says: recoverable },
    { chain: 'plain ← failed ← lost 3 of that', cause: plain(failed(lostOf(other, 3))), says: recoverable },
    { chain: 'different, of another', cause: differentOf(other), says: recoverable },
    { chain: 'different', cause: differentOf(mine), says: claimBroken },
    { chain: 'failed ← different of that', cause: failed(differentOf(other)), says: recoverable },
    {
      chain: 'canceled ← fatal',
      cause: new JobCanceledError('inner', { cause: fatal(), run: other }),
      says: unrecoverable('fatal'),
    },
    { chain: 'failed ← fatal', cause: failed(fatal()), says: unrecoverable('fatal') },
    { chain: 'failed ← plain ← fatal', cause: failed(plain(fatal())), says: unrecoverable('fatal') },
    {
      chain: 'failed, of an unknown run ← fatal',
      cause: failed(fatal(), undefined),
      says: unrecoverable('fatal'),
    },
    { chain: 'fatal ← failed ← lost', cause: fatal(failed(lostOf(other, 1))), says: unrecoverable('fatal') },
    { chain: 'failed ← refused by the engine', cause: failed(new IllegalStateError('internal')), says: recoverable },
    {
      chain: 'refused by the engine in this run',
      cause: plain(new IllegalStateError('internal')),
      says: unrecoverable('internal'),
    },
    {
      chain: 'failed ← its disk was full',
      cause: failed(new DiskBudgetExceededError('the run', 1, 1, 'full', 'never')),
      says: recoverable,
    },
    {
      chain: 'failed ← a call was refused',
      cause: failed(refused()),
      says: unrecoverable('a call was refused with status 403, which no retry cures: forbidden'),
    },
    {
      chain: 'a foreign error that also has a run',
      cause: Object.assign(fatal(), { run: 'nightly' }),
      says: unrecoverable('fatal'),
    },
    {
      chain: 'lost 3 of this run, across a worker',
      cause: Object.assign(new Error('gone'), {
        code: 'PARTITION_LOST',
        recovery: 'restart-producer',
        partition: 3,
        run: mine,
      }),
      says: blames(3),
    },
  ])('$chain', ({ cause, says }) => {
    expect(classifyFailure(cause, [], undefined, { run: mine, partitionCount: 5 })).toEqual(says);
  });
});

describe('a blamed result', () => {
  /** Attempt 1 of every partition is the current one. */
  const isPresent = ({ attempt }: ResultPartitionId): boolean => attempt === 1;

  it.each<{ chain: string; cause: Error; says: FailureClass }>([
    { chain: 'the present attempt', cause: lost(3, undefined, 1), says: blames(3) },
    { chain: 'an earlier one: it is being produced already', cause: lost(3, undefined, 0), says: recoverable },
    { chain: 'a present one ← an earlier one', cause: lost(3, lost(2, undefined, 0), 1), says: blames(3) },
    { chain: 'an earlier one ← a present one', cause: lost(3, lost(2, undefined, 1), 0), says: blames(2) },
    { chain: 'an earlier one ← fatal', cause: lost(3, fatal(), 0), says: unrecoverable('fatal') },
    {
      chain: 'one that does not say which attempt',
      cause: Object.assign(new Error('gone'), { recovery: 'restart-producer', partition: 2 }),
      says: blames(2),
    },
  ])('is that of $chain', ({ cause, says }) => {
    expect(classifyFailure(cause, [], undefined, { partitionCount: 5, isPresent })).toEqual(says);
  });

  it('is ignored if it is not one of the job', () => {
    const asked: ResultPartitionId[] = [];
    const noting = (id: ResultPartitionId): boolean => asked.push(id) > 0;
    classifyFailure(lost(9, lost(3)), [], undefined, { partitionCount: 5, isPresent: noting });
    expect(asked).toEqual([result(3)]);
  });
});

describe('the class of a failure by classifiers', () => {
  const says =
    (verdict: unknown): FailureClassifier =>
    () =>
      verdict as FailureClass;
  const throws: FailureClassifier = () => {
    throw new Error('the classifier broke');
  };

  it.each<{ rule: string; classifiers: FailureClassifier[]; cause: Error; says: FailureClass }>([
    {
      rule: 'the first that knows decides',
      classifiers: [says(undefined), says(recoverable), says(unrecoverable('x'))],
      cause: fatal(),
      says: recoverable,
    },
    {
      rule: 'it overrules the error’s own recovery',
      classifiers: [says(unrecoverable('mine'))],
      cause: lost(1),
      says: unrecoverable('mine'),
    },
    { rule: 'no classifier knows: the error decides', classifiers: [says(undefined)], cause: lost(1), says: blames(1) },
    { rule: 'it may report a broken declaration', classifiers: [says(claimBroken)], cause: plain(), says: claimBroken },
    { rule: 'it may blame results', classifiers: [says(blames(4, 0))], cause: plain(), says: blames(4, 0) },
  ])('$rule', ({ classifiers, cause, says: expected }) => {
    const problems: unknown[] = [];
    expect(classifyFailure(cause, classifiers, (_, problem) => problems.push(problem), { partitionCount: 5 })).toEqual(
      expected,
    );
    expect(problems).toEqual([]);
  });

  it.each<{ answer: unknown }>([
    { answer: null },
    { answer: 'recoverable' },
    { answer: {} },
    { answer: { kind: 'fatal' } },
    { answer: { kind: 'unrecoverable' } },
    { answer: { kind: 'partition-lost' } },
    { answer: { kind: 'partition-lost', partitions: [5] } },
    { answer: { kind: 'partition-lost', partitions: [0, -1] } },
    { answer: { kind: 'partition-lost', partitions: ['0'] } },
  ])('skips the answer $answer, reports it and asks the next one', ({ answer }) => {
    const problems: unknown[] = [];
    const verdict = classifyFailure(
      plain(),
      [says(answer), says(unrecoverable('next'))],
      (_, problem) => problems.push(problem),
      {
        partitionCount: 5,
      },
    );
    expect(verdict).toEqual(unrecoverable('next'));
    expect(problems).toEqual([expect.any(InvalidArgumentError)]);
  });

  it('skips a classifier that throws, and reports it', () => {
    const problems: unknown[] = [];
    expect(classifyFailure(fatal(), [throws], (_, problem) => problems.push(problem))).toEqual(unrecoverable('fatal'));
    expect(problems).toEqual([expect.objectContaining({ message: 'the classifier broke' })]);
  });

  it.each([{ task: 'map[2]' }, { task: undefined }])('tells a classifier that $task failed, and why', ({ task }) => {
    const calls: unknown[] = [];
    const cause = plain();
    classifyFailure(cause, [(...call) => void calls.push(call)], undefined, { task });
    expect(calls).toEqual([[cause, { task }]]);
  });
});
