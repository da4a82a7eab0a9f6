import { createRequire } from 'node:module';
import { collect, fixedDelay, Job, type PinoLike, pinoLogger, range } from 'kintsugi';
import { faultPlan, virtualEnvironment } from 'kintsugi/testing';

/** The real one, which fastify brings along. */
const pino = createRequire(require.resolve('fastify'))('pino') as (
  options: object,
  destination: { write(line: string): void },
) => PinoLike;

it('pino gets the message, the data, and the cause as its `err`', async () => {
  const lines: Record<string, unknown>[] = [];
  const logger = pinoLogger(pino({ base: null }, { write: (line) => lines.push(JSON.parse(line)) }));
  const job = Job.create('sums');
  job
    .source('numbers', range(0, 8))
    .map((n) => n, { uid: 'map' })
    .sink('out', collect());
  const faults = faultPlan();
  faults.fail('task.batch', { times: 1 });
  const environment = virtualEnvironment({ faults, logger });
  await environment.drive(job.run({ environment, restartBackoff: fixedDelay({ maxAttempts: 1, delayMs: 1 }) }).result);
  expect(lines.find(({ level }) => level === 40)).toMatchObject({
    msg: expect.stringMatching(/^numbers\[0\] failed: /),
    job: 'sums',
    err: { type: 'InjectedFaultError', stack: expect.stringContaining('InjectedFaultError') },
  });
  expect(lines.at(-1)).toMatchObject({ level: 30, msg: 'Job "sums" is finished', job: 'sums' });
});

it('refuses what is no logger', () => {
  expect(() => pinoLogger((() => {}) as never)).toThrow(/expected a logger/);
});
