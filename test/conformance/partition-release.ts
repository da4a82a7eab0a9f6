import type { ExecutorGateway } from '../../src/actors/executor-gateway.ts';
import { reportCheck } from '../../src/actors/protocol/message-shapes.ts';
import { InvalidArgumentError } from '../../src/errors/usage-errors.ts';
import { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import { createJobGraph } from '../../src/graph/job-graph.ts';
import { pipelinedRegions } from '../../src/graph/pipelined-region.ts';
import type { ExecutionVertexId, PartitionId, RegionId } from '../../src/ids.ts';
import { JobLedger } from '../../src/machines/job-master/job-ledger.ts';
import type { KeepResults } from '../../src/graph/keep-results.ts';
import { ResultKeeper } from '../../src/machines/job-master/result-keeper.ts';
import { PartitionRelease } from '../../src/scheduling/partition-release.ts';
import { virtualEnvironment } from '../../src/testing/index.ts';
import { RunControls, type RunControlsParts } from '../../src/run/run-controls.ts';
import { ManualCluster } from '../support/manual-cluster.ts';
import { CannotRun, equals, equalsAs, type Handler, knowing, onlyKnown, perStep, sorted } from './conformance-case.ts';
import { flinkExchangeTypes } from './flink-exchange-types.ts';
import { givenEdges, givenGraph, givenVertices, graphFields, knownVertex, listOf, textOf } from './given-graph.ts';

/** `p[0]->c` */
function nameOf(graph: ExecutionGraph, partition: PartitionId): string {
  return `${graph.nameOf(graph.producerOf(partition))}->${graph.edgeOfPartition(partition).target}`;
}

const longMs = 24 * 60 * 60 * 1_000;

/** Keeps the results of an exchange as its type says: those that outlive their job are in a directory. */
function keepOf(graph: ExecutionGraph): (edge: number) => KeepResults {
  return (edge) =>
    graph.jobGraph.edges[edge]?.exchange === flinkExchangeTypes['BLOCKING_PERSISTENT']
      ? { directory: 'kept' }
      : 'until-consumers-finish';
}

/**
 * Tasks finish and restart; like a job master, the rig updates the books when the last task of a region has finished
 * and when a finished region runs again.
 */
const releaseStrategy: Handler = ({ given, when }) => {
  const named = givenGraph({ level: 'job', ...given });
  const { graph, regions } = named;
  const ledger = new JobLedger(graph, regions, undefined, keepOf(graph));
  const environment = virtualEnvironment();
  let released: PartitionId[] = [];
  const keeper = new ResultKeeper({
    ledger,
    gateway: {
      releasePartitions: (ids) => {
        released.push(...ids.map(({ partition }) => partition));
      },
    } as ExecutorGateway,
    environment,
  });
  const finished = new Set<number>();
  const releasable = when.map((step) => {
    const vertex = knownVertex(named, step['vertex']);
    const region = regions.regionOf(vertex);
    if (step['op'] === 'vertexUnfinished') {
      finished.delete(vertex);
      ledger.invalidate(new Map([[region, 'new']]));
      return [];
    }
    // If told twice, it tells the region twice as well.
    finished.add(vertex);
    const hasFinished = Array.from(regions.verticesOf(region)).every((member) => finished.has(member));
    released = [];
    if (hasFinished) keeper.noteConsumed(ledger.results.regionFinished(region));
    // Results that are kept for some time only are not kept.
    environment.advance(longMs);
    return released.map((partition) => nameOf(graph, partition));
  });
  return { releasable: perStep(releasable.map((names) => equalsAs(sorted, names))) };
};

/** Regions by name, each of one task: `consumerRegions` read a result of the first of the others. */
const consumerRegionGroup: Handler = ({ given, when }) => {
  const { group, otherRegions } = given;
  if (typeof group !== 'object' || group === null) throw new CannotRun('given group is no object');
  onlyKnown({ ...group }, ['consumerRegions'], 'group');
  const consumers = listOf<string>((group as Record<string, unknown>)['consumerRegions'], 'consumerRegions');
  const [producer = 'producer', ...others] = listOf<string>(otherRegions, 'otherRegions');
  const ids = [producer, ...others, ...consumers];
  const graph = new ExecutionGraph(
    createJobGraph(
      'case',
      ids.map((id) => ({ id, parallelism: 1 })),
      consumers.map((target) => ({ source: producer, target, exchange: exchangeTypes.blocking, pattern: 'pointwise' })),
    ),
  );
  const release = new PartitionRelease(graph, pipelinedRegions(graph));
  const regionNamed = (name: unknown): RegionId => {
    const region = ids.indexOf(textOf(name));
    if (region < 0) throw new CannotRun(`there is no region ${JSON.stringify(name)} in the case`);
    return region as RegionId;
  };
  const groupFinished = when.map((step) => {
    const region = regionNamed(step['region']);
    if (step['op'] === 'regionFinished') release.regionFinished(region);
    else release.regionUnfinished(region);
    return consumers.every((name) => release.isFinished(regionNamed(name)));
  });
  return { groupFinished: perStep(groupFinished.map((value) => equals(value))) };
};

/** Another region, so that the job goes on when the one of the case has finished. */
const bystander = '(bystander)';

/**
 * One region of the real charts. What is finished is reported, as executors do; what is unfinished is restarted, as the
 * user of a run does.
 */
const regionView: Handler = ({ given, when }) => {
  const names = listOf<string>(given['region'], 'region');
  if (names.length === 0) throw new CannotRun('a region without tasks is not known');
  const cluster = new ManualCluster({
    vertices: [...names, bystander].map((id) => ({ id, parallelism: 1 })),
    edges: names.slice(1).map((to, index) => ({ from: names[index] as string, to })),
  }).start();
  cluster.runAll();
  const { graph, regions } = cluster.ledger;
  const isInvalid = reportCheck(graph);
  const controls = new RunControls({
    ...{ shape: { job: 'case', graph, regions }, master: cluster.master, connections: cluster.connections },
    status: () => cluster.status,
  } as Partial<RunControlsParts> as RunControlsParts);
  const finished = (): boolean => cluster.regionStateOf(`${names[0]}[0]`) === 'finished';
  const perStepFinished = when.map(({ op, vertex: name }) => {
    const task = `${textOf(name)}[0]`;
    const vertex = cluster.tasks.includes(task) ? cluster.vertex(task) : (graph.vertexCount as ExecutionVertexId);
    if (op === 'vertexUnfinished') {
      controls.restartTask(vertex);
      cluster.clock.advance(0);
      for (const other of cluster.tasks) if (cluster.stateOf(other) === 'canceling') cluster.report(other, 'canceled');
    } else {
      const statistics = { recordsIn: 0, recordsOut: 0, isCurtailed: false };
      const report = { type: 'task.finished', vertex, attempt: 0, statistics };
      if (isInvalid(report) !== undefined) throw new InvalidArgumentError('vertex', name, `one of ${names.join(', ')}`);
      cluster.report(task, 'finished');
    }
    cluster.runAll();
    return finished();
  });
  return {
    regionFinished: equals(finished()),
    regionFinishedPerStep: perStep(perStepFinished.map((is) => equals(is))),
  };
};

/** A whole job: the results that the master releases as its tasks finish. */
const graphRelease: Handler = ({ given, when }) => {
  const cluster = new ManualCluster({ vertices: givenVertices(given['vertices']), edges: givenEdges(given['edges']) });
  cluster.start();
  const { graph } = cluster.ledger;
  const isKept = (partition: PartitionId): boolean => !graph.exchangeOfPartition(partition).joinsRegions;
  const released = when.map((step) => {
    const before = cluster.released.length;
    if ('report' in step) {
      onlyKnown(step, ['report', 'state'], 'step');
      if (step['state'] !== 'FINISHED')
        throw new CannotRun(`a report of ${JSON.stringify(step['state'])} is not known`);
      const task = textOf(step['report']);
      cluster.runAll();
      cluster.report(task, 'finished');
    } else if (step['op'] === 'resetForNewExecution') {
      onlyKnown(step, ['op', 'vertex'], 'step');
      // A task restarts with its region, here because another task of it fails: none of them has finished then.
      const region = cluster.regionOf(textOf(step['vertex']));
      const failing = cluster.tasks.find(
        (task) => cluster.regionOf(task) === region && cluster.stateOf(task) === 'running',
      );
      if (failing === undefined) throw new CannotRun('a finished region is not reset by itself');
      cluster.fail(failing);
      cluster.clock.advance(100);
    } else throw new CannotRun(`step ${JSON.stringify(step)} is not known`);
    return cluster.released
      .slice(before)
      .flatMap(({ partition }) => (isKept(partition) ? [nameOf(graph, partition)] : []));
  });
  return { released: perStep(released.map((names) => equalsAs(sorted, names))) };
};

/** Handlers of the area `partition-release`. */
export const partitionReleaseHandlers: Readonly<Record<string, Handler>> = {
  'release-strategy': knowing(
    { given: graphFields, ops: { vertexFinished: ['vertex'], vertexUnfinished: ['vertex'] } },
    releaseStrategy,
  ),
  'consumer-region-group': knowing(
    { given: ['group', 'otherRegions'], ops: { regionFinished: ['region'], regionUnfinished: ['region'] } },
    consumerRegionGroup,
  ),
  'region-view': knowing(
    { given: ['region'], ops: { vertexFinished: ['vertex'], vertexUnfinished: ['vertex'] } },
    regionView,
  ),
  'graph-release': (conformanceCase) => {
    onlyKnown(conformanceCase.given, graphFields, 'given');
    return graphRelease(conformanceCase);
  },
};
