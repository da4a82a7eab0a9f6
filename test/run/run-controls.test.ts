import { insideOf } from '../../src/run/run-inside.ts';
import {
  collect,
  type Collected,
  type ExecutorId,
  fixedDelay,
  Job,
  type JobEvent,
  type JobRun,
  type JobRunOptions,
  type PartitionId,
  range,
  type RegionId,
  reliable,
} from '../../src/index.ts';
import type { ExecutionVertexId } from '../../src/ids.ts';
import { type VirtualEnvironment, virtualEnvironment } from '../../src/testing/index.ts';

//  numbers[0..1] ─┤reliable├▶ sums[0..1]      four regions
const names = ['numbers', 'sums'] as const;

interface Steered {
  readonly environment: VirtualEnvironment;
  readonly run: JobRun;
  readonly out: Collected<number>;
  readonly events: JobEvent[];
  readonly controls: ReturnType<typeof insideOf>['controls'];
  /** The execution vertex of a task. */
  readonly task: (name: (typeof names)[number], subtask: number) => ExecutionVertexId;
  readonly until: (isReached: (event: JobEvent) => boolean) => Promise<JobEvent>;
  readonly ended: () => Promise<unknown>;
}

function steered(options: JobRunOptions = {}): Steered {
  const environment = virtualEnvironment();
  const out = collect<number>();
  const job = Job.create('steered', { parallelism: 2 });
  job
    .source('numbers', range(0, 4_000))
    .keyBy((n) => n % 10, { exchange: reliable() })
    .reduce((a, b) => a + b, { uid: 'sums' })
    .map((sum) => sum as number)
    .sink('out', out);
  const run = job.run({
    environment,
    batchSize: 16,
    restartBackoff: fixedDelay({ maxAttempts: 9, delayMs: 5_000 }),
    ...options,
  });
  const inside = insideOf(run);
  const events: JobEvent[] = [];
  const waiting: { readonly isReached: (event: JobEvent) => boolean; readonly found: (event: JobEvent) => void }[] = [];
  run.events$.subscribe((event) => {
    events.push(event);
    for (const { isReached, found } of waiting) if (isReached(event)) found(event);
  });
  const until: Steered['until'] = async (isReached) => {
    const before = events.find(isReached);
    return before ?? environment.drive(new Promise((found) => waiting.push({ isReached, found })));
  };
  const task: Steered['task'] = (name, subtask) => inside.shape.graph.vertexAt(names.indexOf(name), subtask);
  const ended = (): Promise<unknown> =>
    environment.drive(
      run.result.then(
        ({ receipt }) => receipt,
        (error: unknown) => error,
      ),
    );
  return { environment, run, out, events, controls: inside.controls, task, until, ended };
}

const isRunning =
  (name: string) =>
  (event: JobEvent): boolean =>
    event.type === 'task.stateChanged' && event.task === name && event.state === 'running';

const total = 3_999 * 2_000;
const sum = (out: Collected<number>): number => out.records.reduce((a, b) => a + b, 0);

