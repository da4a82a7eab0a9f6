import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { collect, type DiagnosticsMessage, diagnosticsChannels, fixedDelay, Job, type JobEvent, range } from 'kintsugi';
import { faultPlan, virtualEnvironment } from 'kintsugi/testing';

function failingRun(name: string) {
  const job = Job.create(name);
  job
    .source('numbers', range(0, 8))
    .map((n) => n, { uid: 'map' })
    .sink('out', collect());
  const faults = faultPlan();
  faults.fail('task.batch', { times: 1 });
  const environment = virtualEnvironment({ faults });
  return { environment, run: job.run({ environment, restartBackoff: fixedDelay({ maxAttempts: 1, delayMs: 1 }) }) };
}

describe('the channels of diagnostics', () => {
  it('get each event of every run once, in order, with its run and job', async () => {
    const messages: { readonly channel: string; readonly message: DiagnosticsMessage }[] = [];
    const take = (message: unknown, channel: string | symbol): void => {
      messages.push({ channel: String(channel), message: message as DiagnosticsMessage });
    };
    const channels = new Set(Object.values(diagnosticsChannels));
    for (const channel of channels) subscribe(channel, take);
    try {
      const runs = ['a', 'b'].map(failingRun);
      const events: JobEvent[][] = runs.map(() => []);
      for (const [index, { run }] of runs.entries()) run.events$.subscribe((event) => events[index]?.push(event));
      for (const { environment, run } of runs) await environment.drive(run.result);
      for (const [index, job] of ['a', 'b'].entries()) {
        const told = messages.filter(({ message }) => message.job === job);
        expect(told.map(({ message }) => message.event)).toEqual(events[index]);
        expect(new Set(told.map(({ message }) => message.run)).size).toBe(1);
        expect(told.every(({ channel, message }) => diagnosticsChannels[message.event.type] === channel)).toBe(true);
      }
    } finally {
      for (const channel of channels) unsubscribe(channel, take);
    }
  });

  it('are named as documented', () => {
    const documented = ['job', 'task', 'region', 'failover', 'result', 'executor', 'checkpoint'];
    expect(new Set(Object.values(diagnosticsChannels))).toEqual(new Set(documented.map((name) => `kintsugi:${name}`)));
    expect(diagnosticsChannels['task.failed']).toBe('kintsugi:failover');
  });
});
