import fc from 'fast-check';
import { planJob } from '../../../src/api/job-planner.ts';
import type { SharedServices } from '../../../src/executors/shares/shared-services.ts';
import { forEach, fromArray, Job } from '../../../src/index.ts';
import { CallLostError } from '../../../src/operators/answers/answer-errors.ts';
import type { AnswerMemory } from '../../../src/operators/answers/answer-memory.ts';
import type { CallOutcome } from '../../../src/operators/answers/files/call-outcome.ts';
import type { RememberOptions } from '../../../src/operators/operator-description.ts';
import type { VirtualEnvironment } from '../../../src/testing/virtual-environment.ts';
import { processesOf } from '../../operators/answers/store-rig.ts';
import { MemoryJournalStorage } from '../../support/memory-journal-storage.ts';
import { remoteRig, type RigOptions, rigs, type ServicesRig } from './services-rig.ts';

/** A service that takes its time, and is asked by a job with one `mapAsync`. */
class Service {
  readonly calls: string[] = [];
  readonly underWay = new Map<string, number>();
  readonly storage = new MemoryJournalStorage();
  takesMs: (record: string) => number = () => 50;
  fails: (record: string) => boolean = () => false;
  mostAtOnce = 0;
  environment: VirtualEnvironment | undefined;

  plan(remember: RememberOptions<string> = {}) {
    const job = Job.create('asking', { parallelism: 1 });
    job
      .source('texts', fromArray(['a']))
      .mapAsync((text: string) => this.#answer(text), {
        ...{ uid: 'embed', version: '1', remember: { directory: 'answers', ...remember } },
      })
      .sink(
        'seen',
        forEach(() => {}),
      );
    return planJob(job);
  }

  options(): NonNullable<RigOptions['options']> {
    return { storageOf: () => this.storage, processes: processesOf(1, new Set([1])), resume: 'auto' };
  }

  #answer(record: string): Promise<string> {
    this.calls.push(record);
    const atOnce = (this.underWay.get(record) ?? 0) + 1;
    this.underWay.set(record, atOnce);
    this.mostAtOnce = Math.max(this.mostAtOnce, atOnce);
    return new Promise((resolve, reject) => {
      this.environment?.clock.setTimeout(() => {
        this.underWay.set(record, (this.underWay.get(record) as number) - 1);
        if (this.fails(record)) reject(new Error(`no ${record}`));
        else resolve(`${record}!`);
      }, this.takesMs(record));
    });
  }
}

async function asking(
  rig: (typeof rigs)[number]['rig'],
  { remember, ...given }: RigOptions & { readonly remember?: RememberOptions<string> } = {},
) {
  const service = new Service();
  const made = rig({ ...given, plan: service.plan(remember), options: service.options() });
  service.environment = made.environment;
  const memoryIn = async (services: SharedServices): Promise<AnswerMemory> => {
    await made.environment.drive(Promise.resolve(services.answers.open(['embed'])));
    return services.answers.memoryOf('embed') as AnswerMemory;
  };
  const memories: AnswerMemory[] = [];
  for (const services of made.services) memories.push(await memoryIn(services));
  return { service, made, memories, memoryIn };
}

/** What became of a record, and the calls that were made for it here. */
interface Asked {
  outcome: CallOutcome | undefined;
  readonly begun: boolean[];
}

/** Asks for an answer as `mapAsync` does: seeks it first, where that is to be sought. */
function ask(memory: AnswerMemory, record: string): Asked {
  const asked: Asked = { outcome: undefined, begun: [] };
  const identity = memory.identify(record);
  const go = (): void => {
    asked.outcome = memory.recall(identity);
    if (asked.outcome !== undefined) return;
    memory.ask(identity, record, 0, {
      begun: (isAgain) => asked.begun.push(isAgain),
      answered: () => {},
      settled: (outcome) => {
        asked.outcome = outcome;
      },
    });
  };
  if (memory.seek === undefined) go();
  else memory.seek(identity, go);
  return asked;
}

async function pass({ environment }: ServicesRig, ms: number): Promise<void> {
  const untilMs = environment.clock.now() + ms;
  environment.clock.setTimeout(() => {}, ms);
  await environment.runUntil(() => environment.clock.now() >= untilMs);
}

const answered = (answer: string): CallOutcome => ({ kind: 'answered', answer });

