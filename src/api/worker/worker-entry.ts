import { isMainThread, type MessagePort, workerData } from 'node:worker_threads';
import { messageChecks } from '../../actors/checked-port.ts';
import type { ExecutorToMasterMessage, MasterToExecutorMessage } from '../../actors/protocol/messages.ts';
import { systemEnvironment } from '../../environment.ts';
import { JobMismatchError } from '../../errors/executor-errors.ts';
import { toError } from '../../errors/thrown-value.ts';
import { differenceOf, outlineOf } from '../../executors/workers/job-outline.ts';
import { beat } from '../../executors/workers/pulse.ts';
import { isWorkerBoot, type WorkerBoot } from '../../executors/workers/worker-boot.ts';
import { WorkerExecutor } from '../../executors/workers/worker-executor.ts';
import { workerMark } from '../../executors/workers/worker-mark.ts';
import { ThreadPort } from '../../executors/workers/thread-port.ts';
import { WorkerLine, type WiringMessage } from '../../executors/workers/worker-line.ts';
import { ExecutionGraph } from '../../graph/execution-graph.ts';
import { WorkerTap } from '../../inspector/tap/worker-tap.ts';
import { messageDataPort } from '../../partitions/remote/message-data-port.ts';
import { toPlainError } from '../../plain-error.ts';
import { jobShape } from '../../run/folds/job-shape.ts';
import type { JobPlan } from '../../run/job-plan.ts';
import { loadJob } from '../job-module.ts';
import { planJob } from '../job-planner.ts';
import { isFirstStart, whileLoading } from './loading-job.ts';

/** The URL of this module, or of what it was bundled into: a worker thread runs it, and starts below. */
export const workerEntry = import.meta.url;

/** In a worker thread of a run: makes the job from its module, and offers to run its tasks. */
async function start(boot: WorkerBoot): Promise<void> {
  const early: WiringMessage[] = [];
  let wired = (message: WiringMessage): unknown => early.push(message);
  const line = new WorkerLine<ExecutorToMasterMessage, MasterToExecutorMessage>(boot.line, (message) => wired(message));
  try {
    const { module, params } = boot.origin;
    const plan = await whileLoading(module, async () => planJob((await loadJob(module, params)).job));
    const difference = differenceOf(boot.outline, outlineOf(plan));
    if (difference !== undefined) throw new JobMismatchError(plan.name, boot.executor, difference);
    const environment = systemEnvironment({ freezeRecords: boot.options.freezeRecords });
    const checks = messageChecks(new ExecutionGraph(plan.jobGraph));
    beat(boot.pulse, environment.clock);
    const executor = new WorkerExecutor({
      ...{ ...boot, plan, checks, environment },
      port: line.port,
      services: new ThreadPort(boot.services),
    });
    wired = (message) => wire(executor, plan, message);
    for (const message of early.splice(0)) wired(message);
    executor.connect();
  } catch (error) {
    line.wire({ type: 'worker.startFailed', cause: toPlainError(toError(error)) });
  }
}

/** Takes what the main thread says about the other workers, and about those who observe. */
function wire(worker: WorkerExecutor, plan: JobPlan, message: WiringMessage): void {
  switch (message.type) {
    case 'worker.peerConnected':
      return worker.joinPeer(message.executor, messageDataPort(message.reads), messageDataPort(message.serves));
    case 'worker.peerLost':
      return worker.losePeer(message.executor, message.why);
    case 'worker.observed':
      return observe(worker, plan, message.port);
    case 'worker.startFailed':
      // It says that itself.
      return;
  }
}

/** Lets the inspector follow the actors of this thread. */
function observe(executor: WorkerExecutor, plan: JobPlan, port: MessagePort): void {
  new WorkerTap({ port: new ThreadPort(port), executor, shape: jobShape(plan), clock: systemEnvironment().clock });
}

async function startIfAsked(): Promise<void> {
  // The modules that are in one file with this one have run by then.
  await Promise.resolve();
  if (isWorkerBoot(workerData) && isFirstStart()) await start(workerData);
}

// Elsewhere nobody asks `worker_threads`, which loads more of Node than a simple job does.
if (process.argv[2] === workerMark && !isMainThread) {
  process.argv.splice(2, 1);
  void startIfAsked();
}
