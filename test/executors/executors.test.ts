import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { NEVER } from 'rxjs';
import { ActorHost } from '../../src/actors/actor-host.ts';
import { checkedExecutorPort, messageChecks } from '../../src/actors/checked-port.ts';
import type { TaskDeployment } from '../../src/actors/protocol/deployment.ts';
import type {
  ExecutorPort,
  ExecutorToMasterMessage,
  MasterToExecutorMessage,
} from '../../src/actors/protocol/messages.ts';
import { planJob } from '../../src/api/job-planner.ts';
import { LocalDataPlane } from '../../src/executors/local-data-plane.ts';
import { LocalExecutors } from '../../src/executors/local-executors.ts';
import { RunServices } from '../../src/executors/shares/desks/run-services.ts';
import { ThreadPort } from '../../src/executors/workers/thread-port.ts';
import { WorkerExecutor } from '../../src/executors/workers/worker-executor.ts';
import { WorkerLine } from '../../src/executors/workers/worker-line.ts';
import { ExecutionGraph } from '../../src/graph/execution-graph.ts';
import { pipelinedRegions } from '../../src/graph/pipelined-region.ts';
import type { AttemptNumber, ExecutionVertexId, ExecutorId, JobVertexId, RunId } from '../../src/ids.ts';
import { forEach, fromArray, fromObservable, Job, reliable } from '../../src/index.ts';
import { JobLedger } from '../../src/machines/job-master/job-ledger.ts';
import { toPlainError } from '../../src/plain-error.ts';
import { protocolVersion } from '../../src/version.ts';
import type { JobPlan } from '../../src/run/job-plan.ts';
import { virtualEnvironment } from '../../src/testing/index.ts';
import { MemorySpillStore } from '../../src/testing/storage/memory-spill-store.ts';

/** An executor, as its master sees it. */
interface ConnectedExecutor {
  readonly port: ExecutorPort;
  /** Lets it do its pending work. */
  settle(): Promise<void>;
}

const results = {
  batchSize: 2,
  batchBytes: 1_024,
  memoryBudgetBytes: 1 << 20,
  memoryOverflow: 'drop',
  diskBudgetBytes: 1 << 20,
  diskOverflow: 'back-pressure',
  keepResults: 'until-consumers-finish',
  diskWaitTimeoutMs: 1_000,
  spillDirectory: undefined,
  cancellationTimeoutMs: 30_000,
} as const;

const run = 'run' as RunId;

interface ExecutorKind {
  readonly kind: string;
  /** Whether it checks the messages of its master. */
  readonly isChecked: boolean;
  readonly connect: (plan: JobPlan) => ConnectedExecutor;
}

/** The kinds of executors: each runs the tasks of a plan behind a port. */
const kinds: readonly ExecutorKind[] = [
  {
    kind: 'in this process',
    isChecked: false,
    connect: (plan) => {
      const environment = virtualEnvironment();
      const { clock } = environment;
      const dataPlane = new LocalDataPlane(plan, {
        ...{ ...results, run, environment },
        spillStore: new MemorySpillStore(clock),
      });
      const actors = ActorHost.root('run', { clock });
      const executors = new LocalExecutors({ clock, dataPlane, actors, executors: 1, slots: 4 });
      const ports: ExecutorPort[] = [];
      executors.connect(
        (_, port) => ports.push(port),
        () => {},
      );
      const settle = async (): Promise<void> => {
        for (let turn = 0; turn < 100; turn++) {
          environment.advance(1);
          await Promise.resolve();
        }
      };
      return { port: ports[0] as ExecutorPort, settle };
    },
  },
  {
    // On this thread, with all that a worker thread has: its messages are cloned and checked.
    kind: 'of a worker',
    isChecked: true,
    connect: (plan) => {
      const environment = virtualEnvironment();
      const executor = 'worker-0' as ExecutorId;
      const checks = messageChecks(new ExecutionGraph(plan.jobGraph));
      const [control, services] = [new MessageChannel(), new MessageChannel()];
      open.push(control.port1, control.port2, services.port1, services.port2);
      const line = new WorkerLine<MasterToExecutorMessage, ExecutorToMasterMessage>(control.port1, () => {});
      const theirs = new WorkerLine<ExecutorToMasterMessage, MasterToExecutorMessage>(control.port2, () => {});
      const shared = { ...results, run, environment };
      new RunServices(plan, shared, { invalid: () => {} }).accept(executor, new ThreadPort(services.port1));
      const worker = new WorkerExecutor({
        executor,
        ...{ incarnation: 0, slots: 4 },
        heartbeat: { intervalMs: 1_000_000, timeoutMs: 2_000_000, failedSends: 2 },
        options: {
          ...{ ...results, run, freezeRecords: true },
          ...{ stateDirectory: undefined, resultsDirectory: undefined, checkpoints: undefined, resume: 'auto' },
        },
        ...{ plan, checks, environment },
        port: theirs.port,
        services: new ThreadPort(services.port2),
        spillStore: new MemorySpillStore(environment.clock),
      });
      worker.connect();
      const settle = async (): Promise<void> => {
        for (let turn = 0; turn < 20; turn++) {
          environment.advance(1);
          await new Promise(setImmediate);
        }
      };
      return { port: checkedExecutorPort(line.port, checks), settle };
    },
  },
];

