import type { OperatorDescription } from '../../../src/operators/operator-description.ts';
import type { Answers } from '../../../src/operators/answers/answers.ts';
import { RunAnswers } from '../../../src/operators/answers/run-answers.ts';
import { virtualEnvironment } from '../../../src/testing/index.ts';

const asking = (uid: string): { uid: string; description: OperatorDescription } => ({
  uid,
  description: {
    kind: 'asyncMap',
    fn: (record: unknown) => record,
    options: { remember: { directory: `/answers/${uid}` } },
  } as OperatorDescription,
});

it('a directory that cannot be opened leaves no other one open, whichever comes first', async () => {
  const environment = virtualEnvironment();
  const open = new Set<string>();
  const slowly = (): Promise<void> => new Promise((resolve) => environment.clock.setTimeout(resolve, 10));
  const answers = new RunAnswers(
    { run: 'run', environment, operators: ['early', 'broken', 'late'].map(asking), cancellationTimeoutMs: 0 },
    async (directory) => {
      if (directory.endsWith('broken')) throw new Error('EIO');
      if (directory.endsWith('late')) await slowly();
      open.add(directory);
      return { close: async () => void open.delete(directory) } as Partial<Answers> as Answers;
    },
  );
  const failure = await environment.drive(answers.open(['late'])?.catch((error: unknown) => error) as Promise<unknown>);
  expect(failure).toEqual(new Error('EIO'));
  await environment.drive(answers.close());
  environment.advance(10);
  await Promise.resolve();
  expect([...open]).toEqual([]);
});
