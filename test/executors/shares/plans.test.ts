import type { SharedServices } from '../../../src/executors/shares/shared-services.ts';
import type { AttemptNumber } from '../../../src/ids.ts';
import type { Source } from '../../../src/operators/source.ts';
import { SourcePlans } from '../../../src/operators/task/source-plans.ts';
import { TaskContext } from '../../../src/operators/task/task-context.ts';
import { testRun } from '../../support/test-run.ts';
import { remoteRig, type ServicesRig } from './services-rig.ts';

/** A source that plans otherwise each time, as one of files that grow, and the plans of each executor. */
function planning(executors = 3) {
  const made = remoteRig({ executors });
  const { environment } = made;
  const calls: {
    readonly number: number;
    resolve: () => void;
    reject: (error: Error) => void;
    isAborted: () => boolean;
  }[] = [];
  const source: Source<unknown> = {
    name: 'files',
    maxParallelism: 3,
    plan: ({ signal }) =>
      new Promise((resolve, reject) => {
        const number = calls.length;
        calls.push({ number, resolve: () => resolve({ number }), reject, isAborted: () => signal.aborted });
      }),
    open: () => ({ read: () => null, close: () => {} }),
  };
  const plansOf = ({ plans }: SharedServices): SourcePlans => new SourcePlans(plans);
  const plans = made.services.map(plansOf);
  const ask = (executor: number, subtask: number) => {
    const context = new TaskContext({
      ...{
        ...testRun(),
        job: 'job',
        vertex: 'texts',
        subtask,
        parallelism: 3,
        attempt: 0 as AttemptNumber,
        environment,
      },
    });
    const asked: { plan?: unknown; error?: Error; context: TaskContext } = { context };
    (plans[executor] as SourcePlans).planFor(source, context).then(
      (plan) => {
        asked.plan = plan;
      },
      (error: unknown) => {
        asked.error = error as Error;
      },
    );
    return asked;
  };
  return { made, calls, ask };
}

async function pass({ environment }: ServicesRig, ms = 200): Promise<void> {
  const untilMs = environment.clock.now() + ms;
  environment.clock.setTimeout(() => {}, ms);
  await environment.runUntil(() => environment.clock.now() >= untilMs);
}

describe('plans of sources in several executors', () => {
  it('RU1: are made once, and are the same in all of them, at once and later', async () => {
    const { made, calls, ask } = planning();
    const asked = [ask(0, 0), ask(1, 1), ask(2, 2), ask(0, 1)];
    await pass(made);
    expect(calls).toHaveLength(1);
    calls[0]?.resolve();
    await pass(made);
    const late = ask(1, 0);
    await pass(made);
    expect([...asked, late].map(({ plan }) => plan)).toEqual(Array(5).fill({ number: 0 }));
    expect([...asked, late].every(({ plan }) => Object.isFrozen(plan))).toBe(true);
    expect(calls).toHaveLength(1);
  });

  it('RU1: one that fails fails for all who wait, and the next who asks makes another', async () => {
    const { made, calls, ask } = planning();
    const asked = [ask(0, 0), ask(1, 1)];
    await pass(made);
    calls[0]?.reject(new TypeError('no such bucket'));
    await pass(made);
    expect(asked.map(({ error }) => [error?.constructor.name, error?.message])).toEqual(
      Array(2).fill(['TypeError', 'no such bucket']),
    );
    const again = ask(1, 1);
    await pass(made);
    calls[1]?.resolve();
    await pass(made);
    expect(again.plan).toEqual({ number: 1 });
  });

  it('RU2: when the executor that makes it is lost, the next one that waits makes it', async () => {
    const { made, calls, ask } = planning();
    ask(0, 0);
    await pass(made);
    const asked = [ask(1, 1), ask(2, 2)];
    await pass(made);
    made.lose(0);
    await pass(made);
    expect(calls).toHaveLength(2);
    calls[0]?.resolve();
    calls[1]?.resolve();
    await pass(made);
    expect(asked.map(({ plan }) => plan)).toEqual(Array(2).fill({ number: 1 }));
  });

  it('RU2: when its tasks have ended, the next one that waits makes it, and its own is aborted', async () => {
    const { made, calls, ask } = planning();
    const first = ask(0, 0);
    await pass(made);
    const second = ask(1, 1);
    await pass(made);
    first.context.abort();
    await pass(made);
    expect([calls.length, calls[0]?.isAborted(), calls[1]?.isAborted()]).toEqual([2, true, false]);
    calls[1]?.resolve();
    await pass(made);
    expect(second.plan).toEqual({ number: 1 });
  });
});
