import { noFaults, silentLogger } from '../../src/environment.ts';
import { modeByPlan } from '../../src/failover/restart-plan.ts';
import type { KeepResults } from '../../src/graph/keep-results.ts';
import { pipelinedRegions } from '../../src/graph/pipelined-region.ts';
import type { AttemptNumber, RegionId, ResultPartitionId } from '../../src/ids.ts';
import type { ExecutionActorRef } from '../../src/machines/execution/execution-machine.ts';
import { JobLedger } from '../../src/machines/job-master/job-ledger.ts';
import type { JobServices } from '../../src/machines/job-services.ts';
import { ResultKeeper } from '../../src/machines/job-master/result-keeper.ts';
import { drawn, taskOf } from '../graph/drawn-graph.ts';
import { restartRegions, stubRegions } from '../support/books.ts';
import { HandClock } from '../support/manual-cluster.ts';

const ended = { getSnapshot: () => ({ value: 'finished', hasTag: () => true }) } as unknown as ExecutionActorRef;

//  (p) ═▶ (c)     edge 0
//  (q) ═▶ (d)     edge 1
const drawing = ['p! => c', 'q! => d'];

/** A keeper over the books of a job that has run once; `keep` by edge, the last entry for all further edges. */
function keeping(...keep: readonly KeepResults[]) {
  const graph = drawn(...drawing);
  const ledger = new JobLedger(
    graph,
    pipelinedRegions(graph),
    undefined,
    (edge) => keep[Math.min(edge, keep.length - 1)] as KeepResults,
  );
  const clock = new HandClock();
  const released: string[] = [];
  const reclaimable: string[] = [];
  const shown = ({ partition, attempt }: ResultPartitionId): string =>
    `${graph.nameOf(graph.producerOf(partition))}#${attempt}`;
  const services = {
    ledger,
    gateway: {
      releasePartitions: (ids) => {
        released.push(...ids.map(shown));
      },
      allowReclaim: (ids) => {
        reclaimable.push(...ids.map(shown));
      },
    } as Partial<JobServices['gateway']> as JobServices['gateway'],
    environment: { clock, random: { next: () => 0.5 }, logger: silentLogger, faults: noFaults, freezeRecords: true },
  };
  const stubs = stubRegions(ledger);
  const keeper = new ResultKeeper(services);
  const regionOf = (task: string): RegionId => ledger.regions.regionOf(taskOf(graph, task));
  const restart = (...tasks: string[]): void => {
    restartRegions(ledger, stubs, new Map(tasks.map((task) => [regionOf(task), 'again'])));
  };
  const finish = (...tasks: string[]): void => {
    ledger.scheduling.offer(tasks.map(regionOf).filter((region) => !ledger.scheduling.isScheduled(region)));
    const consumed = tasks.flatMap((task) => {
      const vertex = taskOf(graph, task);
      const attempt = (ledger.executions[vertex] === undefined ? 0 : ledger.attemptOf(vertex) + 1) as AttemptNumber;
      ledger.beginAttempt(vertex, attempt, ended);
      ledger.beginRegistration(
        vertex,
        attempt,
        modeByPlan[(stubs[regionOf(task)] as (typeof stubs)[number]).step('begin')],
      );
      ledger.finishTask(vertex);
      return ledger.results.regionFinished(regionOf(task));
    });
    keeper.noteConsumed(consumed);
  };
  finish('p', 'q');
  return { keeper, ledger, stubs, clock, released, reclaimable, restart, finish };
}

