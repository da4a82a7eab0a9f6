import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AsyncMapOptions,
  collect,
  type ExchangeName,
  type FailoverRule,
  fixedDelay,
  fromArray,
  Job,
  type JobReceipt,
  type JobRunOptions,
  restartAll,
  restartIndividual,
  restartPipelinedRegion,
} from '../../src/index.ts';
import { faultPlan, virtualEnvironment } from '../../src/testing/index.ts';

interface VersionOptions {
  readonly version?: number;
  readonly inputs?: readonly unknown[];
}

const root = mkdtempSync(join(tmpdir(), 'kintsugi-answers-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;
const newDirectory = (): string => join(root, String(count++));

interface Document {
  readonly id: number;
  readonly topic: string;
}

const documents: readonly Document[] = Array.from({ length: 400 }, (_, id) => ({ id, topic: `topic-${id % 7}` }));

/** A paid service on a virtual clock, that counts its calls when they begin. */
class Service {
  readonly begun: number[] = [];
  readonly environment = virtualEnvironment({ faults: faultPlan() });

  readonly score = async ({ id, topic }: Document): Promise<{ topic: string; score: number }> => {
    this.begun.push(id);
    await new Promise<void>((resolve) => this.environment.clock.setTimeout(resolve, 10 + (id % 3)));
    return { topic, score: id };
  };

  /** Documents whose call was made more than once. */
  get paidTwice(): number[] {
    return this.begun.filter((id, index) => this.begun.indexOf(id) !== index);
  }
}

interface Result {
  readonly total: number;
  readonly receipt: JobReceipt;
}

//  documents ──▶ score (paid) ─exchange─▶ by-topic ──▶ out
async function run(
  service: Service,
  options: AsyncMapOptions<Document>,
  runOptions: JobRunOptions = {},
  exchange: ExchangeName = 'reliable',
): Promise<Result> {
  const { environment } = service;
  const scores = collect<{ topic: string; score: number }>();
  const job = Job.create('scores', { parallelism: 2 });
  job
    .source('documents', fromArray(documents))
    .mapAsync(service.score, { uid: 'score', concurrency: 8, version: 1, ...options })
    .keyBy(({ topic }) => topic, { exchange })
    .reduce((a, b) => ({ topic: a.topic, score: a.score + b.score }), { uid: 'by-topic' })
    .sink('out', scores);
  const restartBackoff = fixedDelay({ maxAttempts: 5, delayMs: 1 });
  const { receipt } = await environment.drive(
    job.run({ environment, restartBackoff, batchSize: 16, ...runOptions }).result,
  );
  return { receipt, total: scores.records.reduce((sum, { score }) => sum + score, 0) };
}

const total = documents.reduce((sum, { id }) => sum + id, 0);

const strategies: readonly (readonly [string, FailoverRule])[] = [
  ['restartPipelinedRegion', restartPipelinedRegion()],
  ['restartIndividual', restartIndividual()],
  ['restartAll', restartAll()],
];
const exchanges: readonly ExchangeName[] = ['pipelined', 'memory', 'reliable', 'blocking'];

describe.each(strategies)('%s', (_, failoverStrategy) => {
  it.each(exchanges)('the paid step is killed half-way, and every call is made once: %s', async (exchange) => {
    const service = new Service();
    service.environment.faults.fail('task.batch', {
      when: ({ vertex, records }) => vertex === 'documents' && Number(records) >= 96,
    });
    const options = { remember: { directory: newDirectory() } };
    const { total: found, receipt } = await run(service, options, { failoverStrategy }, exchange);
    expect(found).toBe(total);
    expect(receipt.failovers).toHaveLength(1);
    expect(service.paidTwice).toEqual([]);
    expect(service.begun).toHaveLength(documents.length);
    expect(receipt.calls?.made).toBe(documents.length);
    expect(receipt.calls?.reused).toBeGreaterThan(80);
  });
});

it('AM6: a second run pays nothing, waits for no rate limit, and its receipt says so', async () => {
  const options = { remember: { directory: newDirectory() }, rateLimit: { calls: 10, perMs: 100 } };
  const [first, second] = [new Service(), new Service()];
  const before = await run(first, options);
  const after = await run(second, options);
  expect([before.total, after.total]).toEqual([total, total]);
  expect([first.begun.length, second.begun.length]).toEqual([documents.length, 0]);
  expect(first.environment.clock.now()).toBeGreaterThan(3_900);
  expect(second.environment.clock.now()).toBeLessThan(100);
  expect(after.receipt.calls).toEqual({ made: 0, reused: documents.length, again: 0 });
  expect(after.receipt.toString()).toContain('calls made: 0; answers re-used: 400');
});

it('a run that failed behind the paid step is run again after the bug is fixed, and pays for what was not asked', async () => {
  const directory = newDirectory();
  const [first, second] = [new Service(), new Service()];
  first.environment.faults.fail('task.batch', { when: ({ vertex }) => vertex === 'by-topic', times: 100 });
  await expect(run(first, { remember: { directory } }, {}, 'pipelined')).rejects.toThrow('failed');
  const { total: found, receipt } = await run(second, { remember: { directory } }, {}, 'pipelined');
  expect(found).toBe(total);
  expect(first.begun.length).toBeGreaterThan(0);
  expect([...first.begun, ...second.begun].sort((a, b) => a - b)).toEqual(documents.map(({ id }) => id));
  expect(receipt.calls).toEqual({ made: second.begun.length, reused: first.begun.length, again: 0 });
});

it.each<[what: string, made: number, change: AsyncMapOptions<Document> & VersionOptions]>([
  ['nothing', 0, {}],
  ['options of the calls', 0, { concurrency: 3, ordered: false, retries: 2 }],
  ['the version', 400, { version: 2 }],
  ['the declared inputs', 400, { inputs: ['another prompt'] }],
])('a change of %s makes %s calls', async (_, made, change) => {
  const remember = { directory: newDirectory() };
  await run(new Service(), { remember });
  const { receipt } = await run(new Service(), { remember, ...change });
  expect(receipt.calls).toEqual({ made, reused: 400 - made, again: 0 });
});

it.each(['fail', 'skip'] as const)(
  'another function behind keyBy has answers of its own, with onError %s',
  async (onError) => {
    const remember = { directory: newDirectory() };
    const answersOf = async (fn: (text: string) => Promise<number>): Promise<readonly number[]> => {
      const answers = collect<number>();
      const job = Job.create('keyed');
      job
        .source('texts', fromArray(['a', 'bc']))
        .keyBy((text) => text)
        .mapAsync(fn, { uid: 'ask', remember, onError })
        .sink('out', answers);
      const environment = virtualEnvironment();
      await environment.drive(job.run({ environment }).result);
      return answers.records;
    };
    expect(await answersOf(async (text) => text.length)).toEqual([1, 2]);
    expect(await answersOf(async (text) => -text.length)).toEqual([-1, -2]);
  },
);

it('equal records, and records of one key, take one call between them', async () => {
  const service = new Service();
  const key = ({ topic }: Document): string => topic;
  const { receipt } = await run(service, { remember: { directory: newDirectory(), key } });
  expect(service.begun).toHaveLength(7);
  expect(receipt.calls).toEqual({ made: 7, reused: 393, again: 0 });
});

it('two live runs share one directory: together they make at most twice the calls, and the next one none', async () => {
  const remember = { directory: newDirectory() };
  const [one, other] = [new Service(), new Service()];
  await Promise.all([run(one, { remember }), run(other, { remember })]);
  expect(one.begun.length + other.begun.length).toBeLessThanOrEqual(2 * documents.length);
  const { receipt } = await run(new Service(), { remember });
  expect(receipt.calls).toEqual({ made: 0, reused: 400, again: 0 });
});

it('calls in flight when the run is canceled are answered, and remembered', async () => {
  const remember = { directory: newDirectory() };
  const [first, second] = [new Service(), new Service()];
  const controller = new AbortController();
  first.environment.clock.setTimeout(() => controller.abort(), 25);
  await expect(run(first, { remember }, { signal: controller.signal })).rejects.toThrow('canceled');
  const { receipt } = await run(second, { remember });
  expect(first.begun.length).toBeGreaterThan(16);
  expect(receipt.calls).toEqual({ made: 400 - first.begun.length, reused: first.begun.length, again: 0 });
});

describe('stateDirectory', () => {
  it('turns it on for every mapAsync but those that turn it off', async () => {
    const stateDirectory = newDirectory();
    await run(new Service(), {}, { stateDirectory });
    expect((await run(new Service(), {}, { stateDirectory, rerun: true })).receipt.calls?.made).toBe(0);
    const off = new Service();
    const { receipt } = await run(off, { remember: false }, { stateDirectory: newDirectory() });
    expect([off.begun.length, receipt.calls]).toEqual([400, undefined]);
  });

  it('with resume: never, answers from before are not used, and those of the run are', async () => {
    const stateDirectory = newDirectory();
    await run(new Service(), {}, { stateDirectory });
    const service = new Service();
    service.environment.advance(60_000);
    await run(service, {}, { stateDirectory, resume: 'never' });
    expect([service.begun.length, service.paidTwice]).toEqual([400, []]);
  });

  it('is asked for where an operator remembers and has no directory', () => {
    const job = Job.create('nowhere');
    job
      .source('documents', fromArray(documents))
      .mapAsync(new Service().score, { uid: 'score', remember: true })
      .sink('out', collect<{ topic: string; score: number }>());
    expect(() => job.run()).toThrow(
      'mapAsync "score" has nowhere to remember its answers. Run the job with `stateDirectory`, or name a directory',
    );
  });
});

describe('the keys of the next records', () => {
  /** Six calls, one at a time, and what happened in which order; the key of record 4 cannot be told. */
  async function traced(): Promise<{ readonly events: readonly string[]; readonly answers: readonly unknown[] }> {
    const { environment } = new Service();
    const events: string[] = [];
    const out = collect<number>();
    const job = Job.create('keys');
    const key = (n: number): string => {
      events.push(`key ${n}`);
      if (n === 4) throw new Error('no key');
      return `${n}`;
    };
    const call = async (n: number): Promise<number> => {
      events.push(`call ${n}`);
      await new Promise<void>((resolve) => environment.clock.setTimeout(resolve, 10));
      events.push(`answer ${n}`);
      return n;
    };
    job
      .source('numbers', fromArray([0, 1, 2, 3, 4, 5]))
      .mapAsync(call, {
        ...{ uid: 'call', concurrency: 1, version: 1, onError: 'skip', maxErrors: 1 },
        remember: { directory: newDirectory(), key },
      })
      .sink('out', out);
    await environment.drive(job.run({ environment }).result);
    return { events, answers: out.records };
  }

  it('are asked for while calls are in flight, and once', async () => {
    const { events } = await traced();
    expect(events.indexOf('key 2')).toBeLessThan(events.indexOf('answer 1'));
    expect(events.filter((event) => event === 'key 2')).toHaveLength(1);
  });

  it('fail their own record alone, in its turn', async () => {
    const { events, answers } = await traced();
    expect(answers).toEqual([0, 1, 2, 3, 5]);
    expect(events.filter((event) => event.startsWith('call'))).toEqual([0, 1, 2, 3, 5].map((n) => `call ${n}`));
  });
});
