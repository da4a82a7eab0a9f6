import type { JobEvent } from '../../src/actors/job-event.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import type { PartitionId } from '../../src/ids.ts';
import { restartBackoffSetup } from '../../src/machines/strategies/restart-backoff-machine.ts';
import { ManualCluster, type ManualClusterOptions } from '../support/manual-cluster.ts';

type Decided = Extract<JobEvent, { type: 'failover.decided' }>;

//  (p) ══▶ (c)     c, a separate region, re-reads p's result
function behind(exchange: 'blocking' | 'reliable', deterministic = false, options: Partial<ManualClusterOptions> = {}) {
  const cluster = new ManualCluster({
    vertices: [
      { id: 'p', parallelism: 1, deterministic },
      { id: 'c', parallelism: 1 },
    ],
    edges: [{ from: 'p', to: 'c', exchange: exchangeTypes[exchange] }],
    ...options,
  }).start();
  cluster.runAll();
  return cluster;
}

function decisionsOf(cluster: ManualCluster): Decided[] {
  return cluster.events.filter((event): event is Decided => event.type === 'failover.decided');
}

describe('the event about a decision', () => {
  const partition = 0;

  it.each<[string, (cluster: ManualCluster) => void, readonly object[]]>([
    ['a found result is re-used', () => {}, [{ partition, records: 10, bytes: 100 }]],
    ['a missing one is not: its producer restarts', ({ executors }) => executors.missingResultsOf.add('p[0]'), []],
    [
      'a result that was not verified in time has no known size',
      (cluster) => {
        cluster.executors.answering = ({ type }) => (type === 'results.verify' ? 'later' : undefined);
      },
      [{ partition, records: 0, bytes: 0 }],
    ],
  ])('%s', (_, arrange, reused) => {
    const cluster = behind('blocking');
    cluster.report('p[0]', 'finished');
    cluster.runAll();
    arrange(cluster);
    cluster.fail('c[0]');
    cluster.clock.advance(1_000);
    expect(decisionsOf(cluster)).toMatchObject([{ reused, consumersKeepRunning: false }]);
  });

  it('a result lost before the backoff has answered is not re-used', () => {
    const silent = restartBackoffSetup().createMachine({ context: {} });
    const cluster = behind('blocking', false, { restartBackoff: silent });
    cluster.report('p[0]', 'finished');
    cluster.runAll();
    cluster.fail('c[0]');
    const id = cluster.ledger.presentResult(partition as PartitionId);
    cluster.tell({ type: 'partition.lost', id, cause: new Error('its disk is gone') });
    cluster.clock.advance(1_000);
    expect(decisionsOf(cluster)).toMatchObject([{ regions: [1], reused: [] }]);
  });

  it('a readable result that a strategy recomputes is not re-used', () => {
    const cluster = behind('blocking');
    cluster.report('p[0]', 'finished');
    cluster.runAll();
    cluster.tell({ type: 'job.globalFailure', cause: new Error('all of it') });
    expect(decisionsOf(cluster)).toMatchObject([{ regions: [0, 1], reused: [] }]);
  });

  it.each<[string, boolean, (cluster: ManualCluster) => void, boolean]>([
    ['a producer that runs again has a consumer that keeps running', true, (it) => it.fail('p[0]'), true],
    ['a consumer that restarts with its producer does not', false, (it) => it.fail('p[0]'), false],
    [
      'a consumer that has finished does not',
      true,
      (it) => {
        it.report('c[0]', 'finished');
        it.fail('p[0]');
      },
      false,
    ],
  ])('%s', (_, deterministic, fail, consumersKeepRunning) => {
    const cluster = behind('reliable', deterministic);
    fail(cluster);
    expect(decisionsOf(cluster)).toMatchObject([{ again: deterministic ? [0] : [], consumersKeepRunning }]);
  });
});
