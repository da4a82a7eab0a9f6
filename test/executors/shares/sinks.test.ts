import fc from 'fast-check';
import { planJob } from '../../../src/api/job-planner.ts';
import type { SharedServices } from '../../../src/executors/shares/shared-services.ts';
import type { AttemptNumber, RunId } from '../../../src/ids.ts';
import { collect, fromArray, Job, type Sink } from '../../../src/index.ts';
import type { SinkWriter } from '../../../src/operators/sink.ts';
import { TaskContext } from '../../../src/operators/task/task-context.ts';
import { draws } from '../../support/draws.ts';
import { remoteRig, rigs, type ServicesRig } from './services-rig.ts';

/** A job that writes to a sink, in so many subtasks, and rejects records to another. */
function planWith(sink: Sink<number>, letters: Sink<unknown> = collect()) {
  const job = Job.create('writing', { parallelism: 2 });
  job
    .source('numbers', fromArray([1]))
    .map((number: number) => number, { uid: 'check', onError: { deadLetter: letters } })
    .sink('kept', sink);
  return planJob(job);
}

type Plan = ReturnType<typeof planWith>;

/** Opens the sink of the job in an executor, as a task does. */
async function openIn(
  { environment }: ServicesRig,
  { programs, outputs }: SharedServices,
  plan: Plan,
  { subtask = 0, attempt = 0, beside = undefined as number | undefined, letters = false } = {},
  /** What its state has, if it is restored: as plain data. */
  restored: readonly unknown[] = [],
): Promise<SinkWriter<unknown>> {
  const index = programs.findIndex(({ sink }) => sink !== undefined);
  const program = programs[index] as Plan['programs'][number];
  const errors = program.operators.find((operator) => operator.errors !== undefined)?.errors;
  const sink = letters && errors?.reaction.kind === 'deadLetter' ? errors.reaction.sink : program.sink;
  const vertex = letters ? 'check (dead letters)' : (plan.jobGraph.vertices[index]?.id as string);
  const context = new TaskContext({
    ...{ job: plan.name, run: 'run' as RunId, vertex, subtask, parallelism: 2 },
    ...{ attempt: attempt as AttemptNumber, beside: beside as AttemptNumber | undefined, environment, outputs },
  });
  for (const prepared of restored) await environment.drive(Promise.resolve(sink?.commitPrepared?.(prepared)));
  return environment.drive(Promise.resolve(sink?.open(context, restored.at(-1)) as Promise<SinkWriter<unknown>>));
}

/** A barrier reaches a writer. */
async function barrier({ environment }: ServicesRig, writer: SinkWriter<unknown>): Promise<unknown> {
  return structuredClone(await environment.drive(Promise.resolve(writer.prepareCheckpoint?.())));
}

/** Calls a writer and waits for it; undefined, or what it failed with. */
async function done(rig: ServicesRig, returned: void | PromiseLike<unknown>): Promise<Error | undefined> {
  return rig.environment.drive(
    Promise.resolve(returned).then(
      () => undefined,
      (error: unknown) => error as Error,
    ),
  );
}

