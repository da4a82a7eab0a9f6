import { fixedDelay, Job, collect, range } from '../../src/index.ts';

/** A process that records its run, is told of a failure by the recording, and is killed under way. */
async function main(file: string): Promise<void> {
  let failures = 0;
  const job = Job.create('killed', { parallelism: 2 });
  job
    .source('numbers', range(0, 1_000))
    .map((n) => {
      if (n === 300 && failures++ === 0) throw new Error('first failure');
      return n;
    })
    .keyBy((n) => n % 10)
    .mapAsync((n) => new Promise<number>((resolve) => setTimeout(() => resolve(n), 40)), { uid: 'slow' })
    .sink('out', collect());
  const run = job.run({ record: file, restartBackoff: fixedDelay({ maxAttempts: 3, delayMs: 1 }) });
  run.events$.subscribe((event) => {
    if (event.type !== 'task.stateChanged' || event.task !== 'slow[0]' || event.state !== 'running') return;
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), 800);
  });
  await run.result;
}

void main(process.argv[2] as string);