describe('ResultKeeper', () => {
  it.each<{ keep: KeepResults; atOnce: string[]; after: string[] }>([
    { keep: 'until-consumers-finish', atOnce: ['p[0]#0'], after: ['p[0]#0'] },
    { keep: 'until-job-ends', atOnce: [], after: [] },
    { keep: { ttlMs: 100 }, atOnce: [], after: ['p[0]#0'] },
    { keep: { ttlMs: 0 }, atOnce: ['p[0]#0'], after: ['p[0]#0'] },
  ])('$keep: $atOnce are released once every consumer has read them, $after later', ({ keep, atOnce, after }) => {
    const { clock, released, finish } = keeping(keep);
    finish('c');
    expect(released).toEqual(atOnce);
    clock.advance(1_000_000);
    expect(released).toEqual(after);
    expect(clock.pendingCount).toBe(0);
  });

  it('keeps results that outlive the job: they are not released even to make room', () => {
    const { clock, reclaimable, released, finish } = keeping({ directory: 'kept' }, 'until-job-ends');
    finish('c', 'd');
    expect(clock.pendingCount).toBe(0);
    expect([reclaimable, released]).toEqual([['q[0]#0'], []]);
  });

  it.each<{ keep: KeepResults; later: string[] }>([
    { keep: { ttlMs: 100 }, later: ['p[0]#1'] },
    { keep: 'until-job-ends', later: [] },
  ])('$keep: consumed while it is produced, its time begins when it is complete', ({ keep, later }) => {
    const { keeper, ledger, stubs, clock, released, finish } = keeping(keep);
    const [producer, consumer] = ['p', 'c'].map((task) => ledger.regions.regionOf(taskOf(ledger.graph, task))) as [
      RegionId,
      RegionId,
    ];
    restartRegions(ledger, stubs, new Map([[producer, 'new']]));
    keeper.noteConsumed(ledger.results.regionFinished(consumer));
    clock.advance(1_000_000);
    expect(released).toEqual([]);
    finish('p');
    keeper.noteConsumed(ledger.results.consumedOf(taskOf(ledger.graph, 'p')));
    clock.advance(99);
    expect(released).toEqual([]);
    clock.advance(1);
    expect(released).toEqual(later);
  });

  it('releases on the millisecond', () => {
    const { clock, released, finish } = keeping({ ttlMs: 100 });
    finish('c');
    clock.advance(99);
    expect(released).toEqual([]);
    clock.advance(1);
    expect(released).toEqual(['p[0]#0']);
  });

  it('keeps the results of each edge by its own setting', () => {
    const { clock, released, finish } = keeping({ ttlMs: 100 }, 'until-consumers-finish');
    finish('c', 'd');
    expect(released).toEqual(['q[0]#0']);
    clock.advance(100);
    expect(released).toEqual(['q[0]#0', 'p[0]#0']);
  });

  it('needs one timer for all results consumed together and kept equally long', () => {
    const { clock, released, finish } = keeping({ ttlMs: 100 });
    finish('c', 'd');
    expect(clock.pendingCount).toBe(1);
    clock.advance(100);
    expect(released).toEqual(['p[0]#0', 'q[0]#0']);
  });

  it('needs one timer per time otherwise', () => {
    const { clock, released, finish } = keeping({ ttlMs: 100 }, { ttlMs: 50 });
    finish('c', 'd');
    expect(clock.pendingCount).toBe(2);
    clock.advance(50);
    expect(released).toEqual(['q[0]#0']);
  });

  it('a result that is being read again when its time is over stays, and its time begins again when it was read', () => {
    const { clock, released, restart, finish } = keeping({ ttlMs: 100 });
    finish('c');
    restart('c');
    clock.advance(150);
    expect(released).toEqual([]);
    finish('c');
    clock.advance(99);
    expect(released).toEqual([]);
    clock.advance(1);
    expect(released).toEqual(['p[0]#0']);
  });

  it('a result that was read again before its time was over stays as long after that', () => {
    const { clock, released, restart, finish } = keeping({ ttlMs: 100 });
    finish('c');
    clock.advance(60);
    restart('c');
    finish('c');
    clock.advance(60);
    expect(released).toEqual([]);
    clock.advance(40);
    expect(released).toEqual(['p[0]#0']);
    expect(clock.pendingCount).toBe(0);
  });

  it('a result that is read again does not keep others that were consumed with it', () => {
    const { clock, released, restart, finish } = keeping({ ttlMs: 100 });
    finish('c', 'd');
    restart('c');
    clock.advance(100);
    expect(released).toEqual(['q[0]#0']);
  });

  it('releases a result that was reproduced meanwhile, as its current attempt', () => {
    const { clock, released, restart, finish } = keeping({ ttlMs: 100 });
    finish('c');
    restart('p');
    finish('p');
    clock.advance(100);
    expect(released).toEqual(['p[0]#1']);
  });

  it('stop() leaves no timer, and leaves kept results to the end of the job', () => {
    const { keeper, clock, released, finish } = keeping({ ttlMs: 100 }, { ttlMs: 50 });
    finish('c', 'd');
    keeper.stop();
    expect(clock.pendingCount).toBe(0);
    clock.advance(100);
    expect(released).toEqual([]);
  });
});
