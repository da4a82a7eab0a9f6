import type { TaskDeployment } from '../../src/actors/protocol/deployment.ts';
import { exchangeTypes } from '../../src/graph/exchange-type.ts';
import { checkpointCoordinatorHandlers } from './checkpoint-coordinator.ts';
import { CheckpointedJob, pipelinesOf } from '../support/checkpointed-job.ts';
import {
  CannotRun,
  type ConformanceCase,
  equals,
  equalsAs,
  type Handler,
  knowing,
  sorted,
} from './conformance-case.ts';

type Vertices = readonly { readonly id: string; readonly parallelism: number }[];

const states = ['DEPLOYING', 'RUNNING', 'FAILED', 'FINISHED'];

/** A chain of tasks over reliable exchanges: a component of several regions. */
const activation: Handler = knowing(
  { given: ['trackedTasks'], steps: ['task', 'state', 'jobStatus'] },
  ({ given, when }) => {
    const names = given['trackedTasks'] as readonly string[];
    const job = new CheckpointedJob({
      vertices: names.map((id) => ({ id, parallelism: 1 })),
      edges: names
        .slice(1)
        .map((to, index) => ({ from: names[index] as string, to, exchange: exchangeTypes.reliable })),
    });
    const { cluster } = job;
    let hasFailed = false;
    const perStep = when.map(({ task, state, jobStatus }) => {
      if (cluster.status === 'created') cluster.start();
      if (jobStatus === 'FAILED') {
        hasFailed = true;
        cluster.tell({ type: 'job.globalFailure', cause: new Error('the job broke') });
        job.endCanceled();
      } else if (jobStatus === 'RESTARTING') job.passRestartDelay();
      else if (jobStatus === 'FINISHED') for (const name of cluster.tasks) cluster.report(name, 'finished');
      else if (jobStatus === 'RUNNING' && hasFailed) cluster.runAll();
      else if (jobStatus === undefined) report(job, `${task as string}[0]`, state);
      return job.isPeriodic;
    });
    return { periodicActivePerStep: equals(perStep) };
  },
);

function report({ cluster }: CheckpointedJob, task: string, state: unknown): void {
  if (!states.includes(state as string)) throw new CannotRun(`state ${JSON.stringify(state)} is not known`);
  if (!cluster.tasks.includes(task)) throw new CannotRun(`task ${task} is not known`);
  if (state === 'RUNNING') cluster.runAll([task]);
  if (state === 'FAILED') cluster.fail(task);
  if (state === 'FINISHED') cluster.report(task, 'finished');
}

const lifecycle: Handler = knowing(
  { given: ['vertices', 'jobStatus'], ops: { closeScheduler: [], failJob: [], suspendJob: [] } },
  ({ given, when }) => {
    const job = new CheckpointedJob({ vertices: given['vertices'] as Vertices, mayRestart: false });
    job.cluster.start().runAll();
    for (const { op } of when) {
      if (op === 'failJob') job.cluster.tell({ type: 'job.globalFailure', cause: new Error('the job broke') });
      else job.cluster.tell({ type: 'job.suspend', cause: new Error('the master goes') });
      job.endCanceled();
    }
    return {
      jobStatus: equals(job.cluster.status.toUpperCase()),
      coordinatorShutDown: equals(job.isShutDown),
      idCounterShutDownWith: equals(undefined),
      storeShutDownWith: equals(undefined),
    };
  },
);

const restoredFrom = (deployments: readonly TaskDeployment[]): number | undefined => {
  const found = new Set(deployments.map(({ restore }) => restore?.checkpoint));
  return found.size === 1 ? [...found][0] : undefined;
};

/** Whether each deployment has the state that its own task acknowledged. */
const haveOwnStates = (deployments: readonly TaskDeployment[]): boolean =>
  deployments.every(({ task, restore }) => {
    const state = restore?.state;
    return state?.kind === 'inline' && (state.state as unknown as { task: string }).task === task;
  });

const regional: Handler = knowing(
  { given: ['regions', 'completed', 'masterHooks'], steps: ['regionFailover', 'globalFailover'] },
  ({ given, when }) => {
    const job = new CheckpointedJob(pipelinesOf(given['regions'] as readonly string[][]));
    const { cluster } = job;
    cluster.start().runAll();
    job.completeUpTo(Math.max(0, ...(given['completed'] as readonly number[])));
    let deployments: TaskDeployment[] = [];
    for (const { regionFailover, globalFailover } of when) {
      if (globalFailover === true) cluster.tell({ type: 'job.globalFailure', cause: new Error('the job broke') });
      else cluster.fail((regionFailover as readonly string[])[0] as string);
      job.endCanceled();
      deployments = job.passRestartDelay();
    }
    const restored = deployments.filter(({ restore }) => restore !== undefined);
    return {
      stateEffectiveFor: equalsAs(
        sorted,
        restored.map(({ task }) => task),
      ),
      restoredFrom: equals(restoredFrom(deployments)),
      startsEmpty: equals(deployments.length > 0 && restored.length === 0),
      // Ours is the state of a task, and nothing of it is outside the tasks.
      stateAssignedTo: equals(restored.map(({ task }) => task)),
      operatorCoordinators: equals(undefined),
      masterHookRestores: equals(undefined),
    };
  },
);

