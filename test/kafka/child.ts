import { type KilledJob, killedJob, restarts } from './killed-job.ts';

const { plan, state } = JSON.parse(process.argv[2] as string) as { readonly plan: KilledJob; readonly state: string };
const run = killedJob(plan).run({ ...restarts, stateDirectory: state });
// Who kills this process waits for a checkpoint.
for await (const event of run.events()) if (event.type === 'checkpoint.completed') process.stdout.write('c');
await run.result;
