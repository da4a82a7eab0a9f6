import { resultPartitionKey } from '../../src/ids.ts';
import { ManualCluster } from '../support/manual-cluster.ts';
import {
  CannotRun,
  type ConformanceCase,
  equals,
  type Handler,
  knowing,
  onlyKnown,
  perStep,
} from './conformance-case.ts';
import { givenEdges, givenVertices, graphFields, textOf } from './given-graph.ts';
import { reportedState } from './job-rig.ts';

type Step = ConformanceCase['when'][number];

/** A job whose `producer` writes its only result. */
interface Rig {
  readonly cluster: ManualCluster;
  readonly producer: string;
  /** Results that an executor has registered. */
  readonly registered: Set<string>;
}

const operations: Readonly<Record<string, (rig: Rig) => void>> = {
  startScheduling: ({ cluster }) => void cluster.start(),
  cancel: ({ cluster }) => cluster.tell({ type: 'job.cancel' }),
  completeCancelling: ({ cluster, producer }) => cluster.report(producer, 'canceled'),
  suspend: ({ cluster }) => cluster.tell({ type: 'job.suspend', cause: new Error('the case says so') }),
  failByMaster: ({ cluster }) => cluster.quarantine('executor-0', 'the case says so'),
  reportFailed: ({ cluster, producer }) => cluster.fail(producer),
  reportFinished: ({ cluster, producer }) => cluster.report(producer, 'finished'),
  completeRegistrations: ({ cluster, registered }) => {
    for (const { question, answer } of cluster.executors.held.splice(0)) {
      if (question.type !== 'results.register') continue;
      for (const { id } of question.registrations) registered.add(resultPartitionKey(id));
      answer();
    }
  },
};

function runStep(rig: Rig, step: Step): void {
  if ('report' in step) {
    onlyKnown(step, ['report', 'state'], 'step');
    const state = reportedState(step['state']);
    const task = textOf(step['report']);
    const { cluster } = rig;
    if (!cluster.tasks.includes(task)) throw new CannotRun(`there is no task ${task} in the case`);
    if (state === 'failed') cluster.fail(task);
    else cluster.report(task, state);
    return;
  }
  const { op, releasePartitions = false } = step;
  const operation = Object.hasOwn(operations, String(op)) ? operations[String(op)] : undefined;
  if (operation === undefined) throw new CannotRun(`operation ${JSON.stringify(op)} is not known`);
  if (releasePartitions !== false) throw new CannotRun('step releasePartitions is not known but for false');
  operation(rig);
}

/** The fate of the only result of a job: its state in the books, and the master's release commands. */
const producerLifecycle: Handler = ({ given, when }) => {
  const { producerState, partitionRegistration: registration = 'automatic' } = given;
  if (registration !== 'automatic' && registration !== 'manual') {
    throw new CannotRun(`registration ${JSON.stringify(registration)} is not known`);
  }
  const edges = givenEdges(given['edges']);
  const cluster = new ManualCluster({ vertices: givenVertices(given['vertices']), edges });
  if (registration === 'manual') {
    cluster.executors.answering = ({ type }) => (type === 'results.register' ? 'later' : undefined);
  }
  const { ledger, released } = cluster;
  if (edges.length !== 1 || ledger.graph.partitionCount !== 1) throw new CannotRun('several results are not known');
  const producer = `${edges[0]?.from}[0]`;
  const [written] = ledger.attempts.resultsOf(cluster.vertex(producer), ledger.attemptOf(cluster.vertex(producer)));
  if (written === undefined) throw new CannotRun('a producer without a result is not known');
  const result = written.id;
  if (producerState === 'RUNNING') {
    cluster.start();
    cluster.runAll();
    if (cluster.stateOf(producer) !== 'running') throw new Error(`${producer} was led to ${cluster.stateOf(producer)}`);
  } else if (producerState !== undefined)
    throw new CannotRun(`a producer that is ${JSON.stringify(producerState)} is not known`);

  const rig: Rig = { cluster, producer, registered: new Set() };
  const wasReleased = when.map((step) => {
    const before = released.length;
    runStep(rig, step);
    return released.slice(before).some((id) => resultPartitionKey(id) === resultPartitionKey(result));
  });

  const isReleased = wasReleased.includes(true);
  const ends = ledger.isPartitionReadable(result.partition)
    ? ['still tracked, not released', 'still tracked, and released']
    : ['stop tracking, no release', 'stop tracking and release'];
  // A released result is released whether it was registered by then or is on its way: commands keep their order.
  const registered = [...rig.registered];
  const givenUp = new Set(released.map((id) => resultPartitionKey(id)));
  return {
    tracker: equals(ends[isReleased ? 1 : 0]),
    releaseCallAfterStep: perStep(wasReleased.map((value) => equals(value))),
    ...(registration === 'manual' && {
      trackedPartitions: equals(registered.filter((key) => !givenUp.has(key)).length),
      externallyReleased: equals(registered.filter((key) => givenUp.has(key)).length),
    }),
  };
};

/** Handlers of the kind `producer-lifecycle` of the area `partition-release`. */
export const producerLifecycleHandlers: Readonly<Record<string, Handler>> = {
  'producer-lifecycle': knowing(
    {
      given: [...graphFields, 'producerState', 'partitionRegistration'],
      steps: ['op', 'report', 'state', 'releasePartitions'],
    },
    producerLifecycle,
  ),
};
