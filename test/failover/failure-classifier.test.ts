import { InvalidArgumentError, PartitionLostError, UnrecoverableError } from '../../src/errors.ts';
import { classifyFailure, type FailureClass, type FailureClassifier } from '../../src/failover/failure-classifier.ts';
import type { AttemptNumber, PartitionId } from '../../src/ids.ts';

const lost = (partition: number, cause?: unknown) =>
  new PartitionLostError({ partition: partition as PartitionId, attempt: 0 as AttemptNumber }, 'gone', { cause });
const plain = (cause?: unknown) => new Error('plain', { cause });
const hopeless = (cause?: unknown) => new UnrecoverableError('hopeless', { cause });

const ring = plain();
ring.cause = lost(1, ring);
let deep: Error = hopeless();
for (let link = 0; link < 40; link++) deep = plain(deep);

const recoverable: FailureClass = { kind: 'recoverable' };
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
