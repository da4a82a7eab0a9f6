import { collect, Job, range, type RestartBackoffRule } from '../../src/index.ts';
import { virtualEnvironment } from '../../src/testing/index.ts';
import { unhandledDuring } from '../operators/stage-driver.ts';

it('a backoff that answers one question with a rejecting promise and throws at the next does not end the process', async () => {
  const rude: RestartBackoffRule = {
    name: 'rude',
    initial: 0,
    onFailure: (state) => ({ state, newAttempt: true }),
    canRestart: () => Promise.reject(new Error('later')) as never,
    delayMs: () => {
      throw new Error('at once');
    },
  };
  const environment = virtualEnvironment();
  const job = Job.create('once');
  const out = collect<number>();
  let failures = 0;
  const once = (n: number): number => {
    if (failures++ === 0) throw new Error('once');
    return n;
  };
  job.source('n', range(0, 3)).map(once).sink('out', out);
  const unhandled = await unhandledDuring(async () => {
    await environment.drive(job.run({ environment, restartBackoff: rude }).result);
  });
  expect([unhandled, out.records]).toEqual([[], [0, 1, 2]]);
});
