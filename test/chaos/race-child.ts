import { once } from 'node:events';
import { fromArray, forEach, Job } from '../../src/index.ts';

/** A process that waits for a word, runs a job with a state directory, and holds it until it is killed. */
async function main(stateDirectory: string): Promise<void> {
  process.stdout.write('ready\n');
  await once(process.stdin, 'data');
  const job = Job.create('held');
  const held = forEach<number>(() => {
    process.stdout.write('owner\n');
    return new Promise(() => {});
  });
  job.source('numbers', fromArray([1])).sink('out', held);
  try {
    await job.run({ stateDirectory }).result;
  } catch (error) {
    const { code, owner, message } = (error as Error).cause as Error & {
      readonly code: string;
      readonly owner: unknown;
    };
    process.stdout.write(`${JSON.stringify({ code, owner, message })}\n`);
    process.stdin.destroy();
  }
}

await main(process.argv[2] as string);