/** What keeps this process alive. */
const open: MessagePort[] = [];
afterEach(() => {
  for (const port of open.splice(0)) port.close();
});

//  (numbers) ═reliable═▶ (seen)      (hanging): runs until it is told to end
function describedJob(): JobPlan {
  const job = Job.create('pair', { parallelism: 1 });
  job
    .source('numbers', fromArray([1, 2, 3]))
    .rebalance({ exchange: reliable() })
    .sink(
      'seen',
      forEach(() => {}),
    );
  job
    .source(
      'hanging',
      fromObservable(() => NEVER, { buffer: { capacity: 1, overflow: 'error' } }),
    )
    .sink(
      'unseen',
      forEach(() => {}),
    );
  return planJob(job);
}

/** An executor, and the books from which its master would deploy. */
async function connected({ connect }: (typeof kinds)[number]) {
  const plan = describedJob();
  const { port, settle } = connect(plan);
  const heard: ExecutorToMasterMessage[] = [];
  port.onMessage((message) => heard.push(message));
  const graph = new ExecutionGraph(plan.jobGraph);
  const ledger = new JobLedger(graph, pipelinedRegions(graph));
  const taskOf = (jobVertex: string): ExecutionVertexId =>
    graph.vertexAt(graph.jobGraph.vertexIndexById.get(jobVertex as JobVertexId) as number, 0);
  const attempt = 0 as AttemptNumber;
  const results = ledger.attempts.resultsOf(taskOf('numbers'), attempt).map(({ id }) => id);
  await settle();
  const first = heard.splice(0);
  let token = 0;
  /** Sends messages, and returns the answers. */
  const tell = async (
    ...messages: readonly Parameters<ExecutorPort['post']>[0][]
  ): Promise<ExecutorToMasterMessage[]> => {
    heard.length = 0;
    for (const message of messages) port.post(message);
    expect(heard).toEqual([]);
    await settle();
    return heard.splice(0);
  };
  const register = () =>
    tell({
      type: 'results.register',
      token: ++token,
      registrations: ledger.beginRegistration(taskOf('numbers'), attempt, 'new'),
    });
  const deploy = (jobVertex: string, changed: Partial<TaskDeployment> = {}) =>
    tell({
      type: 'task.deploy',
      deployment: { ...ledger.deploymentOf(taskOf(jobVertex), attempt, 'new'), ...changed },
    });
  const verify = () => tell({ type: 'results.verify', token: ++token, ids: results });
  return { port, first, tell, register, deploy, verify, taskOf, results };
}

const typesOf = (messages: readonly ExecutorToMasterMessage[]): string[] => messages.map(({ type }) => type);