describe.each(rigs)('collect() written by several executors $where', ({ rig }) => {
  it('has the records of the subtasks that committed, in their order', async () => {
    const kept = collect<number>();
    const plan = planWith(kept);
    const made = rig({ plan });
    for (const [subtask, records] of [
      [1, [3, 4]],
      [0, [1, 2]],
    ] as const) {
      const writer = await openIn(made, made.services[subtask] as SharedServices, plan, { subtask });
      await done(made, writer.write(records));
      expect(kept.records).not.toContain(records[0]);
      expect(await done(made, writer.commit())).toBeUndefined();
      expect(kept.records).toContain(records[0]);
    }
    expect(kept.records).toEqual([1, 2, 3, 4]);
  });

  it('replaces what an earlier attempt committed, and drops what one wrote that is aborted', async () => {
    const kept = collect<number>();
    const plan = planWith(kept);
    const made = rig({ plan });
    const first = await openIn(made, made.services[0] as SharedServices, plan);
    await done(made, first.write([1]));
    await done(made, first.commit());
    const second = await openIn(made, made.services[1] as SharedServices, plan, { attempt: 1 });
    await done(made, second.write([2]));
    await done(made, second.abort());
    expect(kept.records).toEqual([1]);
    const third = await openIn(made, made.services[2] as SharedServices, plan, { attempt: 2 });
    await done(made, third.write([3]));
    await done(made, third.commit());
    expect(kept.records).toEqual([3]);
  });

  it.each<[string, complete: 'first' | 'both' | 'none', expected: number[], restoredFrom: number]>([
    ['nothing without a complete checkpoint', 'none', [], 0],
    ['what is up to the barrier of a complete one', 'first', [1, 2], 1],
    ['all of two', 'both', [1, 2, 3], 2],
  ])(
    'at checkpoints, gives out %s; the rest is discarded by a restart',
    async (_, complete, expected, restoredFrom) => {
      const kept = collect<number>();
      const plan = planWith(kept);
      const made = rig({ plan });
      const services = made.services[0] as SharedServices;
      const writer = await openIn(made, services, plan);
      const states: unknown[] = [];
      for (const batch of [[1, 2], [3]]) {
        await done(made, writer.write(batch));
        states.push(await barrier(made, writer));
      }
      await done(made, writer.write([4]));
      expect(kept.records).toEqual([]);
      const sink = services.programs.find((program) => program.sink !== undefined)?.sink;
      for (const state of complete === 'none' ? [] : states.slice(0, complete === 'first' ? 1 : 2)) {
        await done(made, sink?.commitPrepared?.(state));
        await done(made, sink?.commitPrepared?.(state));
      }
      expect(kept.records).toEqual(expected);
      await done(made, writer.abort());
      // Another executor continues from there, and its state says what may not be committed yet.
      const restored = states.slice(0, restoredFrom);
      const next = await openIn(made, made.services[1] as SharedServices, plan, { attempt: 1 }, restored);
      expect(kept.records).toEqual(expected);
      const rest = [1, 2, 3, 4].slice(expected.length);
      await done(made, next.write(rest));
      const last = await barrier(made, next);
      await done(made, sink?.commitPrepared?.(last));
      expect(kept.records).toEqual([1, 2, 3, 4]);
      await done(made, next.write([5]));
      await done(made, next.commit());
      expect(kept.records).toEqual([1, 2, 3, 4, 5]);
    },
  );

  it('a subtask that continues from an earlier checkpoint takes back what it committed since', async () => {
    const kept = collect<number>();
    const plan = planWith(kept);
    const made = rig({ plan });
    const writer = await openIn(made, made.services[0] as SharedServices, plan);
    await done(made, writer.write([1]));
    const state = await barrier(made, writer);
    await done(made, writer.write([2]));
    await done(made, writer.commit());
    // It was pending, and its commit came with the end in a task; here the restored one commits it.
    const next = await openIn(made, made.services[1] as SharedServices, plan, { attempt: 1 }, [state]);
    expect(kept.records).toEqual([1]);
    // A barrier without records makes no part.
    const empty = await barrier(made, next);
    await openIn(made, made.services[2] as SharedServices, plan, { attempt: 2 }, [empty]);
    expect(kept.records).toEqual([1]);
  });

  it('refuses to continue behind records that were collected elsewhere', async () => {
    const plan = planWith(collect<number>());
    const made = rig({ plan });
    const writer = await openIn(made, made.services[0] as SharedServices, plan);
    await done(made, writer.write([1]));
    const state = await barrier(made, writer);
    const other = planWith(collect<number>());
    const elsewhere = rig({ plan: other });
    await expect(openIn(elsewhere, elsewhere.services[0] as SharedServices, other, {}, [state])).rejects.toThrow(
      'collect() keeps records in the process that collected them',
    );
  });

  it('takes dead letters', async () => {
    const letters = collect<unknown>();
    const plan = planWith(collect(), letters);
    const made = rig({ plan });
    const writer = await openIn(made, made.services[1] as SharedServices, plan, { letters: true });
    await done(made, writer.write([{ operator: 'check', subtask: 0, calls: 1, record: undefined, position: 'x' }]));
    await done(made, writer.commit());
    expect(letters.records).toEqual([{ operator: 'check', subtask: 0, calls: 1, record: undefined, position: 'x' }]);
  });
});

