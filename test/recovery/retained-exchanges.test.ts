import {
  collect,
  type ExchangeName,
  fixedDelay,
  Job,
  type JobEvent,
  type JobRunOptions,
  range,
} from '../../src/index.ts';
import { type FaultPlan, faultPlan, virtualEnvironment } from '../../src/testing/index.ts';

/** What a run did, by vertex. */
async function runToEnd(job: Job, faults: FaultPlan, options: JobRunOptions = {}) {
  const environment = virtualEnvironment({ faults });
  const run = job.run({
    restartBackoff: fixedDelay({ maxAttempts: 10, delayMs: 10 }),
    batchSize: 8,
    environment,
    ...options,
  });
  const events: JobEvent[] = [];
  run.events$.subscribe((event) => events.push(event));
  const { receipt } = await environment.drive(run.result);
  return { receipt, events, attempts: receipt.attemptsByVertex, unfired: faults.unfired() };
}

const count = 400;

//  numbers[0..1] ──▶ middle[0..1] ─exchange─▶ sums[0..1] ──▶ out
function jobOver(exchange: ExchangeName, log: { middle: number }) {
  const job = Job.create('retained', { mode: 'streaming', parallelism: 2 });
  const sums = collect<{ digit: number; sum: number }>();
  job
    .source('numbers', range(0, count))
    .map((n) => {
      log.middle++;
      return n;
    })
    .keyBy((n) => n % 10, { exchange })
    .aggregate(
      {
        create: () => ({ sum: 0 }),
        add: ({ sum }, n) => ({ sum: sum + n }),
        result: ({ sum }, digit) => ({ digit, sum }),
      },
      { uid: 'sums', emit: 'final' },
    )
    .sink('out', sums);
  return { job, result: () => [...sums.records].sort((a, b) => a.digit - b.digit) };
}

const expected = Array.from({ length: 10 }, (_, digit) => {
  let sum = 0;
  for (let n = digit; n < count; n += 10) sum += n;
  return { digit, sum };
});

const killing = (vertex: string, more: { subtask?: number; skip?: number; times?: number } = {}): FaultPlan => {
  const faults = faultPlan();
  const { subtask = 0, skip = 3, times = 1 } = more;
  faults.fail('task.batch', {
    when: (place) => place['vertex'] === vertex && place['subtask'] === subtask,
    skip,
    times,
  });
  return faults;
};

describe.each<ExchangeName>(['memory', 'reliable'])('a running stream behind the exchange %s', (exchange) => {
  it('a consumer that is killed half-way restarts alone; its producers never notice, and every call was paid once', async () => {
    const log = { middle: 0 };
    const { job, result } = jobOver(exchange, log);
    const { attempts, receipt, events, unfired } = await runToEnd(job, killing('sums', { subtask: 1, skip: 5 }));
    expect(unfired).toEqual([]);
    expect(result()).toEqual(expected);
    expect(attempts).toEqual({ numbers: 1, sums: 2 });
    expect(log.middle).toBe(count);
    expect(receipt.tasks).toEqual({ total: 4, reRun: 1, attempts: 5 });
    const disturbed = events.flatMap((event) =>
      event.type === 'task.stateChanged' && event.state === 'canceling' ? [event.task] : [],
    );
    expect(disturbed).toEqual([]);
  });

  it('both run at the same time', async () => {
    const { job } = jobOver(exchange, { middle: 0 });
    const { events } = await runToEnd(job, faultPlan());
    const order = events.flatMap((event) =>
      event.type === 'task.stateChanged' && ['running', 'finished'].includes(event.state)
        ? [`${event.task} ${event.state}`]
        : [],
    );
    expect(order.indexOf('sums[0] running')).toBeLessThan(order.indexOf('numbers[0] finished'));
  });

  it('a consumer that fails three times, at different places, reads from the beginning each time', async () => {
    const log = { middle: 0 };
    const { job, result } = jobOver(exchange, log);
    const { attempts } = await runToEnd(job, killing('sums', { skip: 2, times: 3 }));
    expect(result()).toEqual(expected);
    expect(attempts).toEqual({ numbers: 1, sums: 4 });
    expect(log.middle).toBe(count);
  });

  it('a producer that fails takes its consumers with it: it may write something else', async () => {
    const { job, result } = jobOver(exchange, { middle: 0 });
    const { attempts, receipt } = await runToEnd(job, killing('numbers', { subtask: 1 }));
    expect(result()).toEqual(expected);
    expect(attempts).toEqual({ numbers: 2, sums: 2 });
    // The other producer goes on.
    expect(receipt.tasks).toMatchObject({ total: 4, reRun: 3 });
    expect(receipt.failovers).toHaveLength(1);
  });

  it('producer and consumer that fail together recover', async () => {
    const { job, result } = jobOver(exchange, { middle: 0 });
    const faults = killing('sums', { subtask: 0 });
    faults.fail('task.batch', { when: (place) => place['vertex'] === 'numbers', skip: 6 });
    await runToEnd(job, faults);
    expect(result()).toEqual(expected);
  });
});

describe('memory over its budget', () => {
  it('drops what was read; a consumer that fails then restarts its producers too', async () => {
    const { job, result } = jobOver('memory', { middle: 0 });
    const { attempts } = await runToEnd(job, killing('sums', { skip: 10 }), { memoryBudgetBytes: 200 });
    expect(result()).toEqual(expected);
    expect(attempts).toEqual({ numbers: 2, sums: 2 });
  });

  it('spilled, it costs the disk and no producer', async () => {
    const log = { middle: 0 };
    const { job, result } = jobOver('memory', log);
    const { attempts } = await runToEnd(job, killing('sums', { skip: 10 }), {
      memoryBudgetBytes: 200,
      memoryOverflow: 'spill',
    });
    expect(result()).toEqual(expected);
    expect(attempts).toEqual({ numbers: 1, sums: 2 });
    expect(log.middle).toBe(count);
  });
});

describe('a chain of retained exchanges', () => {
  //  numbers ─reliable─▶ scaled ─memory─▶ sums
  it('only the broken link restarts, and what reads it', async () => {
    const job = Job.create('chain', { mode: 'streaming', parallelism: 1 });
    const out = collect<number>();
    const seen = { numbers: 0, scaled: 0 };
    job
      .source('numbers', range(0, count))
      .map((n) => {
        seen.numbers++;
        return n;
      })
      .forward({ exchange: 'reliable' })
      .map(
        (n) => {
          seen.scaled++;
          return n * 2;
        },
        { uid: 'scaled' },
      )
      .forward({ exchange: 'memory' })
      .map((n) => n + 1, { uid: 'last' })
      .sink('out', out);
    const { attempts } = await runToEnd(job, killing('scaled', { skip: 10 }));
    expect(out.records).toEqual(Array.from({ length: count }, (_, n) => n * 2 + 1));
    expect(attempts).toEqual({ numbers: 1, scaled: 2, last: 2 });
    expect(seen.numbers).toBe(count);
    expect(seen.scaled).toBeGreaterThan(count);
  });
});
