import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { exponentialDelay, fromKafka, Job, toKafka } from '../../src/index.ts';
import { seededRandom } from '../../src/testing/index.ts';
import { type Cluster, expectEach, expectEqual, type Item, itemIn } from './cluster.ts';
import { type KilledJob, killedJob, restarts } from './killed-job.ts';

const [count, keys] = [6_000, 40];
const restartBackoff = exponentialDelay({ initialDelayMs: 10, maxDelayMs: 100, maxAttempts: 100 });

/** A job that is disturbed, in a directory of its own. */
async function disturbed(
  cluster: Cluster,
  plan: Partial<KilledJob>,
  work: (plan: KilledJob, directory: string) => Promise<string>,
): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'kafka-job-'));
  const [input, output] = [await cluster.topic(5), await cluster.topic(3)];
  // The last two partitions stay empty.
  await cluster.fill(input, count, { keys, partitions: 3 });
  const common = { brokers: cluster.brokers, input, output, directory, parallelism: 2, failures: [], delayMs: 5 };
  const told = await work({ ...common, ...plan }, directory);
  expectEach(
    'rows, exactly once',
    linesIn<Item>(directory, 'rows').map(({ id }) => id),
    count,
  );
  const sums = linesIn<{ readonly key: string; readonly count: number }>(directory, 'sums');
  expectEqual('sums', sums.map((sum) => `${sum.key} ${sum.count}`).sort(), countsOf().sort());
  const written = (await cluster.messages(output)).map(itemIn);
  const first = [...new Map(written.map((item) => [item.id, item])).values()];
  expectEach(
    'written at least once',
    first.map(({ id }) => id),
    count,
  );
  const last = new Map<string, number>();
  for (const { id, key } of first) {
    if ((last.get(key) ?? -1) >= id) throw new Error(`${key}: ${id} after ${last.get(key)}`);
    last.set(key, id);
  }
  rmSync(directory, { recursive: true });
  return `${told}; ${written.length - count} of ${count} records were written again`;
}

function countsOf(): string[] {
  return Array.from({ length: keys }, (_, key) => `k${key} ${Math.ceil((count - key) / keys)}`);
}

function linesIn<Line>(directory: string, name: string): Line[] {
  const files = readdirSync(directory).filter((file) => file.startsWith(name) && file.endsWith('.jsonl'));
  const lines = files.flatMap((file) => readFileSync(join(directory, file), 'utf8').split('\n'));
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Line);
}

/** Tasks fail at drawn records. */
export function failingTasks(cluster: Cluster, seed: number): Promise<string> {
  const random = seededRandom(seed);
  const failures = Array.from({ length: 8 }, () => 1 + Math.floor(random.next() * count));
  return disturbed(cluster, { failures, parallelism: 1 + (seed % 3) }, async (plan) => {
    const run = killedJob(plan).run({ ...restarts, restartBackoff });
    await run.result;
    return `${run.receipt().failures} failures`;
  });
}

/** Processes are killed at drawn times, most of them after a checkpoint of theirs; the last one is left alone. */
export function killedProcesses(cluster: Cluster, seed: number): Promise<string> {
  const random = seededRandom(seed);
  return disturbed(cluster, { parallelism: 1 + (seed % 3), delayMs: 30 }, async (plan, directory) => {
    const argument = JSON.stringify({ plan, state: join(directory, 'state') });
    const script = join(import.meta.dirname, 'child.ts');
    let checkpoints = 0;
    for (let kills = 0; ; kills++) {
      const child = spawn(process.execPath, ['--import', 'tsx', script, argument], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const said = text(child.stderr);
      const begun = random.next() < 0.2 ? pause(2_000) : once(child.stdout, 'data');
      child.stdout.on('data', (completed: Buffer) => (checkpoints += completed.length));
      const ended = once(child, 'exit') as Promise<[number | null]>;
      const waitMs = random.next() * 800;
      if (kills < 5) void begun.then(() => pause(waitMs)).then(() => child.kill('SIGKILL'));
      const [code] = await ended;
      if (code === 0) return `${kills} processes were killed, after ${checkpoints} checkpoints`;
      if (code !== null) throw new Error(await said);
    }
  });
}

/** Stopped with savepoints, and continued at other parallelisms. */
export function rescaled(cluster: Cluster, seed: number): Promise<string> {
  const random = seededRandom(seed);
  return disturbed(cluster, { delayMs: 60 }, async (plan, directory) => {
    let fromSavepoint: string | undefined;
    const parallelisms = [2, 3, 1, 4];
    for (const [at, parallelism] of parallelisms.entries()) {
      const run = killedJob({ ...plan, parallelism }).run({
        ...restarts,
        ...(fromSavepoint !== undefined && { fromSavepoint }),
      });
      const ended = run.result.catch(() => {});
      if (at === parallelisms.length - 1) {
        await run.result;
        continue;
      }
      for await (const event of run.events()) if (event.type === 'checkpoint.completed') break;
      await pause(random.next() * 200);
      fromSavepoint = await run.stopWithSavepoint(join(directory, `savepoint-${at}`));
      await ended;
    }
    return `parallelism ${parallelisms.join(', ')}`;
  });
}

/** The broker is stopped, or killed, and started again while the job runs. */
export function restartedBroker(cluster: Cluster, seed: number): Promise<string> {
  return disturbed(cluster, { delayMs: 40 }, async (plan) => {
    const run = killedJob(plan).run({ ...restarts, restartBackoff });
    const ended = run.result.then(
      () => undefined,
      (error: unknown) => error,
    );
    for await (const event of run.events()) if (event.type === 'checkpoint.completed') break;
    await cluster.broker.stop(seed % 2 === 0 ? 'SIGTERM' : 'SIGKILL');
    await pause(1_000);
    await cluster.broker.resume();
    const error = await ended;
    if (error !== undefined) throw error;
    return `${seed % 2 === 0 ? 'stopped' : 'killed'}; ${run.receipt().failures} failures`;
  });
}

/** A topic without records holds up no checkpoint, and a broker that takes and gives nothing holds up nobody who cancels. */
export async function frozenBroker(cluster: Cluster): Promise<string> {
  const [input, output] = [await cluster.topic(2), await cluster.topic(1)];
  const endless = (): Job => {
    const job = Job.create('endless', { mode: 'streaming', parallelism: 2 });
    const { brokers } = cluster;
    const items = job.source('input', fromKafka({ brokers, topics: input, deserialize: itemIn }));
    const serialize = (item: Item) => ({ key: item.key, value: 'x'.repeat(100_000) });
    items.sink('output', toKafka<Item>({ brokers, topic: output, serialize }));
    return job;
  };
  const told: string[] = [];
  for (const records of [0, 400]) {
    await cluster.fill(input, records);
    const run = endless().run({ checkpoints: { intervalMs: 50 } });
    const ended = run.result.catch(() => {});
    let checkpoints = 0;
    for await (const event of run.events()) if (event.type === 'checkpoint.completed' && ++checkpoints === 3) break;
    cluster.broker.signal('SIGSTOP');
    await pause(500);
    const startMs = performance.now();
    await run.cancel();
    await ended;
    const tookMs = Math.round(performance.now() - startMs);
    cluster.broker.signal('SIGCONT');
    if (tookMs > 2_000) throw new Error(`canceled after ${tookMs} ms`);
    told.push(`${tookMs} ms`);
  }
  return `canceled within ${told.join(' and ')}`;
}