describe('sinks of the process, over messages', () => {
  it('SK1: an attempt that was replaced neither writes nor commits any more, however late it is heard', async () => {
    const kept = collect<number>();
    const plan = planWith(kept);
    const made = remoteRig({ plan });
    const [one, other] = made.services as [SharedServices, SharedServices];
    const first = await openIn(made, one, plan);
    await done(made, first.write([1]));
    const second = await openIn(made, other, plan, { attempt: 1 });
    expect((await done(made, first.commit()))?.message).toMatch(/Another attempt/);
    await done(made, second.write([2]));
    await done(made, second.commit());
    await expect(openIn(made, one, plan, { attempt: 0 })).rejects.toThrow(/Another attempt/);
    expect(kept.records).toEqual([2]);
  });

  it.each([0, 1])(
    'SK1: of two attempts side by side, which both write, attempt %i commits, and no other',
    async (winner) => {
      const kept = collect<number>();
      const plan = planWith(kept);
      const made = remoteRig({ plan });
      const first = await openIn(made, made.services[0] as SharedServices, plan);
      const second = await openIn(made, made.services[1] as SharedServices, plan, { attempt: 1, beside: 0 });
      expect(await done(made, first.write([10]))).toBeUndefined();
      expect(await done(made, second.write([20]))).toBeUndefined();
      const [one, other] = winner === 0 ? [first, second] : [second, first];
      expect(await done(made, one.commit())).toBeUndefined();
      expect((await done(made, other.commit()))?.message).toMatch(/Another attempt/);
      expect(kept.records).toEqual([winner === 0 ? 10 : 20]);
      const third = await openIn(made, made.services[2] as SharedServices, plan, { attempt: 2 });
      await done(made, third.write([30]));
      expect(await done(made, third.commit())).toBeUndefined();
      expect(kept.records).toEqual([30]);
    },
  );

  it('SK2: an attempt that follows two aborts both', async () => {
    const kept = collect<number>();
    const plan = planWith(kept);
    const made = remoteRig({ plan });
    const first = await openIn(made, made.services[0] as SharedServices, plan);
    const second = await openIn(made, made.services[1] as SharedServices, plan, { attempt: 1, beside: 0 });
    await openIn(made, made.services[2] as SharedServices, plan, { attempt: 2 });
    for (const writer of [first, second]) {
      expect((await done(made, writer.commit()))?.message).toMatch(/Another attempt/);
    }
    expect(kept.records).toEqual([]);
  });

  it('SK2: a lost executor, and an attempt that was replaced, leave nothing that they did not commit', async () => {
    const aborted: number[] = [];
    const kept = collect<number>();
    const watched: Sink<number> = {
      ...kept,
      open: async (context) => {
        const writer = await kept.open(context);
        return { ...writer, abort: () => void aborted.push(context.attempt) };
      },
    };
    const plan = planWith(watched);
    const made = remoteRig({ plan });
    const first = await openIn(made, made.services[0] as SharedServices, plan);
    await done(made, first.write([1]));
    await openIn(made, made.services[1] as SharedServices, plan, { attempt: 1 });
    await made.environment.settle();
    expect(aborted).toEqual([0]);
    made.lose(1);
    await made.environment.settle();
    expect([aborted, kept.records]).toEqual([[0, 1], []]);
  });

  it('an error of a sink fails its task with the same class and data, and says at which record', async () => {
    class Full extends RangeError {}
    const full: Sink<number> = {
      ...{ name: 'full', guarantee: 'exactly-once', redo: 'collects' },
      open: () => ({
        write: () => Promise.reject(Object.assign(new Full('no room'), { room: 3 })),
        failedAt: () => 1,
        commit: () => {},
        abort: () => {},
      }),
    };
    const plan = planWith(full);
    const made = remoteRig({ plan });
    const writer = await openIn(made, made.services[0] as SharedServices, plan);
    expect(await done(made, writer.write([1, 2]))).toMatchObject({ message: 'no room', room: 3 });
    expect(writer.failedAt?.()).toBe(1);
  });

  it('prepare where the sink does', async () => {
    const calls: string[] = [];
    const staged: Sink<number> = {
      ...{ name: 'staged', guarantee: 'exactly-once', redo: 'collects' },
      open: () => ({
        write: (records) => void calls.push(`write ${records.join(' ')}`),
        prepare: async () => void calls.push('prepare'),
        commit: () => void calls.push('commit'),
        abort: () => {},
      }),
    };
    const plan = planWith(staged);
    const made = remoteRig({ plan });
    const writer = await openIn(made, made.services[0] as SharedServices, plan);
    await done(made, writer.write([1, 2]));
    await done(made, writer.prepare?.() as Promise<unknown>);
    await done(made, writer.commit());
    expect(calls).toEqual(['write 1 2', 'prepare', 'commit']);
  });

  it('SK1, SK2, property: exactly once, whenever executors are lost and attempts follow', async () => {
    const steps = fc.array(fc.record({ cutMs: fc.nat(120), batches: fc.integer({ min: 1, max: 4 }) }), {
      maxLength: 5,
    });
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 1_000_000 }), async (losses, seed) => {
        const kept = collect<number>();
        const plan = planWith(kept);
        const made = remoteRig({ plan, seed, executors: 1 });
        const { environment } = made;
        const attempts = [...losses, { cutMs: Number.POSITIVE_INFINITY, batches: 3 }];
        for (const [attempt, { cutMs, batches }] of attempts.entries()) {
          let hears = false;
          const services = made.services[attempt] as SharedServices;
          const task = async (): Promise<void> => {
            const writer = await openIn2(made, services, plan, attempt);
            for (let batch = 0; batch < batches; batch++) await writer.write([attempt * 10 + batch]);
            await writer.commit();
            hears = true;
          };
          void task();
          const untilMs = environment.clock.now() + Math.min(cutMs, 5_000);
          environment.clock.setTimeout(() => {}, untilMs - environment.clock.now());
          await environment.runUntil(() => environment.clock.now() >= untilMs);
          const whole = Array.from({ length: batches }, (_, batch) => attempt * 10 + batch);
          if (hears) expect(kept.records).toEqual(whole);
          else if (kept.records[0] !== undefined && kept.records[0] >= attempt * 10)
            expect(kept.records).toEqual(whole);
          made.lose(attempt);
          made.add();
        }
        expect(kept.records).toEqual([0, 1, 2].map((batch) => losses.length * 10 + batch));
      }),
      { numRuns: draws(20, 60) },
    );
  });
});

/** As `openIn`, for a task that goes on by itself. */
async function openIn2(
  { environment }: ServicesRig,
  { programs, outputs }: SharedServices,
  plan: Plan,
  attempt: number,
) {
  const index = programs.findIndex(({ sink }) => sink !== undefined);
  const context = new TaskContext({
    ...{ job: plan.name, run: 'run' as RunId, vertex: plan.jobGraph.vertices[index]?.id as string, subtask: 0 },
    ...{ parallelism: 2, attempt: attempt as AttemptNumber, environment, outputs },
  });
  return (await programs[index]?.sink?.open(context)) as SinkWriter<unknown>;
}
