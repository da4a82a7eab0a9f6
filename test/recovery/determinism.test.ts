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

const killing = (vertex: string, { subtask = 0, skip = 3, times = 1 } = {}): FaultPlan => {
  const faults = faultPlan();
  faults.fail('task.batch', {
    when: (place) => place['vertex'] === vertex && place['subtask'] === subtask,
    skip,
    times,
  });
  return faults;
};

//  numbers[0..1] ──▶ scaled ─exchange─▶ sums[0..1] ──▶ out
function jobOver(exchange: ExchangeName, scale: (n: number) => number = (n) => n * 3) {
  const job = Job.create('deterministic', { mode: 'streaming', parallelism: 2 });
  const sums = collect<{ digit: number; sum: number }>();
  job
    .source('numbers', range(0, count))
    .map(scale, { uid: 'scaled', deterministic: true })
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
  for (let n = 0; n < count; n++) if ((n * 3) % 10 === digit) sum += n * 3;
  return { digit, sum };
});

describe.each<ExchangeName>(['memory', 'reliable', 'blocking'])(
  'a deterministic producer behind the exchange %s',
  (exchange) => {
    it('restarts alone; its consumers never notice', async () => {
      const { job, result } = jobOver(exchange);
      const { attempts, receipt, unfired, events } = await runToEnd(job, killing('numbers', { subtask: 1, skip: 12 }));
      expect(unfired).toEqual([]);
      expect(result()).toEqual(expected);
      expect(attempts).toEqual({ numbers: 2, sums: 1 });
      expect(receipt.tasks).toEqual({ total: 4, reRun: 1, attempts: 5 });
      expect(events.filter(({ type }) => type === 'determinism.broken')).toEqual([]);
    });

    it('that breaks its word is found out: its consumers restart too, and the output is right', async () => {
      let lies = 0;
      const { job, result } = jobOver(exchange, (n) => (n === 205 && lies++ === 0 ? n * 3 + 10 : n * 3));
      const { events, attempts } = await runToEnd(job, killing('numbers', { subtask: 1, skip: 12 }));
      expect(events.filter(({ type }) => type === 'determinism.broken')).toHaveLength(1);
      expect(attempts['sums']).toBe(exchange === 'blocking' ? 1 : 2);
      expect(result()).toEqual(expected);
    });
  },
);