describe.each(kinds)('a task executor $kind', (kind) => {
  it('T1, W6: first reports its version of the protocol, and how many slots it offers', async () => {
    const { first } = await connected(kind);
    expect(first).toEqual([{ type: 'executor.connected', protocol: protocolVersion, incarnation: 0, slots: 4 }]);
  });

  it('W2: answers later, with the token of the question', async () => {
    const { register, verify, results } = await connected(kind);
    expect(await register()).toEqual(
      expect.arrayContaining([{ type: 'results.registered', token: 1, failed: undefined }]),
    );
    expect(await verify()).toEqual([
      { type: 'results.verified', token: 2, lost: [], found: [{ id: results[0], records: 0, bytes: 0 }] },
    ]);
  });

  it('TE1: reports the progress of an attempt, and one end', async () => {
    const { register, deploy, tell, taskOf } = await connected(kind);
    await register();
    const reports = await deploy('numbers');
    expect(typesOf(reports)).toEqual(['task.initializing', 'task.running', 'task.finished']);
    expect(reports.at(-1)).toMatchObject({ vertex: taskOf('numbers'), attempt: 0, statistics: { recordsOut: 3 } });
    expect(await tell({ type: 'task.cancel', vertex: taskOf('numbers'), attempt: 0 as AttemptNumber })).toEqual([]);
  });

  it('TE1, W3: cancels only the named attempt', async () => {
    const { deploy, tell, taskOf } = await connected(kind);
    await deploy('hanging');
    const vertex = taskOf('hanging');
    expect(await tell({ type: 'task.cancel', vertex, attempt: 1 as AttemptNumber })).toEqual([]);
    const reports = await tell({ type: 'task.cancel', vertex, attempt: 0 as AttemptNumber });
    expect(reports).toMatchObject([{ type: 'task.canceled', vertex, attempt: 0 }]);
  });

  it.each<{ what: string; changed: Partial<TaskDeployment>; says: RegExp }>([
    {
      what: 'a vertex that it does not know',
      changed: { jobVertex: 'others' as JobVertexId },
      says: /no vertex "others"/,
    },
    {
      what: 'other operators than it knows',
      changed: { operators: ['hanging', 'renamed'] },
      says: /"hanging", "unseen" here, and was deployed with "hanging", "renamed": .*same version/,
    },
  ])('TE1: an attempt with $what fails by name', async ({ changed, says }) => {
    const { deploy, taskOf } = await connected(kind);
    const reports = await deploy('hanging', changed);
    const isRefused = kind.isChecked && 'jobVertex' in changed;
    const cause = { message: expect.stringMatching(says) as string };
    const failed = { type: 'task.failed', vertex: taskOf('hanging'), attempt: 0, cause };
    expect(reports).toMatchObject([isRefused ? { type: 'message.invalid', message: 'task.deploy' } : failed]);
  });

  it('TE1: an attempt whose results are not registered fails', async () => {
    const { deploy } = await connected(kind);
    expect(typesOf(await deploy('numbers'))).toEqual(['task.initializing', 'task.failed']);
  });

  it('TE2: holds results until they are released', async () => {
    const { register, deploy, verify, tell, results } = await connected(kind);
    await register();
    await deploy('numbers');
    expect(await verify()).toMatchObject([{ lost: [], found: [{ records: 3 }] }]);
    await tell({ type: 'results.release', ids: results, traced: [] });
    expect(await verify()).toMatchObject([{ lost: [{ id: results[0] }], found: [] }]);
  });

  it('TE2, W3: a message about the result of another attempt has no effect', async () => {
    const { register, deploy, verify, tell, results } = await connected(kind);
    await register();
    await deploy('numbers');
    const others = results.map((id) => ({ ...id, attempt: 1 as AttemptNumber }));
    await tell(
      { type: 'results.release', ids: others, traced: [] },
      ...others.map((id) => ({ type: 'result.lose', id, cause: toPlainError(new Error('gone')) }) as const),
    );
    expect(await verify()).toMatchObject([{ lost: [], found: [{ records: 3 }] }]);
  });

  it('TE1, TE2, W5: quarantined, it reports nothing of its tasks and accepts none, but answers for its results', async () => {
    const { register, deploy, verify, tell } = await connected(kind);
    await register();
    await deploy('numbers');
    await deploy('hanging');
    expect(await tell({ type: 'executor.quarantine', why: 'a task on it does not end' })).toEqual([]);
    expect(await deploy('hanging', { attempt: 1 as AttemptNumber })).toEqual([]);
    expect(await verify()).toMatchObject([{ lost: [], found: [{ records: 3 }] }]);
  });

  it('TE1, TE2: stopped, it reports that once all its work has ended, and nothing more', async () => {
    const { register, deploy, verify, tell } = await connected(kind);
    await register();
    await deploy('hanging');
    expect(await tell({ type: 'executor.stop', token: 7, hasFinished: false })).toEqual([
      { type: 'executor.stopped', token: 7 },
    ]);
    expect([await deploy('numbers'), await verify()]).toEqual([[], []]);
  });

  it('W5: receives nothing once its port is closed', async () => {
    const { port, register, deploy } = await connected(kind);
    await register();
    port.close('the job is over');
    expect(await deploy('numbers')).toEqual([]);
  });
});
