import type { ReportedTask } from '../../src/actors/protocol/heartbeat.ts';
import type { AttemptNumber } from '../../src/ids.ts';
import { ManualCluster } from '../support/manual-cluster.ts';

const heartbeat = { intervalMs: 100, timeoutMs: 1_000, failedSends: 2 };

//  (a)     (b)     two regions, on one executor that the test plays
function watched() {
  const cluster = new ManualCluster({
    vertices: [
      { id: 'a', parallelism: 1 },
      { id: 'b', parallelism: 1 },
    ],
    heartbeat,
  }).start();
  cluster.runAll();
  const task = (name: string, attempt = cluster.attemptOf(name)): ReportedTask => ({
    vertex: cluster.vertex(name),
    attempt: attempt as AttemptNumber,
    state: 'running',
    recordsIn: 0,
    recordsOut: 0,
    waitedMs: 0,
  });
  /** The executor answers the latest request, or an earlier one, or none. */
  const report = (tasks: readonly ReportedTask[], answers: number | undefined = cluster.executors.requests.at(-1)) =>
    cluster.say({ type: 'heartbeat.report', answers, tasks, memoryBytes: 0, diskBytes: 0 });
  const beat = (): void => cluster.clock.advance(100);
  const failures = (): string[] =>
    cluster.events.flatMap((event) => (event.type === 'task.failed' ? [`${event.task}: ${event.cause.message}`] : []));
  return { cluster, task, report, beat, failures };
}

const vanished = 'b[0]: Executor executor-0 does not run attempt 0 of b[0] that it was given';

describe('the watch over an executor', () => {
  it('EW1: an attempt that it does not report has failed, once it has answered a later request without it', () => {
    const { task, report, beat, failures } = watched();
    beat();
    report([task('a[0]')]);
    expect(failures()).toEqual([]);
    beat();
    report([task('a[0]')]);
    expect(failures()).toEqual([vanished]);
  });

  it('EW1: not if the answers are to earlier requests, or to none', () => {
    const { cluster, task, report, beat, failures } = watched();
    beat();
    for (let time = 0; time < 5; time++) report([task('a[0]')]);
    for (let time = 0; time < 5; time++) report([task('a[0]')], undefined);
    expect(failures()).toEqual([]);
    beat();
    report([task('a[0]')], (cluster.executors.requests.at(-1) as number) - 1);
    expect(failures()).toEqual([]);
  });

  it('EW1: not if it reports the attempt in between, nor once the attempt has ended', () => {
    const { cluster, task, report, beat, failures } = watched();
    for (const tasks of [['a[0]'], ['a[0]', 'b[0]'], ['a[0]']]) {
      beat();
      report(tasks.map((name) => task(name)));
    }
    cluster.report('b[0]', 'finished');
    beat();
    report([task('a[0]')]);
    expect(failures()).toEqual([]);
  });

  it('EW2: cancels an attempt that is over', () => {
    const { cluster, task, report, beat } = watched();
    cluster.fail('b[0]');
    cluster.clock.advance(100);
    cluster.runAll();
    beat();
    cluster.executors.commands.length = 0;
    report([task('a[0]'), task('b[0]', 0), task('b[0]')]);
    expect(cluster.executors.commands).toEqual([{ type: 'task.cancel', vertex: cluster.vertex('b[0]'), attempt: 0 }]);
  });

  it('EW2: leaves a task alone whose cancellation it waits for', () => {
    const { cluster, task, report, beat } = watched();
    cluster.tell({ type: 'job.cancel' });
    beat();
    cluster.executors.commands.length = 0;
    report([task('a[0]'), task('b[0]')]);
    expect(cluster.executors.commands).toEqual([]);
    cluster.report('a[0]', 'canceled');
    cluster.report('b[0]', 'canceled');
    expect(cluster.status).toBe('canceled');
  });

  it('a report that asks is answered with a request at once', () => {
    const { cluster, task, report } = watched();
    expect(cluster.executors.requests).toEqual([]);
    report([task('a[0]'), task('b[0]')], undefined);
    expect(cluster.executors.requests).toEqual([1]);
  });

  it('W8: without reports the executor is lost', () => {
    const { cluster } = watched();
    cluster.clock.advance(heartbeat.timeoutMs);
    expect(cluster.events.flatMap((event) => (event.type === 'executor.lost' ? [event.cause.message] : []))).toEqual([
      'Task executor executor-0 is lost: it was not heard for 1000 ms',
    ]);
  });
});
