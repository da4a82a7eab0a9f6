import {
  DeterminismBrokenError,
  InvalidArgumentError,
  PartitionLostError,
  UnrecoverableError,
} from '../../src/errors.ts';
import { classifyFailure, type FailureClass, type FailureClassifier } from '../../src/failover/failure-classifier.ts';
import type { AttemptNumber, PartitionId, ResultPartitionId } from '../../src/ids.ts';

const result = (partition: number, attempt = 0): ResultPartitionId => ({
  partition: partition as PartitionId,
  attempt: attempt as AttemptNumber,
});
const lost = (partition: number, cause?: unknown, attempt = 0) =>
  new PartitionLostError(result(partition, attempt), 'gone', { cause });
const different = () => new DeterminismBrokenError(result(1), 0, 7, 'other records');
const plain = (cause?: unknown) => new Error('plain', { cause });
const hopeless = (cause?: unknown) => new UnrecoverableError('hopeless', { cause });

const ring = plain();
ring.cause = lost(1, ring);
let deep: Error = hopeless();
for (let link = 0; link < 40; link++) deep = plain(deep);

const recoverable: FailureClass = { kind: 'recoverable' };
const claimBroken: FailureClass = { kind: 'claim-broken' };
const unrecoverable = (why: string): FailureClass => ({ kind: 'unrecoverable', why });
const blames = (...partitions: number[]): FailureClass => ({
  kind: 'partition-lost',
  partitions: partitions as PartitionId[],
});

describe('the class of a failure by what its causes say of themselves', () => {
  it.each<{ chain: string; cause: Error; says: FailureClass }>([
    { chain: 'plain', cause: plain(), says: recoverable },
    { chain: 'plain ← plain', cause: plain(plain()), says: recoverable },
    { chain: 'hopeless', cause: hopeless(), says: unrecoverable('hopeless') },
    { chain: 'plain ← hopeless', cause: plain(hopeless()), says: unrecoverable('hopeless') },
    { chain: 'plain ← lost 3', cause: plain(lost(3)), says: blames(3) },
    { chain: 'lost 3 ← lost 1 ← lost 3', cause: lost(3, lost(1, lost(3))), says: blames(3, 1) },
    { chain: 'lost 3 ← hopeless: the bytes, not the job', cause: lost(3, hopeless()), says: blames(3) },
    { chain: 'hopeless ← lost 3: the outermost opinion', cause: hopeless(lost(3)), says: unrecoverable('hopeless') },
    { chain: 'lost 5, which the job does not have', cause: lost(5), says: recoverable },
    { chain: 'lost 5 ← hopeless', cause: lost(5, hopeless()), says: unrecoverable('hopeless') },
    { chain: 'different', cause: different(), says: claimBroken },
    { chain: 'plain ← different', cause: plain(different()), says: claimBroken },
    { chain: 'lost 3 ← different: who reads it has broken no claim', cause: lost(3, different()), says: blames(3) },
    { chain: 'hopeless ← different', cause: hopeless(different()), says: unrecoverable('hopeless') },
    {
      chain: 'different, of another realm: no class, its data alone',
      cause: Object.assign(new Error('different'), { recovery: 'restart-consumers' }),
      says: claimBroken,
    },
    { chain: 'lost -1', cause: lost(-1), says: recoverable },
    { chain: 'lost 0.5', cause: lost(0.5), says: recoverable },
    { chain: 'a ring of causes', cause: ring, says: blames(1) },
    { chain: 'further away than anybody looks', cause: deep, says: recoverable },
    { chain: 'causes that are no errors', cause: plain('a string'), says: recoverable },
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

describe('a result that is blamed', () => {
  /** Of every partition, attempt 1 is the present one. */
  const isPresent = ({ attempt }: ResultPartitionId): boolean => attempt === 1;

  it.each<{ chain: string; cause: Error; says: FailureClass }>([
    { chain: 'the present attempt', cause: lost(3, undefined, 1), says: blames(3) },
    { chain: 'an earlier one: it is being produced already', cause: lost(3, undefined, 0), says: recoverable },
    { chain: 'a present one ← an earlier one', cause: lost(3, lost(2, undefined, 0), 1), says: blames(3) },
    { chain: 'an earlier one ← a present one', cause: lost(3, lost(2, undefined, 1), 0), says: blames(2) },
    { chain: 'an earlier one ← hopeless', cause: lost(3, hopeless(), 0), says: unrecoverable('hopeless') },
    {
      chain: 'one that does not say which attempt',
      cause: Object.assign(new Error('gone'), { recovery: 'restart-producer', partition: 2 }),
      says: blames(2),
    },
  ])('is that of $chain', ({ cause, says }) => {
    expect(classifyFailure(cause, [], undefined, { partitionCount: 5, isPresent })).toEqual(says);
  });

  it('is not asked for where it is none of the job', () => {
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
      cause: hopeless(),
      says: recoverable,
    },
    {
      rule: 'it overrules what the error says',
      classifiers: [says(unrecoverable('mine'))],
      cause: lost(1),
      says: unrecoverable('mine'),
    },
    { rule: 'nobody knows: the error is asked', classifiers: [says(undefined)], cause: lost(1), says: blames(1) },
    { rule: 'it may say that a claim is broken', classifiers: [says(claimBroken)], cause: plain(), says: claimBroken },
    { rule: 'it may blame results', classifiers: [says(blames(4, 0))], cause: plain(), says: blames(4, 0) },
  ])('$rule', ({ classifiers, cause, says: expected }) => {
    const problems: unknown[] = [];
    expect(classifyFailure(cause, classifiers, (problem) => problems.push(problem), { partitionCount: 5 })).toEqual(
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
  ])('passes over the answer $answer, says so and asks the next', ({ answer }) => {
    const problems: unknown[] = [];
    const verdict = classifyFailure(
      plain(),
      [says(answer), says(unrecoverable('next'))],
      (problem) => problems.push(problem),
      {
        partitionCount: 5,
      },
    );
    expect(verdict).toEqual(unrecoverable('next'));
    expect(problems).toEqual([expect.any(InvalidArgumentError)]);
  });

  it('passes over a classifier that throws, and says so', () => {
    const problems: unknown[] = [];
    expect(classifyFailure(hopeless(), [throws], (problem) => problems.push(problem))).toEqual(
      unrecoverable('hopeless'),
    );
    expect(problems).toEqual([expect.objectContaining({ message: 'the classifier broke' })]);
  });

  it.each([{ task: 'map[2]' }, { task: undefined }])('tells a classifier that $task failed, and why', ({ task }) => {
    const calls: unknown[] = [];
    const cause = plain();
    classifyFailure(cause, [(...call) => void calls.push(call)], undefined, { task });
    expect(calls).toEqual([[cause, { task }]]);
  });
});