/** Some of these cases are about the coordinator alone. */
const failoverRestore: Handler = (conformanceCase) =>
  'regions' in conformanceCase.given
    ? regional(conformanceCase)
    : checkpointCoordinatorHandlers.coordinator(conformanceCase);

const restoring: Handler = knowing(
  { given: ['vertices'], ops: { trigger: [], ackAll: ['checkpoint'], restoreAll: ['newParallelism'] } },
  ({ given, when }) => {
    const vertices = (given['vertices'] as Vertices).map(({ id, parallelism }) => {
      if (typeof parallelism !== 'number') throw new CannotRun(`parallelism ${JSON.stringify(parallelism)} is not run`);
      return { id, parallelism };
    });
    const job = new CheckpointedJob({ vertices });
    const { cluster } = job;
    cluster.start().runAll();
    let deployments: TaskDeployment[] = [];
    for (const { op, checkpoint, newParallelism } of when) {
      if (newParallelism !== undefined) throw new CannotRun('another parallelism is not run');
      if (op === 'trigger') job.trigger();
      else if (op === 'ackAll') job.acknowledgeAll(checkpoint as number);
      else {
        cluster.tell({ type: 'job.globalFailure', cause: new Error('the job broke') });
        job.endCanceled();
        deployments = job.passRestartDelay();
      }
    }
    return {
      restoredFrom: equals(restoredFrom(deployments)),
      everySubtaskGetsOwnState: equals(deployments.length > 0 && haveOwnStates(deployments)),
      stateOf: equals(
        Object.fromEntries(
          vertices.map(({ id }) => [
            id,
            deployments.some((one) => one.jobVertex === id && one.restore) ? 'present' : 'none',
          ]),
        ),
      ),
    };
  },
);

const schedulerCheckpoint: Handler = knowing(
  {
    given: ['vertices', 'checkpointing', 'masterHooks', 'completed', 'store', 'jobStatus'],
    ops: {
      startScheduling: [],
      trigger: [],
      ackAll: ['checkpoint'],
      stopCheckpointScheduler: [],
      // A step without an operation.
      undefined: ['report', 'state', 'advanceRestartDelay'],
    },
  },
  (conformanceCase) => {
    const { given, when } = conformanceCase;
    const faults = given['store'] === undefined ? {} : { commit: new Error('it cannot be added') };
    const job = new CheckpointedJob({ vertices: given['vertices'] as Vertices, faults });
    const { cluster } = job;
    if (!when.some(({ op }) => op === 'startScheduling')) cluster.start().runAll();
    if (given['jobStatus'] === 'FINISHED') for (const task of cluster.tasks) cluster.report(task, 'finished');
    const errors: unknown[] = [];
    const pendingPerStep = when.map((step) => {
      playStep(job, step);
      return job.pendingCount;
    });
    const failed = cluster.events.some(({ type }) => type === 'checkpoint.failed');
    const completed = cluster.events.filter(({ type }) => type === 'checkpoint.completed').length;
    return {
      pendingPerStep: (expected) =>
        equals(pendingPerStep.map((count, step) => ((expected as unknown[])[step] === null ? null : count)))(expected),
      masterHookRestores: equals(undefined),
      errors: equals(errors),
      coordinatorPresent: equals(!job.isShutDown),
      triggerResult: equals(failed ? 'failed' : completed > 0 ? 'completed' : 'open'),
      completedOnlyAfterStored: equals(completed === job.storage.manifests.length),
    };
  },
);

function playStep(job: CheckpointedJob, step: ConformanceCase['when'][number]): void {
  const { cluster } = job;
  const { op, advanceRestartDelay } = step;
  if (op === 'startScheduling') cluster.start();
  else if (op === 'trigger') job.trigger();
  else if (op === 'ackAll') job.acknowledgeAll(step['checkpoint'] as number);
  else if (step['report'] !== undefined) report(job, step['report'] as string, step['state']);
  else if (advanceRestartDelay === true) job.passRestartDelay();
}

export const checkpointRecoveryHandlers = {
  activation,
  lifecycle,
  restoring,
  'failover-restore': failoverRestore,
  'scheduler-checkpoint': schedulerCheckpoint,
};