describe('the controls of a run', () => {
  it('restarts a task on request: at once, without the backoff, and with the right output', async () => {
    const it = steered();
    await it.until(isRunning('sums[1]'));
    it.controls.restartTask(it.task('sums', 1));
    const decided = await it.until(({ type }) => type === 'failover.decided');
    expect(decided).toMatchObject({ delayMs: 0, newAttempt: true });
    expect(it.events).toContainEqual(
      expect.objectContaining({ type: 'task.failed', task: 'sums[1]', classification: 'recoverable' }),
    );
    expect(await it.ended()).toMatchObject({ attemptsByVertex: { numbers: 1, sums: 2 }, tasks: { reRun: 1 } });
    expect(it.events.find(({ type }) => type === 'task.failed')).toMatchObject({
      cause: { code: 'RESTART_REQUESTED', task: 'sums[1]' },
    });
    expect(sum(it.out)).toBe(total);
  });

  it('restarts a region on request', async () => {
    const it = steered();
    await it.until(isRunning('sums[1]'));
    it.controls.restartRegion(0 as RegionId);
    const decided = await it.until(({ type }) => type === 'failover.decided');
    expect(decided).toMatchObject({ regions: expect.arrayContaining([0]) as number[], delayMs: 0 });
    await it.ended();
    expect(sum(it.out)).toBe(total);
  });

  it('fails a task on purpose, as if its function had thrown', async () => {
    const it = steered();
    await it.until(isRunning('sums[0]'));
    it.controls.failTask(it.task('sums', 0), 'pulled the plug');
    expect(await it.until(({ type }) => type === 'task.failed')).toMatchObject({
      task: 'sums[0]',
      cause: { message: 'pulled the plug' },
    });
    expect(await it.ended()).toMatchObject({ tasks: { reRun: 1 } });
    expect(sum(it.out)).toBe(total);
  });

  it('skips the backoff of a region', async () => {
    const it = steered({ restartBackoff: fixedDelay({ maxAttempts: 9, delayMs: 60_000 }) });
    await it.until(isRunning('sums[0]'));
    it.controls.failTask(it.task('sums', 0));
    const decided = await it.until(({ type }) => type === 'failover.decided');
    expect(decided).toMatchObject({ delayMs: 60_000, restartsLeft: 8 });
    const { regions } = decided as Extract<JobEvent, { type: 'failover.decided' }>;
    for (const region of regions) it.controls.skipBackoff(region);
    const completed = await it.until(({ type }) => type === 'failover.completed');
    expect((completed as Extract<JobEvent, { type: 'failover.completed' }>).durationMs).toBeLessThan(1_000);
    await it.ended();
    expect(sum(it.out)).toBe(total);
  });

  it('slows a task down, and no longer when told 0', async () => {
    const it = steered();
    await it.until(isRunning('sums[0]'));
    const startedMs = it.environment.clock.now();
    it.controls.slowConsumer(it.task('sums', 0), 1_000);
    await it.until(
      (event) => event.type === 'task.stateChanged' && event.task === 'sums[1]' && event.state === 'finished',
    );
    expect(it.run.status).toBe('running');
    it.environment.clock.setTimeout(() => it.controls.slowConsumer(it.task('sums', 0), 0), 10_000);
    await it.ended();
    const tookMs = it.environment.clock.now() - startedMs;
    // About 125 batches of it would take two minutes.
    expect(tookMs).toBeGreaterThan(9_000);
    expect(tookMs).toBeLessThan(13_000);
    expect(sum(it.out)).toBe(total);
  });

  it('loses a result: its producer runs again once a consumer restarts', async () => {
    const it = steered();
    await it.until(isRunning('sums[1]'));
    it.controls.losePartition(0 as PartitionId);
    it.controls.failTask(it.task('sums', 0));
    await it.until(({ type }) => type === 'failover.decided');
    expect(it.events).toContainEqual(expect.objectContaining({ type: 'partition.lost', partition: 'numbers[0]→sums' }));
    expect(await it.ended()).toMatchObject({ attemptsByVertex: { numbers: 2, sums: 2 } });
    expect(sum(it.out)).toBe(total);
  });

  it('loses an executor, which is replaced', async () => {
    const it = steered({ executors: 2, slots: 4 });
    await it.until(isRunning('sums[1]'));
    it.controls.loseExecutor('local-0' as ExecutorId);
    expect(await it.until(({ type }) => type === 'executor.lost')).toMatchObject({ executor: 'local-0' });
    await it.ended();
    expect(it.run.status).toBe('finished');
    expect(sum(it.out)).toBe(total);
  });

  it('fills the disk: results cannot be written until there is room again', async () => {
    const it = steered();
    it.controls.fillDisk(true);
    const failed = (await it.until(({ type }) => type === 'task.failed')) as Extract<JobEvent, { type: 'task.failed' }>;
    expect(failed.task).toMatch(/^numbers/);
    expect(`${failed.cause.message} ${String(failed.cause.cause)}`).toContain('no space left on device');
    it.controls.fillDisk(false);
    await it.ended();
    expect(it.run.status).toBe('finished');
    expect(sum(it.out)).toBe(total);
  });

  it('refuses unknown places, and a job that has ended', async () => {
    const it = steered();
    const { controls } = it;
    expect(() => controls.restartTask(9 as ExecutionVertexId)).toThrow(
      'vertex: expected an integer from 0 to 3, got 9',
    );
    expect(() => controls.restartRegion(-1 as RegionId)).toThrow('region: expected an integer from 0 to 3');
    expect(() => controls.losePartition(0.5 as PartitionId)).toThrow('partition: expected an integer from 0 to 1');
    expect(() => controls.slowConsumer(it.task('sums', 0), Number.NaN)).toThrow('delayMs: expected a number from 0');
    expect(() => controls.loseExecutor('nowhere' as ExecutorId)).toThrow('executor: expected one of');
    await it.ended();
    for (const steer of [
      () => controls.cancel(),
      () => controls.restartTask(0 as ExecutionVertexId),
      () => controls.skipBackoff(0 as RegionId),
      () => controls.fillDisk(true),
    ]) {
      expect(steer).toThrow('The job is finished');
    }
  });

  it('cancels', async () => {
    const it = steered();
    await it.until(isRunning('sums[1]'));
    it.controls.cancel();
    await it.ended();
    expect(it.run.status).toBe('canceled');
  });
});
