import { createInspector } from '@statelyai/inspect';
import { collect, fixedDelay, fromArray, Job } from 'kintsugi';

/**
 * Runs a job that recovers from a failure under the inspector of Stately, as its users plug it in, and prints the messages
 * that the inspector sent, one line of JSON each.
 */
const inspector = createInspector({
  send: ({ type, sessionId, ...more }) => {
    const { name, parentId, snapshot } = more as { name?: string; parentId?: string; snapshot?: { status?: string } };
    console.log(JSON.stringify({ type, sessionId, name, parentId, status: snapshot?.status }));
  },
});

let failures = 1;
const job = Job.create('words', { parallelism: 2 });
job
  .source('words', fromArray(['gold', 'dust', 'lacquer', 'bowl']))
  .keyBy((word) => word.length)
  .reduce((a, b) => (failures-- > 0 ? a.repeat(-1) : a + b), { uid: 'joined' })
  .sink('out', collect());

await job.run({
  inspect: inspector.inspect,
  restartBackoff: fixedDelay({ maxAttempts: 1, delayMs: 1 }),
}).result;
