import type { AttemptNumber } from '../../src/ids.ts';
import type { Source } from '../../src/operators/source.ts';
import { SourcePlans } from '../../src/operators/task/source-plans.ts';
import { TaskContext } from '../../src/operators/task/task-context.ts';
import { virtualEnvironment } from '../../src/testing/index.ts';
import { testRun } from '../support/test-run.ts';

const environment = virtualEnvironment();

function attemptOf(vertex: string, subtask = 0): TaskContext {
  return new TaskContext({
    ...testRun(),
    job: 'job',
    vertex,
    subtask,
    parallelism: 3,
    attempt: 0 as AttemptNumber,
    environment,
  });
}

const sourceWith = (plan: NonNullable<Source<unknown>['plan']>): Source<unknown> => ({
  name: 'files',
  maxParallelism: 3,
  plan,
  open: () => ({ read: () => null, close: () => {} }),
});

/** A source whose plans settle on command. */
function planning() {
  const calls: { signal: AbortSignal; resolve: (plan: unknown) => void; reject: (error: Error) => void }[] = [];
  const source = sourceWith(({ signal }) => new Promise((resolve, reject) => calls.push({ signal, resolve, reject })));
  return { calls, source };
}

/** Lets promises continue. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('SP1: one plan for all subtasks and attempts of a vertex, one for each vertex', async () => {
  const vertices: string[] = [];
  const source = sourceWith(async ({ vertex, parallelism }) => {
    vertices.push(vertex);
    return { vertex, parallelism };
  });
  const plans = new SourcePlans();
  const [first, second, other] = await Promise.all([
    plans.planFor(source, attemptOf('a', 0)),
    plans.planFor(source, attemptOf('a', 1)),
    plans.planFor(source, attemptOf('b')),
  ]);
  expect(first).toEqual({ vertex: 'a', parallelism: 3 });
  expect(await plans.planFor(source, attemptOf('a', 2))).toBe(first);
  expect(second).toBe(first);
  expect(other).toEqual({ vertex: 'b', parallelism: 3 });
  expect(vertices).toEqual(['a', 'b']);
});

it('SP1: every caller gets a frozen copy', async () => {
  const own = { files: ['a'] };
  const plan = (await new SourcePlans().planFor(
    sourceWith(() => own),
    attemptOf('a'),
  )) as typeof own;
  own.files.push('b');
  expect(plan).toEqual({ files: ['a'] });
  expect(() => plan.files.push('b')).toThrow('not extensible');
});

it('SP1: a plan that cannot be copied is refused', async () => {
  const source = sourceWith(() => ({ read: () => {} }));
  await expect(new SourcePlans().planFor(source, attemptOf('a'))).rejects.toMatchObject({
    code: 'UNRECOVERABLE',
    message: expect.stringMatching(/^The plan of source "files" cannot be copied: .*Return plain data only$/s),
  });
});

it('SP2: a failed plan fails its waiting tasks, and the next attempt plans again', async () => {
  const { calls, source } = planning();
  const plans = new SourcePlans();
  const waiting = [plans.planFor(source, attemptOf('a', 0)), plans.planFor(source, attemptOf('a', 1))];
  await turn();
  calls[0]?.reject(new Error('the server is away'));
  expect(await Promise.allSettled(waiting)).toEqual([
    { status: 'rejected', reason: new Error('the server is away') },
    { status: 'rejected', reason: new Error('the server is away') },
  ]);
  const next = plans.planFor(source, attemptOf('a'));
  await turn();
  calls[1]?.resolve('plan');
  expect(await next).toBe('plan');
});

it('SP2: a plan that throws is a failed plan', async () => {
  const source = sourceWith(() => {
    throw new Error('no such bucket');
  });
  await expect(new SourcePlans().planFor(source, attemptOf('a'))).rejects.toThrow('no such bucket');
});

it('SP3: the signal is aborted with the last waiting attempt, and the next one plans again', async () => {
  const { calls, source } = planning();
  const plans = new SourcePlans();
  const [first, second, third] = [attemptOf('a', 0), attemptOf('a', 1), attemptOf('a', 0)];
  const early = [plans.planFor(source, first), plans.planFor(source, second)];
  await turn();
  first.abort();
  expect(calls[0]?.signal.aborted).toBe(false);
  second.abort();
  expect(calls[0]?.signal.aborted).toBe(true);
  expect((await Promise.allSettled(early)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  const late = plans.planFor(source, third);
  await turn();
  calls[0]?.resolve('old');
  calls[1]?.resolve('new');
  expect(await late).toBe('new');
  third.abort();
  expect(await plans.planFor(source, attemptOf('a'))).toBe('new');
});

it('SP3: an ended attempt does not plan', async () => {
  const { calls, source } = planning();
  const ended = attemptOf('a');
  ended.abort();
  await expect(new SourcePlans().planFor(source, ended)).rejects.toThrow(/aborted/);
  expect(calls).toEqual([]);
});