describe.each(rigs)('answers remembered by several executors $where', ({ where, rig }) => {
  it('AD1: who asks for the same record while a call is in flight elsewhere gets its answer', async () => {
    const { service, made, memories } = await asking(rig);
    const asked = memories.map((memory) => ask(memory, 'a'));
    await pass(made, 1_000);
    expect(asked.map(({ outcome }) => outcome)).toEqual(Array(3).fill(answered('a!')));
    expect(service.calls).toEqual(['a']);
    await made.environment.drive(made.close());
  });

  it('AD2: an answer is found by the others once it is written, and by another run', async () => {
    const { service, made, memories, memoryIn } = await asking(rig);
    ask(memories[0] as AnswerMemory, 'a');
    await pass(made, 500);
    const later = ask(memories[1] as AnswerMemory, 'a');
    const replaced = ask(await memoryIn(made.add()), 'a');
    await pass(made, 500);
    expect([later.outcome, replaced.outcome, service.calls]).toEqual([answered('a!'), answered('a!'), ['a']]);
    await made.environment.drive(made.close());
    const next = rig({ plan: service.plan(), options: service.options() });
    await next.environment.drive(Promise.resolve(next.services[0]?.answers.open(['embed'])));
    const again = ask(next.services[0]?.answers.memoryOf('embed') as AnswerMemory, 'a');
    await pass(next, 500);
    expect(again.outcome).toEqual(answered('a!'));
  });

  it('AD1: a call that fails fails for all who share it, and nothing is remembered', async () => {
    const { service, made, memories } = await asking(rig);
    service.fails = () => service.calls.length === 1;
    const [one, other] = memories as [AnswerMemory, AnswerMemory];
    const first = ask(one, 'a');
    await pass(made, 45);
    other.ask(other.identify('a'), 'a', 0, { begun: () => {}, answered: () => {}, settled: () => {} });
    await pass(made, 500);
    expect(first.outcome).toMatchObject({ kind: 'failed', error: { message: 'no a' } });
    const again = ask(other, 'a');
    await pass(made, 500);
    expect([again.outcome, service.calls]).toEqual([answered('a!'), ['a', 'a']]);
    await made.environment.drive(made.close());
  });

  it('an answer that is too old is not used, and the call is made', async () => {
    const { service, made, memories } = await asking(rig, { remember: { ttlMs: 2_000 } });
    ask(memories[0] as AnswerMemory, 'a');
    await pass(made, 1_500);
    expect(ask(memories[1] as AnswerMemory, 'a').begun).toEqual([]);
    await pass(made, 1_500);
    const late = ask(memories[1] as AnswerMemory, 'a');
    await pass(made, 500);
    expect([late.begun, late.outcome, service.calls]).toEqual([[false], answered('a!'), ['a', 'a']]);
    await made.environment.drive(made.close());
  });

  it('AD1, property: of all executors at most one has a call for a record in flight, and no answer is paid twice', async () => {
    const steps = fc.array(
      fc.record({
        executor: fc.integer({ min: 0, max: 2 }),
        record: fc.constantFrom('a', 'b', 'c', 'd'),
        afterMs: fc.constantFrom(0, 1, 10, 60),
      }),
      { maxLength: 30 },
    );
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 1_000_000 }), async (plan, seed) => {
        const { service, made, memories } = await asking(rig, { seed });
        service.takesMs = (record) => record.charCodeAt(0) % 80;
        const asked: (readonly [string, Asked])[] = [];
        for (const { executor, record, afterMs } of plan) {
          asked.push([record, ask(memories[executor] as AnswerMemory, record)]);
          await pass(made, afterMs);
        }
        await pass(made, 2_000);
        for (const [record, { outcome }] of asked) expect(outcome).toEqual(answered(`${record}!`));
        expect(service.mostAtOnce).toBeLessThanOrEqual(1);
        expect([...service.calls].sort()).toEqual([...new Set(plan.map(({ record }) => record))].sort());
        await made.environment.drive(made.close());
      }),
      { numRuns: where === 'on one thread' ? 5 : 40 },
    );
  });
});

describe('a lost executor', () => {
  it('AD3: its call is made again by who waits for it, within the limits, and counts as paid again', async () => {
    const { service, made, memories } = await asking(remoteRig);
    service.takesMs = () => 1_000;
    ask(memories[0] as AnswerMemory, 'a');
    await pass(made, 100);
    const sought = ask(memories[1] as AnswerMemory, 'a');
    const other = memories[2] as AnswerMemory;
    let outcome: CallOutcome | undefined;
    const begun: boolean[] = [];
    const asker = {
      begun: (isAgain: boolean) => void begun.push(isAgain),
      answered: () => {},
      settled: (settled: CallOutcome) => {
        outcome = settled;
      },
    };
    other.ask(other.identify('a'), 'a', 0, asker);
    await pass(made, 100);
    made.lose(0);
    await pass(made, 100);
    expect(outcome).toMatchObject({ kind: 'failed', error: expect.any(CallLostError) });
    expect(outcome).toMatchObject({ error: { retryAfterMs: 0 } });
    other.ask(other.identify('a'), 'a', 0, asker);
    await pass(made, 3_000);
    expect([outcome, sought.outcome]).toEqual([answered('a!'), answered('a!')]);
    expect([...begun, ...sought.begun]).toEqual([true]);
    expect(service.calls).toEqual(['a', 'a']);
  });

  it('leaves the answers that it gave, which the others find', async () => {
    const { service, made, memories } = await asking(remoteRig);
    ask(memories[0] as AnswerMemory, 'a');
    await pass(made, 500);
    made.lose(0);
    const other = ask(memories[1] as AnswerMemory, 'a');
    await pass(made, 500);
    expect([other.outcome, service.calls]).toEqual([answered('a!'), ['a']]);
  });

  it('a task that ends leaves its call to who waits for it elsewhere', async () => {
    const { service, made, memories } = await asking(remoteRig);
    service.takesMs = () => (service.calls.length === 1 ? Number.POSITIVE_INFINITY : 50);
    const [one, other] = memories as [AnswerMemory, AnswerMemory];
    const nobody = { begun: () => {}, answered: () => {}, settled: () => {} };
    const awaited = one.ask(one.identify('a'), 'a', 0, nobody);
    await pass(made, 100);
    const sought = ask(other, 'a');
    awaited.leave(nobody);
    await pass(made, 20_000);
    expect([sought.outcome, sought.begun, service.calls]).toEqual([answered('a!'), [false], ['a', 'a']]);
  });
});
