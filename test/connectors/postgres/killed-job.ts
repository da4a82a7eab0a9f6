import { Job, type Sink, type SinkWriter, toPostgres } from '../../../src/index.ts';
import { tickingSource } from '../../support/ticking-source.ts';
import { type KilledJob, rowCount } from './killed-job-plan.ts';

const { kind, table, strike, connection, state } = JSON.parse(process.argv[2] as string) as KilledJob;

const calls = new Map<string, number>();

/** Kills this process if it is time. */
function pass(at: string): void {
  const call = (calls.get(at) ?? 0) + 1;
  calls.set(at, call);
  if (strike === `${call} ${at}`) process.kill(process.pid, 'SIGKILL');
}

async function struck<Result>(method: string, call: () => Result | PromiseLike<Result>): Promise<Result> {
  pass(`before ${method}`);
  const result = await call();
  pass(`after ${method}`);
  return result;
}

const rows = toPostgres<{ n: number }>(table, { columns: ['n'], connection });
const sink: Sink<{ n: number }> = {
  ...rows,
  open: (context, from) =>
    struck('open', async (): Promise<SinkWriter<{ n: number }>> => {
      const writer = await rows.open(context, from);
      return {
        write: (records) => writer.write(records),
        prepareCheckpoint: () => writer.prepareCheckpoint?.(),
        prepare: () => writer.prepare?.(),
        commit: () => struck('commit', () => writer.commit()),
        abort: () => writer.abort(),
      };
    }),
  commitPrepared: (prepared) => struck('commitPrepared', () => rows.commitPrepared?.(prepared)),
};

const job = Job.create(table, { mode: kind, parallelism: 2 });
job
  .source('ticks', tickingSource(rowCount, 4), { version: 1 })
  .map((n) => ({ n }))
  .sink('rows', sink);
await job.run({ stateDirectory: state, ...(kind === 'streaming' && { checkpoints: { intervalMs: 5 } }) }).result;
